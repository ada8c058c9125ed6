"""Which transitions an update learns from: uniformly drawn ones (the paper), or the latest (its ablation).

A sampler works in two halves. `draw` chooses on the host, with the generator that makes runs repeatable; `batch` builds
the transitions where the learner is, and can be captured in a CUDA graph. Another sampler is one more class with these
methods; `extensions/priorities.py` has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.types import Transitions

# Updates whose minibatches are built together: few enough for the caches of a CPU, many for one launch on a GPU.
UPDATES_AT_ONCE = {"cpu": 4, "cuda": 64, "mps": 64}


class Sampler(Protocol):
    """What the learner asks of a sampler."""

    def draw(self, updates: int, step: int) -> Iterator[tuple[Tensor, ...]]:
        """Choose transitions for `updates` minibatches at an agent step; yields inputs of `batch`, on the host."""
        ...

    def batch(self, *drawn: Tensor) -> tuple[Transitions, Tensor | None]:
        """The transitions, one minibatch after the other, and the weights of their losses ([B] float32; None: all 1).

        Never waits for the device.
        """
        ...

    def update(self, surprise: Tensor) -> None:
        """Note `DQN.surprise`, [B] float32, of the newest `batch`. Never waits for the device."""
        ...

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class UniformSampler:
    """Uniform draws with replacement, anew for each update (D12). Source: Mnih et al. 2015, Algorithm 1.

    Args:
      replay:     what has been played.
      batch_size: transitions of an update.
      generator:  source of chance.
      window:     of an agent step: how many of the newest transitions are drawn from; None for all.
    """

    def __init__(
        self,
        replay: FrameReplay,
        batch_size: int,
        generator: np.random.Generator,
        window: Callable[[int], int | None] = lambda step: None,
    ) -> None:
        self.replay, self.batch_size, self.generator, self.window = replay, batch_size, generator, window

    def rows(self, updates: int, step: int) -> np.ndarray:
        """Rows of the replay, [updates * batch_size] int64."""
        return self.replay.learnable.random(updates * self.batch_size, self.generator, among=self.window(step))

    def draw(self, updates: int, step: int) -> Iterator[tuple[Tensor, ...]]:
        rows = self.rows(updates, step)
        at_once = UPDATES_AT_ONCE[self.replay.device.type] * self.batch_size
        for first in range(0, len(rows), at_once):
            yield self.replay.index_batch(rows[first : first + at_once])

    def batch(self, *drawn: Tensor) -> tuple[Transitions, Tensor | None]:
        return self.replay.gather(*drawn), None

    def update(self, surprise: Tensor) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class LatestSampler(UniformSampler):
    """The newest transitions in the order of play, each once: no replay."""

    def rows(self, updates: int, step: int) -> np.ndarray:
        return self.replay.learnable.newest(updates * self.batch_size)
