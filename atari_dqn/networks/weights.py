"""Weights of any network as plain arrays, and from one network to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from atari_dqn.errors import UsageError


def get_weights(model: nn.Module) -> dict[str, np.ndarray]:
    """A copy of every weight and buffer, by its name (`hidden.0.weight`), on the host."""
    return {name: value.detach().cpu().clone().numpy() for name, value in model.state_dict().items()}


@torch.no_grad()
def set_weights(model: nn.Module, weights: Mapping[str, Any]) -> None:
    """Fill a network with what `get_weights` gave.

    Args:
      model:   keeps its device, its types and its place in memory.
      weights: arrays or tensors by name, of the network's shapes.

    Raises:
      UsageError: a name is missing or unknown, or a shape differs; nothing was changed.
    """
    mine = model.state_dict()
    given = {name: torch.as_tensor(value) for name, value in weights.items()}
    if odd := sorted(mine.keys() ^ given.keys()):
        raise UsageError(f"weights fit another network: {', '.join(odd)} stand on one side only")
    for name, value in given.items():
        if value.shape != mine[name].shape:
            raise UsageError(f"{name} has shape {tuple(value.shape)}, the network's is {tuple(mine[name].shape)}")
    for name, value in given.items():
        mine[name].copy_(value)


@torch.no_grad()
def sync_weights_to(model: nn.Module, other: nn.Module, decay: float = 0.0) -> None:
    """Bring another network of the same build towards this one; buffers are copied as they are.

    Args:
      model: source; unchanged.
      other: changed in place; may have other floating types.
      decay: part of its own weights that `other` keeps, in [0, 1]; 0 copies.

    Source: Lillicrap et al. 2016, Algorithm 1, with 1 - decay for tau.   other <- decay * other + (1 - decay) * model
    """
    if not 0.0 <= decay <= 1.0:
        raise UsageError(f"decay is {decay!r}; it must lie in [0, 1]")
    mine, theirs = list(model.parameters()), list(other.parameters())
    if decay == 0.0:
        _copy(mine, theirs)
    else:
        for source, target in zip(mine, theirs, strict=True):
            target.lerp_(source.to(target.dtype), 1.0 - decay)
    _copy(list(model.buffers()), list(other.buffers()))


def _copy(sources: Sequence[Tensor], targets: Sequence[Tensor]) -> None:
    if sources:
        torch._foreach_copy_(list(targets), list(sources))
