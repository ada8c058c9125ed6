"""`atari-dqn train` with the initial weights of nnabla-rl, to tell what of a distance to its curves is due to them.

The paper's code and ours draw weights and biases uniformly in +-1/sqrt(fan_in), as Torch 7 did. nnabla-rl, whose curves
`learning_curve.py` compares with, has the paper's other settings, but normal weights of six times that variance,
2 / fan_in, and no biases (He et al. 2015).

    python benchmarks/as_nnabla.py train pong --preset nature [train flags...]
"""

from __future__ import annotations

import math
import sys

import torch
from torch import nn

from atari_dqn.cli import main
from atari_dqn.networks import nature_cnn as model


@torch.no_grad()
def he_normal(network: nn.Module, generator: torch.Generator) -> None:
    """Weights normal with variance 2 / fan_in, biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.weight.normal_(0.0, math.sqrt(2.0 / layer.weight[0].numel()), generator=generator)
            layer.bias.zero_()


if __name__ == "__main__":
    model.initialize = he_normal
    sys.exit(main())
