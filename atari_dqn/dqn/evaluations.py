"""The evaluations of a run: when the next one is due, and what the newest and the best of them were."""

from __future__ import annotations

import math
from typing import Any

from atari_dqn.config import Config
from atari_dqn.dqn.schedules import crossings

REMEMBERED = ("evaluated_at", "evaluated_episodes", "best_score", "best_step", "last_score")


class Evaluations:
    """When to evaluate, and with what result so far.

    Attributes:
      evaluated_at:       agent step of the newest evaluation; 0 before the first.
      evaluated_episodes: episodes of training that had finished then.
      last_score:         mean return of the newest evaluation; None before the first.
      best_score:         of the best one; minus infinity before the first.
      best_step:          agent step of the best one; -1 before the first.

    Args:
      config: its `evaluation`, and how long the run is.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.evaluated_at, self.evaluated_episodes = 0, 0
        self.last_score: float | None = None
        self.best_score, self.best_step = -math.inf, -1

    def is_due(self, step: int, episodes: int) -> bool:
        """Is one due after so many agent steps and finished episodes?"""
        settings = self.config.evaluation
        if not (settings.eval_period or settings.eval_period_episodes):
            return False
        if self.early_is_due(step):
            return True
        if self.config.is_over(step, episodes) and self.evaluated_at < step:
            return True  # the end of a run is always evaluated
        if settings.eval_period_episodes:
            return crossings(self.evaluated_episodes, episodes, settings.eval_period_episodes) > 0
        return crossings(self.evaluated_at, step, settings.eval_period) > 0

    def early_is_due(self, step: int) -> bool:
        """Is one due that `eval_early_steps` asks for, beside the period?"""
        since = -1 if self.last_score is None else self.evaluated_at  # the one of step 0 is due until there was one
        return any(since < due <= step for due in self.config.evaluation.eval_early_steps)

    def note(self, step: int, episodes: int, score: float) -> bool:
        """Remember the mean return of the evaluation at `step`. Is it the best so far?"""
        self.evaluated_at, self.evaluated_episodes, self.last_score = step, episodes, score
        is_best = score > self.best_score
        if is_best:
            self.best_score, self.best_step = score, step
        return is_best

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in REMEMBERED}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in REMEMBERED:
            setattr(self, name, state[name])
