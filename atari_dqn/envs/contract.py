"""What every backend checks: actions before they are sent, and the order of calls."""

from __future__ import annotations

import numpy as np

from atari_dqn.errors import UsageError
from atari_dqn.types import EnvSpec


def checked_action(action: np.ndarray, num_envs: int, spec: EnvSpec) -> np.ndarray:
    """`action` as [N] int64.

    Raises:
      UsageError: another shape, not integers, or outside [0, num_actions).
    """
    action = np.asarray(action)
    if action.shape != (num_envs,) or not np.issubdtype(action.dtype, np.integer):
        raise UsageError(f"actions must be {num_envs} integers, got {action.dtype} of shape {action.shape}")
    wrong = (action < 0) | (action >= spec.num_actions)
    if wrong.any():
        env = int(np.flatnonzero(wrong)[0])
        raise UsageError(
            f"action {action[env]} of environment {env} is outside [0, {spec.num_actions}), the actions of {spec.game}"
        )
    return action.astype(np.int64, copy=False)


class Turns:
    """`reset` first, then `send` and `recv` in turns.

    Raises (all methods):
      RuntimeError: a call out of turn, which would wait for ever or mix up steps.
    """

    def __init__(self) -> None:
        self._state = "new"

    def reset(self) -> None:
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
