"""Prioritized replay as in its paper: each transition's chance is exactly proportional to its priority.

Leaf of the tree: the place of a transition in `SampleIndex.ring`, so what is evicted and what is appended is known
from two counters.

    follow(learnable)       before a draw: new transitions get the largest priority so far, evicted ones 0
    draw(unit)              leaves and the weights of their losses; the rows are `learnable.ring[leaves]`
    learned(leaves, error)  after their update

`draw` and `learned` are arithmetic on tensors, so they can be captured in a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from atari_dqn.extensions.sum_tree import SumTree
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.index import SampleIndex
from atari_dqn.types import Transitions

SMALLEST = 1e-6  # added to each |TD error|, so that none is 0


def importance_weights(priority: Tensor, beta: Tensor | float) -> Tensor:
    """Weights of the losses, which take away the bias of drawing some transitions more often than others.

    Args:
      priority:   [U, B] float64 > 0, p_i**alpha of what was drawn for U minibatches.
      beta:       importance-sampling exponent in [0, 1]: 0 corrects nothing, 1 all of the bias.

    Returns:
      [U, B] float64 in (0, 1]; the largest of each minibatch is 1.

    Source: Schaul et al. 2016, section 3.4 and Algorithm 1.   w_i = (N P(i))**-beta / max_j w_j, j in the same
      minibatch; N and the sum in P(i) = p_i**alpha / sum_k p_k**alpha cancel.
    """
    return (priority.amin(dim=1, keepdim=True) / priority).pow(beta)


class ProportionalPriorities:
    """Proportional prioritization of the transitions in a replay.

    Args:
      capacity: most transitions at once: the length of `SampleIndex.ring`.
      device:   where draws are.
      alpha:    exponent of the priorities, >= 0; 0 is uniform, 1 proportional to the error.

    Attributes:
      beta: of `importance_weights`, a tensor without dimensions, to be filled.

    Source: Schaul et al. 2016, Prioritized experience replay, Algorithm 1, eq. 1, sections 3.3 and 3.4.
    """

    def __init__(self, capacity: int, device: torch.device | str, *, alpha: float) -> None:
        self.tree, self.alpha = SumTree(capacity, device), alpha
        self.beta = torch.zeros((), device=device)
        self.largest = torch.ones((), device=device)  # error so far; 1 before the first
        self.first, self.end = 0, 0  # of `SampleIndex` at the last `follow`

    def follow(self, learnable: SampleIndex) -> None:
        """Take in what was appended and evicted since the last call."""
        capacity = self.tree.num_leaves
        assert len(learnable.ring) == capacity
        appended = np.arange(max(self.end, learnable.first), learnable.end)
        evicted = np.arange(self.first, min(self.end, learnable.first))
        self.note(appended % capacity, evicted % capacity)
        self.first, self.end = learnable.first, learnable.end

    def note(self, appended: np.ndarray, evicted: np.ndarray) -> None:
        """Leaves, [n] and [m] int64, of new transitions and of those that are gone; one in both is of a new one."""
        leaves = torch.from_numpy(np.concatenate([appended, evicted])).to(self.largest.device)
        priority = self.largest.pow(self.alpha).expand(len(appended))
        self.tree.set(leaves, torch.cat([priority, priority.new_zeros(len(evicted))]))

    def draw(self, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Minibatches, one transition from each of B equal parts of all priorities.

        Args:
          unit: [U, B] float64, uniform in [0, 1), for U minibatches of B.

        Returns:
          Leaves, [U * B] int64, one minibatch after the other; weights of their losses, [U * B] float32, in (0, 1].

        Source: P(i) = p_i**alpha / sum_k p_k**alpha. Strata: appendix B.2.1.
        """
        size = unit.shape[1]
        strata = (torch.arange(size, device=unit.device) + unit) / size
        leaves = self.tree.draw(strata.flatten())
        weights = importance_weights(self.tree.values(leaves).view(unit.shape), self.beta)
        return leaves, weights.flatten().float()

    def learned(self, leaves: Tensor, error: Tensor) -> None:
        """Note how wrong the network was; what was evicted since the draw stays so.

        Args:
          leaves: [B] int64, from `draw`; of a repeated one the largest error counts.
          error:  [B] float32, TD errors, or what else the head calls `surprise`.
        """
        error = error.abs() + SMALLEST
        self.largest.copy_(torch.fmax(self.largest, error.amax()))
        is_live = self.tree.values(leaves) > 0.0
        self.tree.set(leaves, error.pow(self.alpha) * is_live)

    def state_dict(self) -> dict[str, Any]:
        return {**self.tree.state_dict(), "largest": self.largest, "first": self.first, "end": self.end}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, with the replay of that time."""
        self.tree.load_state_dict(state)
        self.largest.copy_(torch.as_tensor(state["largest"]))
        self.first, self.end = int(state["first"]), int(state["end"])


class ProportionalSampler:
    """Minibatches drawn in proportion to priorities; see `samplers.Sampler`.

    All minibatches of one call are drawn by the priorities that stand before it: with 64 games side by side those of 16
    updates. The drawn rows go to the host, which waits for the device.

    Args:
      replay:     what has been played.
      batch_size: transitions of an update.
      generator:  source of chance.
      alpha:      see `ProportionalPriorities`.
      beta:       at an agent step, see `importance_weights`.
      at_once:    updates whose minibatches are built together.
    """

    def __init__(
        self,
        replay: FrameReplay,
        batch_size: int,
        generator: np.random.Generator,
        *,
        alpha: float,
        beta: Callable[[int], float],
        at_once: int,
    ) -> None:
        self.replay, self.batch_size, self.generator = replay, batch_size, generator
        self.beta, self.at_once = beta, at_once
        self.priorities = ProportionalPriorities(len(replay.learnable.ring), replay.device, alpha=alpha)
        self._leaves: Tensor  # of the newest `batch`

    def draw(self, updates: int, step: int) -> Iterator[tuple[Tensor, ...]]:
        self.priorities.follow(self.replay.learnable)
        self.priorities.beta.fill_(self.beta(step))
        unit = torch.from_numpy(self.generator.random((updates, self.batch_size)))
        leaves, weights = self.priorities.draw(unit.to(self.replay.device))
        rows = self.replay.learnable.ring[leaves.cpu().numpy()].astype(np.int64)
        at_once = self.at_once * self.batch_size
        for first in range(0, len(rows), at_once):
            part = slice(first, first + at_once)
            yield (*self.replay.index_batch(rows[part]), leaves[part], weights[part])

    def batch(self, *drawn: Tensor) -> tuple[Transitions, Tensor | None]:
        *index, self._leaves, weights = drawn
        return self.replay.gather(*index), weights

    def update(self, surprise: Tensor) -> None:
        self.priorities.learned(self._leaves, surprise)

    def state_dict(self) -> dict[str, Any]:
        return self.priorities.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.priorities.load_state_dict(state)
