"""Epsilon-greedy exploration: one coin for each environment; a random action may be held for several steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LONGEST_HOLD = 10_000  # agent steps


class EpsilonGreedy:
    """Epsilon-greedy for N environments, at wish with actions that are held in every second one.

    A held action reaches what single random steps do not: Freeway's first reward is some forty steps in one direction
    away. Its length n is drawn with a chance in proportion to 1 / n^2, so most are of one step and a few are long. The
    other environments explore step by step, which finds the first rewards of Pong and Breakout twice as often. A run
    holds in its warm-up only: the network learns from these episodes that there are rewards, and Pong learned later
    where epsilon fell with actions held.

    With a `ladder` s above 1 some environments explore more than others: the i-th with epsilon ** k, where k goes from
    1 / s to s. At s = 2 and epsilon 0.05 that is 0.22 for the first and 0.0025 for the last, 0.05 on average. So the
    replay holds what a player sees who makes no mistake, and how to go on after many.

    Sources: Mnih et al. 2015, Algorithm 1; Dabney, Ostrovski, Barreto 2021, Temporally-Extended epsilon-Greedy
    Exploration, algorithm 1 with the zeta distribution, mu = 2; Horgan et al. 2018, Distributed prioritized experience
    replay, section 4.1 (powers of epsilon).

    Args:
      num_envs:    N.
      num_actions: A.
      generator:   source of chance; part of the state.
      schedule:    epsilon at an agent step.
      ladder:      s, at least 1.
      hold_until:  actions may be held before this agent step; 0: never.
    """

    def __init__(
        self,
        num_envs: int,
        num_actions: int,
        generator: np.random.Generator,
        *,
        schedule: Callable[[int], float],
        ladder: float = 1.0,
        hold_until: int = 0,
    ) -> None:
        self.num_actions, self.generator = num_actions, generator
        self.schedule, self.hold_until = schedule, hold_until
        self.power = np.linspace(1.0 / ladder, ladder, num_envs) if ladder > 1.0 else None  # all alike
        self.held = np.zeros(num_envs, np.int64)  # action
        self.left = np.zeros(num_envs, np.int64)  # agent steps for which it is still to be held

    def act(self, step: int, *, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Who explores at an agent step, and how; see `draw`."""
        return self.draw(self.schedule(step), first=first, count=count, hold=step < self.hold_until)

    def draw(self, epsilon: float, *, first: int, count: int, hold: bool) -> tuple[np.ndarray, np.ndarray]:
        """Who explores now, and how.

        Args:
          epsilon: chance that an environment begins to explore.
          first:   the first of the environments that are to act.
          count:   their number, n.
          hold:    actions drawn now may be held, where an environment's number is even; else all that are held end.

        Returns:
          explores [n] bool, and the action of those that do, [n] int64.
        """
        chance = epsilon if self.power is None else epsilon ** self.power[first : first + count]
        explores = self.generator.random(count) < chance
        action = self.generator.integers(self.num_actions, size=count)
        if not hold:
            self.left[first : first + count] = 0
            return explores, action
        held, left = self.held[first : first + count], self.left[first : first + count]  # views
        begins = explores & (left == 0)
        length = np.minimum(self.generator.zipf(2.0, size=count), LONGEST_HOLD)
        length[(first + np.arange(count)) % 2 == 1] = 1
        held[begins], left[begins] = action[begins], length[begins]
        explores = left > 0
        left[explores] -= 1
        return explores, held.copy()

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.bit_generator.state, "held": self.held.copy(), "left": self.left.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.bit_generator.state = state["generator"]
        self.held[:], self.left[:] = state["held"], state["left"]
