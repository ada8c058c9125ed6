"""Dead units: those that are 0 whatever the network sees, so that no gradient reaches them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from atari_dqn.networks.convolutions import Convolution
from atari_dqn.networks.minatar_cnn import MinAtarCNN
from atari_dqn.networks.nature_cnn import NatureCNN


@torch.no_grad()
def dead_units(model: nn.Module, obs: Tensor) -> dict[str, float]:
    """Share of the units of each ReLU that are 0 for every observation; the network is left as it is.

    A unit of a convolution is a channel: 0 at every place. Of a network of one's own, only modules `nn.ReLU` are seen.

    Args:
      model: the network.
      obs:   [B, K, ...], what it is asked about.

    Returns:
      In [0, 1] by the name of the layer: `conv1` and so on, and the names of the `nn.ReLU` modules.

    Source: Sokar et al. 2023, The dormant neuron phenomenon in deep reinforcement learning, definition 3.1, tau = 0.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda module, inputs, output: outputs.update({name: output})

    ours = isinstance(model, NatureCNN | MinAtarCNN)  # whose ReLUs are no modules
    seen = (nn.ReLU, Convolution) if ours else (nn.ReLU,)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, seen)}
    hooks = [module.register_forward_hook(keep(name)) for name, module in layers.items()]
    try:
        model(obs)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _share_dead(output) for name, output in outputs.items()}


def _share_dead(output: Tensor) -> float:
    """[B, units] or [B, units, H, W], after the ReLU or before it."""
    largest = output.amax(dim=(0, 2, 3)) if output.dim() == 4 else output.flatten(0, -2).amax(dim=0)
    return (largest <= 0).float().mean().item()
