"""What is counted while a run plays: scores of whole episodes, and how fast it goes.

Scores come from raw rewards: never from lives, never from clipped rewards.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from atari_dqn.types import EpisodeScore, Step


class EpisodeTracker:
    """Adds up the rewards of N environments and hands out each episode when it has finished."""

    def __init__(self, num_envs: int) -> None:
        self.episode_return = np.zeros(num_envs, np.float64)
        self.episode_length = np.zeros(num_envs, np.int64)

    def update(self, step: Step, first: int = 0) -> list[EpisodeScore]:
        """Count one step of the environments from `first` on; returns the episodes that it finished."""
        these = slice(first, first + len(step.reward))
        episodes: list[EpisodeScore] = []
        opens, ends = step.started.any(), step.finished.any()  # seldom
        if opens and ends:  # an end that only showed when the next episode had opened
            episodes = self._report(step.finished & step.started, first)
        if opens:
            self.episode_return[these][step.started] = 0.0
            self.episode_length[these][step.started] = 0
        self.episode_return[these] += step.reward
        self.episode_length[these] += ~step.started
        return episodes + self._report(step.finished & ~step.started, first) if ends else episodes

    def _report(self, finished: np.ndarray, first: int) -> list[EpisodeScore]:
        return [
            EpisodeScore(int(env), None, float(self.episode_return[env]), int(self.episode_length[env]))
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


class Speedometer:
    """Rates of a run's counters.

    Args:
      frames_per_step: emulator frames of an agent step.
    """

    def __init__(self, frames_per_step: int) -> None:
        self.frames_per_step = frames_per_step
        self.start(0, 0)

    def start(self, step: int, updates: int) -> None:
        """Measure from here: `step` agent steps and `updates` optimizer steps so far."""
        self._since, self._step, self._updates = time.monotonic(), step, updates

    def leave_out(self, seconds: float) -> None:
        """Time that was spent on something else."""
        self._since += seconds

    def read(self, step: int, updates: int) -> dict[str, float]:
        """Rates since the last reading, for the logger."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        steps_per_second = (step - self._step) / seconds
        updates_per_second = (updates - self._updates) / seconds
        self.start(step, updates)
        return {
            "time/steps_per_second": steps_per_second,
            "time/frames_per_second": steps_per_second * self.frames_per_step,
            "time/updates_per_second": updates_per_second,
        }
