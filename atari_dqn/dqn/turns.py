"""Whose turn it is to play: actions are chosen for one group of environments, and the others play meanwhile.

    ask -> send -> (the group plays) -> envs.recv -> follow

One group of all environments is the usual case: then each vector step is one turn.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.opening_actions import opening_actions
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.types import Step, VecEnv


class Turns:
    """Acts for groups of environments in turns.

    Attributes:
      pending_actions: of the groups that play now, in the order of `send`.
      openings:        actions that are played whatever the agent chooses.

    Args:
      config: the settings, `device` resolved.
      envs:   where the games are played.
      agent:  chooses, and explores.
      replay: has the newest observations.
    """

    def __init__(self, config: Config, envs: VecEnv, agent: Agent, replay: FrameReplay) -> None:
        self.config, self.envs, self.replay = config, envs, replay
        self.exploration, self.actor = agent.exploration, agent.actor(replay.observations)
        self.pending_actions: deque[np.ndarray] = deque()
        self.openings = opening_actions(config, envs.spec, config.env.num_envs, training=True)

    @property
    def waiting(self) -> int:
        """Groups that do not play."""
        return self.config.env.env_groups - len(self.pending_actions)

    @property
    def can_be_saved(self) -> bool:
        """Also where a game has just broken: not if other groups are within their steps, too."""
        return self.config.env.env_groups == 1 or self.waiting > 0

    def ask(self, step: int) -> None:
        """Begin to choose actions for the group whose turn it is, `step` agent steps into the run."""
        seen = self.replay.newest(back=self.waiting - 1)
        self.actor.ask(seen, self.exploration.act(step, first=self._first_to_act(step), count=len(seen)))

    def send(self, step: int) -> None:
        """Wait for the actions, and let the group play them."""
        action = self.openings.impose(self.actor.answer(), first=self._first_to_act(step))
        self.envs.send(action)
        self.pending_actions.append(action)

    def _first_to_act(self, step: int) -> int:
        """Number of the first environment of the group whose turn it is."""
        return (step + len(self.pending_actions) * self.config.envs_at_once) % self.config.env.num_envs

    def follow(self, result: Step, step: int) -> int:
        """Take note of what a turn led to.

        Args:
          result: of the group that has played.
          step:   agent steps of the run, this turn's included.

        Returns:
          Number of the group's first environment.
        """
        first = (step - self.config.envs_at_once) % self.config.env.num_envs
        self.openings.follow(result, first=first)
        return first

    def state_dict(self) -> dict[str, Any]:
        return {"answers": list(self.pending_actions), "openings": self.openings.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, with environments whose state was loaded before."""
        self.pending_actions.extend(state["answers"])
        if not self.waiting:  # a game broke while it answered this one
            self.envs.send(self.pending_actions[-1])
        if "openings" in state:  # older checkpoints are of runs without any
            self.openings.load_state_dict(state["openings"])
