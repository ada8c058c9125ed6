"""Actions that are played whatever the network says: when an episode opens, and after a lost life.

The wrappers of OpenAI Baselines press fire for the player (`FireResetEnv`) and answer a lost life with a no-op
(`EpisodicLifeEnv`). Here these are actions of the agent: the replay holds them, so what is learned from is true.

    row            1        2       3     ...   40            41      42      43
    what happened  opened                       life lost
    action         fire     right   free        noop          fire    right   free
"""

from __future__ import annotations

from typing import Any

import numpy as np

from atari_dqn.config import Config
from atari_dqn.types import EnvSpec, Step

FREE = -1  # the agent chooses


class OpeningActions:
    """What N environments must play next, if anything.

    Args:
      num_envs:        N.
      after_opening:   actions from the first frame of an episode on.
      after_life_loss: actions from the frame on that shows a lost life; needs environments that report it.
    """

    def __init__(
        self, num_envs: int, after_opening: tuple[int, ...] = (), after_life_loss: tuple[int, ...] = ()
    ) -> None:
        self.after_opening, self.after_life_loss = after_opening, after_life_loss
        self.length = max(len(after_opening), len(after_life_loss))
        self.pending = np.full((num_envs, self.length), FREE, np.int64)  # the next one first
        self.pending[:, : len(after_opening)] = after_opening  # all environments begin with an opening

    def impose(self, action: np.ndarray, *, first: int = 0) -> np.ndarray:
        """The actions to play instead of `action`, [n] int64 each, for the environments from `first` on."""
        if not self.length:
            return action
        forced = self.pending[first : first + len(action), 0]
        return np.where(forced == FREE, action, forced)

    def follow(self, step: Step, *, first: int = 0) -> None:
        """Take note of what these actions led to."""
        if not self.length:
            return
        pending = self.pending[first : first + len(step.started)]  # a view
        pending[:, :-1], pending[:, -1] = pending[:, 1:], FREE
        life_lost = step.terminated & ~step.finished & ~step.started
        for here, actions in (
            (step.finished, ()),  # the next action is ignored
            (life_lost, self.after_life_loss),
            (step.started, self.after_opening),
        ):
            pending[here] = FREE
            pending[here, : len(actions)] = actions

    def state_dict(self) -> dict[str, Any]:
        return {"pending": self.pending.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pending[:] = state["pending"]


def opening_actions(config: Config, spec: EnvSpec, num_envs: int, *, training: bool) -> OpeningActions:
    """What a config asks for, in training or in an evaluation.

    Args:
      config:   its `fire_on_reset` and `noop_after_life_loss`; the latter is about training only.
      spec:     of the game: one without fire is not fired at.
      num_envs: N.
      training: or an evaluation?

    Source: stable-baselines3 `FireResetEnv` (fire, then action 2) and `EpisodicLifeEnv` (no-op after a lost life).
    """
    fires = config.env.fire_on_reset and "fire" in spec.action_names and spec.num_actions >= 3
    fire = (spec.action_names.index("fire"), 2) if fires else ()
    noop = (0,) if config.env.noop_after_life_loss and training else ()
    return OpeningActions(num_envs, fire, noop + fire)
