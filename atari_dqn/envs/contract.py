"""What all backends share: checks of actions and of the order of calls, first steps, action logs."""

from __future__ import annotations

from collections.abc import Callable

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


class ActionLog:
    """Actions of every sub-environment since its last seed, as one growing [T, N] uint8 table."""

    def __init__(self, num_envs: int) -> None:
        self.table = np.zeros((1024, num_envs), np.uint8)
        self.used = 0
        self.begin = np.zeros(num_envs, np.int64)  # first row that belongs to the current seed

    def append(self, action: np.ndarray) -> None:
        if self.used == len(self.table):
            self.compact()
            if self.used > len(self.table) // 2:
                self.table = np.concatenate([self.table, np.zeros_like(self.table)])
        self.table[self.used] = action
        self.used += 1

    def forget_newest(self) -> None:
        """As if the last action had not been sent."""
        self.used -= 1

    def lengths(self) -> np.ndarray:
        return self.used - self.begin

    def forget(self, mask: np.ndarray) -> None:
        self.begin[mask] = self.used

    def compact(self) -> tuple[np.ndarray, np.ndarray]:
        """Drop rows that nobody needs; returns copies of the rest and of where each log begins in it."""
        first = int(self.begin.min())
        if first:
            self.table[: self.used - first] = self.table[first : self.used]
            self.used -= first
            self.begin -= first
        return self.table[: self.used].copy(), self.begin.copy()


def play_logs(envs: VecEnv, log: np.ndarray, begin: np.ndarray, join: Callable[[np.ndarray], None]) -> None:
    """Play what `ActionLog.compact` gave again, so that all games end at the same vector step.

    Args:
      envs:  just reset.
      log:   [T, N] uint8 actions.
      begin: [N] row of each game's first action; those of 0 are seeded already.
      join:  seeds the games of a mask [N], whose logs begin now; what they played before was another seed's.
    """
    for time in range(len(log) + 1):
        joining = begin == time
        if time and joining.any():
            join(joining)
        if time < len(log):
            envs.send(log[time].astype(np.int64))
            envs.recv()
