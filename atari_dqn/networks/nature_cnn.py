"""The paper's network: pixels to Q-values.

    [B, 4, 84, 84] uint8 -> /255 -> 32 @ 8x8/4 -> 64 @ 4x4/2 -> 64 @ 3x3/1 -> 3136 -> 512 -> A      (Mnih et al. 2015)

Integers enter, and the scaling to [0, 1] happens in the first layer and only there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from atari_dqn.networks.convolutions import Convolution, PixelConvolution
from atari_dqn.networks.heads import PLAIN, Ending, QNetwork


class NatureCNN(QNetwork):
    """The Q-network of Mnih et al. 2015, without the padding of the released code (D4).

    Args:
      frame_stack:  K, frames in one observation.
      frame_shape:  (H, W) pixels, both multiples of 4; the paper's are (84, 84).
      num_actions:  A.
      hidden_sizes: units of the fully connected hidden layers; the paper's are (512,).
      layer_norm:   see `fully_connected`; the paper's has none.
      subtract_mean_frame: take off the mean frame of the warm-up, once `set_mean_frame` has told it; the paper's does
                    not.
      ending:       what is not the paper's: heads, dueling streams, noisy layers.

    Source: Mnih et al. 2015, Methods, Model architecture.
    """

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
        ending: Ending = PLAIN,
    ) -> None:
        super().__init__()
        mean_frame = torch.zeros(frame_shape, dtype=torch.uint8) if subtract_mean_frame else None
        self.register_buffer("mean_frame", mean_frame)
        self.conv1 = PixelConvolution(frame_stack, 32, kernel_size=8, stride=4)
        self.conv2 = Convolution(32, 64, kernel_size=4, stride=2)
        self.conv3 = Convolution(64, 64, kernel_size=3, stride=1)
        height, width = frame_shape
        for layer in self.convolutions:
            height, width = layer.size_after(height), layer.size_after(width)
        self.add_layers(64 * height * width, num_actions, hidden_sizes, layer_norm=layer_norm, ending=ending)

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """In their order."""
        return self.conv1, self.conv2, self.conv3

    def set_mean_frame(self, mean_frame: Tensor) -> None:
        """Say what the games look like on average: [H, W], pixels of 0 to 255; rounded.

        What stands still and is bright would else drown small things that move: the sums of the first layer, and its
        gradients, would be of the background.
        """
        assert self.mean_frame is not None, "the network was built without subtract_mean_frame"
        self.mean_frame.copy_(mean_frame.round())

    def features(self, obs: Tensor) -> Tensor:
        """See `QNetwork`, whose `forward` goes on with the 512 hidden units and one value per action.

        The last ReLU comes after the flattening, so that its gradient is masked in one pass over memory.
        """
        x = F.relu_(self.conv1(obs, self.mean_frame))  # [B, 4, 84, 84] uint8, scaled -> [B, 32, 20, 20]
        x = F.relu_(self.conv2(x))  # -> [B, 64, 9, 9]
        return F.relu_(self.conv3(x).flatten(1))  # -> [B, 64, 7, 7] -> [B, 3136]
