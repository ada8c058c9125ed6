"""Scores of whole games, counted from raw rewards: never from lives, never from clipped rewards."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from atari_dqn.types import Step


class Episode(NamedTuple):
    """One finished game."""

    env: int  # which environment played it
    episode_return: float  # raw score
    episode_length: int  # agent steps


class EpisodeTracker:
    """Adds up the rewards of N games and hands out each game when it has finished."""

    def __init__(self, num_envs: int) -> None:
        self.episode_return = np.zeros(num_envs, np.float64)
        self.episode_length = np.zeros(num_envs, np.int64)

    def update(self, step: Step, first: int = 0) -> list[Episode]:
        """Count one step of the environments from `first` on; returns the games that it finished."""
        these = slice(first, first + len(step.reward))
        episodes: list[Episode] = []
        opens, ends = step.started.any(), step.finished.any()  # seldom
        if opens and ends:  # an end that only showed when the next game had opened
            episodes = self._report(step.finished & step.started, first)
        if opens:
            self.episode_return[these][step.started] = 0.0
            self.episode_length[these][step.started] = 0
        self.episode_return[these] += step.reward
        self.episode_length[these] += ~step.started
        return episodes + self._report(step.finished & ~step.started, first) if ends else episodes

    def _report(self, finished: np.ndarray, first: int) -> list[Episode]:
        return [
            Episode(int(env), float(self.episode_return[env]), int(self.episode_length[env]))
            for env in first + np.flatnonzero(finished)
        ]

    def state_dict(self) -> dict[str, Any]:
        return {
            "episode_return": self.episode_return.copy(),
            "episode_length": self.episode_length.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.episode_return = np.array(state["episode_return"], np.float64)
        self.episode_length = np.array(state["episode_length"], np.int64)
