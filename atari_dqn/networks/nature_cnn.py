"""The paper's network: pixels to Q-values.

    [B, 4, 84, 84] uint8 -> /255 -> 32 @ 8x8/4 -> 64 @ 4x4/2 -> 64 @ 3x3/1 -> 3136 -> 512 -> A      (Mnih et al. 2015)

Integers enter, and the scaling to [0, 1] happens here and only here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atari_dqn.networks.convolutions import STRIDE, convolve, space_to_depth, space_to_depth_kernel
from atari_dqn.networks.heads import Head, Linear, QNetwork

PIXEL_SCALE = 1.0 / 255.0


class NatureCNN(QNetwork):
    """The Q-network of Mnih et al. 2015, without the padding of the released code (D4).

    Args:
      frame_stack:  K, frames in one observation.
      frame_shape:  (H, W) pixels, both multiples of 4; the paper's are (84, 84).
      num_actions:  A.
      hidden_sizes: units of the fully connected hidden layers; the paper's are (512,).
      layer_norm:   see `fully_connected`; the paper's has none.
      subtract_mean_frame: take off the mean frame of the warm-up, once `center_on` has told it; the paper's does not.
      head:          how the last layer says values; None: it says them itself, as the paper's.
      dueling:       see `Dueling`; the paper's has none.
      linear:        makes the fully connected layers.
    """

    FILTERS: ClassVar[tuple[tuple[int, int, int], ...]] = ((32, 8, STRIDE), (64, 4, 2), (64, 3, 1))
    """Channels, kernel size and stride of each convolution."""
    mean_frame: Tensor | None

    def __init__(
        self,
        frame_stack: int,
        frame_shape: tuple[int, int],
        num_actions: int,
        hidden_sizes: Sequence[int] = (512,),
        *,
        layer_norm: bool = False,
        subtract_mean_frame: bool = False,
        head: Head | None = None,
        dueling: bool = False,
        linear: Linear = nn.Linear,
    ) -> None:
        super().__init__()
        mean_frame = torch.zeros(frame_shape, dtype=torch.uint8) if subtract_mean_frame else None
        self.register_buffer("mean_frame", mean_frame)
        planes, (height, width) = frame_stack, frame_shape
        for number, (channels, kernel_size, stride) in enumerate(self.FILTERS, start=1):
            self.add_module(f"conv{number}", nn.Conv2d(planes, channels, kernel_size, stride))
            planes, height, width = channels, (height - kernel_size) // stride + 1, (width - kernel_size) // stride + 1
        features = planes * height * width
        self.add_layers(
            features, num_actions, hidden_sizes, layer_norm=layer_norm, head=head, dueling=dueling, linear=linear
        )

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """`conv1` and so on, in their order."""
        return [layer for layer in self.children() if isinstance(layer, nn.Conv2d)]

    def center_on(self, mean_frame: Tensor) -> None:
        """Say what the games look like on average: [H, W], pixels of 0 to 255; rounded.

        What stands still and is bright would else drown small things that move: the sums of the first layer, and its
        gradients, would be of the background.
        """
        assert self.mean_frame is not None, "the network was built without subtract_mean_frame"
        self.mean_frame.copy_(mean_frame.round())

    def features(self, obs: Tensor) -> Tensor:
        """See `QNetwork`; of [B, K, H, W] uint8."""
        first, *others = self.convolutions
        dtype = compute_dtype(first.weight)
        x = space_to_depth(obs).to(dtype)
        if self.mean_frame is not None:  # whole numbers up to 255, and their differences, are exact in bfloat16 too
            x = x - space_to_depth(self.mean_frame.expand(1, *obs.shape[1:])).to(dtype)
        kernel = space_to_depth_kernel(first.weight) * PIXEL_SCALE  # a few thousand weights instead of all pixels
        x = convolve(x, kernel, first.bias)
        for layer in others:
            x = convolve(F.relu_(x), layer.weight, layer.bias, layer.stride[0])
        return F.relu_(x.flatten(1))  # in this order gradients are masked in one pass over memory

    def feature_maps(self, obs: Tensor) -> dict[str, Tensor]:
        """What each convolution answers, by its name, [B, channels, H, W] float32: `features` the plain way."""
        x = obs.float() if self.mean_frame is None else obs.float() - self.mean_frame.float()
        x, maps = x * PIXEL_SCALE, {}
        for number, layer in enumerate(self.convolutions, start=1):
            maps[f"conv{number}"] = x = F.relu(layer(x))
        return maps


class NipsCNN(NatureCNN):
    """The smaller Q-network of Mnih et al. 2013, a third of the arithmetic; the paper's hidden_sizes are (256,).

    Source: Playing Atari with Deep Reinforcement Learning, section 4.1.
    """

    FILTERS: ClassVar[tuple[tuple[int, int, int], ...]] = ((16, 8, STRIDE), (32, 4, 2))


def compute_dtype(weight: Tensor) -> torch.dtype:
    """What pixels become: the autocast type, which spares a copy in float32, else the weights' type."""
    if torch.is_autocast_enabled(weight.device.type):
        return torch.get_autocast_dtype(weight.device.type)
    return weight.dtype


PIXEL_NETWORKS = {"nature_cnn": NatureCNN, "nips_cnn": NipsCNN}
