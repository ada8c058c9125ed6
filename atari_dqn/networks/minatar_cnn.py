"""The network of MinAtar: small pictures with channels, as they are, to Q-values.

    [B, 1, 10, 10, C] -> 16 @ 3x3/1 -> 1024 -> 128 -> A      (Young and Tian 2019)

Channels are whatever the game shows in them: one for each kind of object in MinAtar, colours in a picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from atari_dqn.errors import UsageError
from atari_dqn.networks.convolutions import PIXEL_SCALE, Convolution, compute_dtype
from atari_dqn.networks.heads import PLAIN, Ending, QNetwork


class MinAtarCNN(QNetwork):
    """The Q-network of Young and Tian 2019, for pictures of any size.

    Args:
      frame_stack:  K, pictures in one observation; their channels are put side by side.
      frame_shape:  (H, W, C), both sides 3 or more; those of MinAtar are (10, 10, C).
      num_actions:  A.
      hidden_sizes: units of the fully connected hidden layers; theirs are (128,).
      layer_norm:   see `fully_connected`; theirs has none.
      ending:       what is not theirs: heads, dueling streams, noisy layers.

    Raises:
      UsageError: the picture is smaller than the convolution.

    Source: Young and Tian 2019, MinAtar; a quarter of the filters and units of Mnih et al. 2015.
    """

    def __init__(
        self,
        frame_stack: int,
        frame_shape: tuple[int, int, int],
        num_actions: int,
        hidden_sizes: Sequence[int] = (128,),
        *,
        layer_norm: bool = False,
        ending: Ending = PLAIN,
    ) -> None:
        super().__init__()
        height, width, channels = frame_shape
        if min(height, width) < 3:
            raise UsageError(
                f"pictures are {height} x {width}; minatar_cnn takes 3 x 3 and more, bring your own network"
            )
        self.conv1 = Convolution(frame_stack * channels, 16, kernel_size=3)
        places = self.conv1.size_after(height) * self.conv1.size_after(width)
        self.add_layers(16 * places, num_actions, hidden_sizes, layer_norm=layer_norm, ending=ending)

    def features(self, obs: Tensor) -> Tensor:
        """See `QNetwork`: [B, K, H, W, C] bool, float32 in [0, 1], or uint8, which is scaled to that -> [B, F]."""
        x = obs.permute(0, 1, 4, 2, 3).flatten(1, 2).to(compute_dtype(self.conv1.weight))  # [B, K * C, H, W]
        if obs.dtype == torch.uint8:
            x = x * PIXEL_SCALE
        return F.relu_(self.conv1(x).flatten(1))
