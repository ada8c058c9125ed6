"""The network of the first DQN paper: a third of the arithmetic of the one of 2015, for processors.

    [B, 4, 84, 84] uint8 -> /255 -> 16 @ 8x8/4 -> 32 @ 4x4/2 -> 2592 -> 256 -> A      (Mnih et al. 2013)

It sees what the other sees, and gives the same values per action.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from atari_dqn.networks.convolutions import Convolution, PixelConvolution
from atari_dqn.networks.nature_cnn import NatureCNN


class NipsCNN(NatureCNN):
    """The Q-network of Mnih et al. 2013; arguments and `mean_frame` as in `NatureCNN`, its `hidden_sizes` were (256,).

    Source: Mnih et al. 2013, Playing Atari with deep reinforcement learning, section 4.1.
    """

    def add_convolutions(self, frame_stack: int) -> None:
        """See `NatureCNN`."""
        self.conv1 = PixelConvolution(frame_stack, 16, kernel_size=8, stride=4)
        self.conv2 = Convolution(16, 32, kernel_size=4, stride=2)

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """In their order."""
        return self.conv1, self.conv2

    def features(self, obs: Tensor) -> Tensor:
        """See `QNetwork`."""
        x = F.relu_(self.conv1(obs, self.mean_frame))  # [B, 4, 84, 84] uint8, scaled -> [B, 16, 20, 20]
        return F.relu_(self.conv2(x).flatten(1))  # -> [B, 32, 9, 9] -> [B, 2592]
