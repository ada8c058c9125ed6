"""Prioritized replay among candidates: transitions with a large TD error are learned from more often.

A tree of all priorities is not needed: a few times more candidates than a minibatch wants are drawn uniformly, and of
those the minibatch is chosen. All of it is arithmetic on tensors, so on a GPU it is part of the learner's graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.frames import FrameRing
from atari_dqn.types import Transitions

CANDIDATES = 4  # for each transition that is chosen; so many times more often than by chance at the most
LARGEST = 1.0  # error that counts; also that of a transition not yet learned from
SMALLEST = 0.01  # added, so that one without an error is still seen


class Priorities:
    """The newest |TD error| of each row of a replay.

    Args:
      num_rows:   rows.
      device:     where the learner is.
      beta:       importance-sampling exponent in [0, 1]: 0 corrects nothing, 1 all of the bias.

    Attributes:
      alpha: exponent of the priorities, a tensor without dimensions, to be filled: 0 chooses uniformly, 1 in proportion
        to the error.

    Source: Schaul et al. 2016, Prioritized experience replay, eq. 1 and section 3.4.
    """

    def __init__(self, num_rows: int, device: torch.device | str, *, beta: float) -> None:
        self.alpha, self.beta = torch.zeros((), device=device), beta
        self.error = torch.full((num_rows,), LARGEST, device=device)
        self.newest = -1  # time of the replay's last frame when `forget_overwritten` was last called

    def forget_overwritten(self, ring: FrameRing) -> None:
        """What has been played since the last call lies in the rows of older transitions; those are gone."""
        for time in range(max(self.newest + 1, ring.times[0]), ring.time + 1):
            self.error[ring.rows_at(time)] = LARGEST
        self.newest = ring.time

    def choose(self, rows: Tensor, noise: Tensor, minibatches: int) -> tuple[Tensor, Tensor]:
        """Pick one in `CANDIDATES` without replacement, and deal them out to the minibatches in turn.

        Args:
          rows:        [M] int64, candidates drawn uniformly.
          noise:       [M] float32, independent draws from the Gumbel distribution.
          minibatches: how many the M / CANDIDATES transitions make; they divide them.

        Returns:
          Places among the candidates, [M / CANDIDATES] int64, one minibatch after the other, and the weights of their
          losses, float32 with mean 1.

        Source: P(i) = p_i**alpha / sum_k p_k**alpha; w_i = (N P(i))**-beta, here over the candidates. The largest sums
          of log P(i) and Gumbel noise are a draw from P without replacement (Kool et al. 2019, section 2.3).
        """
        log_chance = self.alpha * torch.log(self.error[rows] + SMALLEST)
        places = (log_chance + noise).topk(len(rows) // CANDIDATES).indices
        places = places.view(-1, minibatches).T.flatten()
        log_chance = log_chance - log_chance.logsumexp(0)
        weights = torch.exp(-self.beta * log_chance[places])
        return places, weights / weights.mean()

    def learned(self, rows: Tensor, error: Tensor) -> None:
        """Note the TD errors, [B] float32, of the transitions at `rows`, [B] int64; the largest where one is repeated.

        (On a GPU, which of several values is written last is chance.)
        """
        self.error.index_fill_(0, rows, 0.0)  # an assignment would copy a number from the host
        self.error.scatter_reduce_(0, rows, error.abs().clamp(max=LARGEST), "amax")

    def state_dict(self) -> dict[str, Any]:
        return {"error": self.error, "newest": self.newest}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.error.copy_(torch.as_tensor(state["error"]))
        self.newest = state["newest"]


class Candidates(Protocol):
    """Draws the rows that are chosen from; `samplers.UniformSampler` is one."""

    batch_size: int
    generator: np.random.Generator

    def rows(self, updates: int, step: int) -> np.ndarray: ...


class PrioritizedSampler:
    """Minibatches chosen by priority among uniform candidates; see `samplers.Sampler`.

    Args:
      replay:     what has been played, with its frames beside the learner.
      candidates: draws rows uniformly.
      alpha:      at an agent step, see `Priorities`.
      beta:       see `Priorities`.
      at_once:    updates whose minibatches are built together.
    """

    def __init__(
        self,
        replay: FrameReplay,
        candidates: Candidates,
        *,
        alpha: Callable[[int], float],
        beta: float,
        at_once: int,
    ) -> None:
        self.replay, self.candidates, self.alpha, self.at_once = replay, candidates, alpha, at_once
        self.priorities = Priorities(replay.ring.num_rows, replay.device, beta=beta)
        self._chosen: Tensor  # rows of the newest `batch`

    def draw(self, updates: int, step: int) -> Iterator[tuple[Tensor, ...]]:
        rows = self.candidates.rows(updates * CANDIDATES, step)
        self.priorities.alpha.fill_(self.alpha(step))
        self.priorities.forget_overwritten(self.replay.ring)
        noise = torch.from_numpy(self.candidates.generator.gumbel(size=len(rows)).astype(np.float32))
        at_once = self.at_once * self.candidates.batch_size * CANDIDATES
        for first in range(0, len(rows), at_once):
            part = slice(first, first + at_once)
            yield (*self.replay.index_batch(rows[part]), torch.from_numpy(rows[part]), noise[part])

    def batch(self, *drawn: Tensor) -> tuple[Transitions, Tensor | None]:
        *index, rows, noise = drawn
        places, weights = self.priorities.choose(rows, noise, len(rows) // (CANDIDATES * self.candidates.batch_size))
        self._chosen = rows[places]
        return self.replay.gather(*(column[places] for column in index)), weights

    def update(self, surprise: Tensor) -> None:
        self.priorities.learned(self._chosen, surprise)

    def state_dict(self) -> dict[str, Any]:
        return self.priorities.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.priorities.load_state_dict(state)
