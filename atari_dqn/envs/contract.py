"""What all backends share: checks of actions and of the order of calls, first steps, the course of games."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from atari_dqn.errors import UsageError
from atari_dqn.types import EnvSpec, Step, VecEnv

SEED_LIMIT = 2**31  # ale-py takes seeds below it


def checked_action(action: np.ndarray, num_envs: int, spec: EnvSpec) -> np.ndarray:
    """`action` as [N] int64.

    Raises:
      UsageError: another shape, not integers, or outside [0, num_actions).
    """
    action = np.asarray(action)
    if action.shape != (num_envs,) or action.dtype.kind not in "iu":
        raise UsageError(f"actions must be {num_envs} integers, got {action.dtype} of shape {action.shape}")
    numbers = action.astype(np.int64, copy=False)
    if numbers.view(np.uint64).max() >= spec.num_actions:  # so read, a negative number is a large one
        env = int(np.flatnonzero(numbers.view(np.uint64) >= spec.num_actions)[0])
        raise UsageError(
            f"action {action[env]} of environment {env} is outside [0, {spec.num_actions}), the actions of {spec.game}"
        )
    return numbers


def checked_seeds(seeds: np.ndarray, count: int) -> np.ndarray:
    """A copy as [count] int64.

    Raises:
      UsageError: another shape, not integers, or outside [0, 2**31).
    """
    seeds = np.asarray(seeds)
    if seeds.shape != (count,) or not np.issubdtype(seeds.dtype, np.integer):
        raise UsageError(f"seeds must be {count} integers, got {seeds.dtype} of shape {seeds.shape}")
    if ((seeds < 0) | (seeds >= SEED_LIMIT)).any():
        raise UsageError(f"seeds must lie in [0, 2**31), got {seeds.tolist()}")
    return np.array(seeds, np.int64)


class Turns:
    """`reset` first, then `send` and `recv` in turns.

    Raises (all methods):
      RuntimeError: a call out of turn, which would wait for ever or mix up steps.
    """

    def __init__(self) -> None:
        self._state = "new"

    def reset(self) -> None:
        if self._state == "playing":  # ale-py would return garbage
            raise RuntimeError("reset() during a step: call recv() first")
        self._state = "idle"

    def send(self) -> None:
        if self._state == "new":
            raise RuntimeError("send() before reset(): reset the environments first")
        if self._state == "playing":
            raise RuntimeError("send() twice: call recv() for the step under way first")
        self._state = "playing"

    def recv(self) -> None:
        if self._state != "playing":
            raise RuntimeError("recv() without send(): there is no step under way")
        self._state = "idle"

    def check_idle(self) -> None:
        if self._state != "idle":
            raise RuntimeError("the state of environments can be taken after reset() or recv() only")


def first_step(frame: np.ndarray) -> Step:
    """The step that opens N games with these frames: reward 0, nothing ended."""
    num_envs = len(frame)
    return Step(
        frame=frame,
        reward=np.zeros(num_envs, np.float32),
        terminated=np.zeros(num_envs, bool),
        truncated=np.zeros(num_envs, bool),
        started=np.ones(num_envs, bool),
        finished=np.zeros(num_envs, bool),
    )


class Course:
    """What decides the course of N games: the seed of each, and its actions since, in one growing table.

    Args:
      seeds:        [N] int64, of the games that begin.
      reseed_after: agent steps after which a game is seeded afresh when its next episode opens; 0 for never.

    Attributes:
      seeds:     [N] int64.
      next_seed: [N] int64, of each game's next episode; -1: its random numbers go on.
    """

    def __init__(self, seeds: np.ndarray, reseed_after: int) -> None:
        self.seeds, self.reseed_after = seeds, reseed_after
        self.next_seed = np.full(len(seeds), -1, np.int64)
        self._fresh_seeds = np.random.default_rng(seeds)
        self._actions = np.zeros((1024, len(seeds)), np.uint8)
        self._played = 0  # rows of it
        self._begin = np.zeros(len(seeds), np.int64)  # first row of each game

    def append(self, action: np.ndarray) -> None:
        """All games play these, [N] int in [0, 256)."""
        if self._played == len(self._actions):
            self._compact()
            if self._played > len(self._actions) // 2:
                self._actions = np.concatenate([self._actions, np.zeros_like(self._actions)])
        self._actions[self._played] = action
        self._played += 1

    def seeded_among(self, opening: np.ndarray) -> np.ndarray:
        """Those of the games that open an episode ([N] bool) which begin it with a seed, given or fresh: [N] bool."""
        if self.reseed_after:
            self.seed_afresh(opening & (self.next_seed < 0) & (self._played - self._begin >= self.reseed_after))
        return opening & (self.next_seed >= 0)

    def seed_afresh(self, games: np.ndarray) -> None:
        """Give the next episodes of these games, [N] bool, a seed that follows from the first ones."""
        self.next_seed[games] = self._fresh_seeds.integers(2**31, size=games.sum())

    def begin(self, games: np.ndarray, seeds: np.ndarray) -> None:
        """These games, [N] bool, were seeded, and have played nothing since."""
        self.seeds[games] = seeds
        self.next_seed[games] = -1
        self._begin[games] = self._played

    def mark(self) -> tuple[Any, ...]:
        """For `take_back`."""
        return self.seeds.copy(), self.next_seed.copy(), self._begin.copy(), self._fresh_seeds.bit_generator.state

    def take_back(self, mark: tuple[Any, ...]) -> None:
        """As it was at the mark, and without the newest action."""
        self.seeds, self.next_seed, self._begin, self._fresh_seeds.bit_generator.state = mark
        self._played -= 1

    def state_dict(self) -> dict[str, Any]:
        """Copies."""
        self._compact()
        return {
            "seeds": self.seeds.copy(),
            "log": self._actions[: self._played].copy(),
            "begin": self._begin.copy(),
            "next_seed": self.next_seed.copy(),
            "fresh_seeds": self._fresh_seeds.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What the games do next, from `state_dict`, after `play_again`."""
        self.next_seed[:] = state["next_seed"]
        self._fresh_seeds.bit_generator.state = state["fresh_seeds"]

    def _compact(self) -> None:
        """Drop the rows that no game needs."""
        first = int(self._begin.min())
        if first:
            self._actions[: self._played - first] = self._actions[first : self._played]
            self._played -= first
            self._begin -= first


def play_again(envs: VecEnv, state: Mapping[str, Any], join: Callable[[np.ndarray], None]) -> None:
    """Play what `Course.state_dict` holds, so that all games end at the same vector step.

    Args:
      envs:  just reset with its seeds.
      state: `log`, [T, N] uint8 actions, and `begin`, [N] row of each game's first one.
      join:  seeds the games of a mask, [N] bool, whose logs begin now; what they played before was another seed's.
    """
    log, begin = state["log"], state["begin"]
    for time in range(len(log) + 1):
        joining = begin == time
        if time and joining.any():
            join(joining)
        if time < len(log):
            envs.send(log[time].astype(np.int64))
            envs.recv()
