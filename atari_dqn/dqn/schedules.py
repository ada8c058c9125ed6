"""Schedules as pure functions of the agent step. No state, so nothing can get stuck or out of phase."""

from __future__ import annotations

from atari_dqn.config import Config


def linear(step: int, *, start: float, end: float, steps: int) -> float:
    """Value that moves from `start` (at step <= 0) to `end` (from step `steps` on) in a straight line.

    Args:
      step:  agent steps since the schedule began; negative means not begun.
      start: value at the beginning.
      end:   value after `steps`.
      steps: length, agent steps, >= 0; 0 means `end` at once.

    Source: Mnih et al. 2015, Methods: epsilon annealed linearly from 1 to 0.1.
    """
    if max(step, 0) >= steps:
        return end
    return start + max(step, 0) / steps * (end - start)


def geometric(times: int, *, start: float, end: float, factor: float) -> float:
    """`start` multiplied `times` times by `factor`, but never below `end`.

    Args:
      times:  multiplications so far; negative means not begun.
      start:  value at the beginning, at least `end`.
      end:    floor.
      factor: in [0, 1].
    """
    return max(end, start * factor ** max(times, 0))


def epsilon(config: Config, step: int) -> float:
    """Chance of a random action at an agent step: 1 in a random warm-up, then a linear or a geometric decay.

    Source: Mnih et al. 2015, Methods, Training details (linear).
    """
    exploration = config.exploration
    if exploration.random_warm_up:
        if step < config.replay.learning_starts:
            return 1.0
        if not exploration.epsilon_from_zero:
            step -= config.replay.learning_starts
    start, end = exploration.epsilon_start, exploration.epsilon_end
    if exploration.epsilon_decay_factor is not None:
        # multiplied, then acted: the first action has one multiplication behind it
        return geometric(step + 1, start=start, end=end, factor=exploration.epsilon_decay_factor)
    return linear(step, start=start, end=end, steps=exploration.epsilon_decay_steps)


def learning_rate(config: Config, step: int) -> float:
    """The optimizer's step size at an agent step: constant, or a linear decay that ends with the run."""
    return linear(
        step - config.replay.learning_starts,
        start=config.optimizer.learning_rate,
        end=config.optimizer.learning_rate * config.optimizer.learning_rate_end_ratio,
        steps=max(0, config.total_steps - config.replay.learning_starts),
    )


def n_step(config: Config, step: int) -> int:
    """Rewards summed before the bootstrap at an agent step: n_step, or its fall by equal factors to n_step_end.

    Many at first carry a reward back fast, few at the end are nearly right whatever policy played them.

    Source: Schwarzer et al. 2023, Bigger, Better, Faster, section 3 (from 10 to 3).
    """
    start, decay_steps = config.algorithm.n_step, config.extensions.n_step_decay_steps
    if decay_steps is None:
        return start
    part = linear(step - config.replay.learning_starts, start=0.0, end=1.0, steps=decay_steps)
    return round(start * (config.extensions.n_step_end / start) ** part)


def replay_window(config: Config, step: int) -> int | None:
    """How many of the newest transitions minibatches are drawn from: a share of what has been played, or None for all.

    Sums of several rewards are right only for the policy that played them, and early on a policy is soon out of date;
    later, when it changes slowly, more of the past is worth having.
    """
    extensions = config.extensions
    share = extensions.replay_window_fraction
    if extensions.replay_window_growth_steps is not None:
        returns_are_short = config.replay.learning_starts + (extensions.n_step_decay_steps or 0)
        share = linear(step - returns_are_short, start=share, end=1.0, steps=extensions.replay_window_growth_steps)
    if share == 1.0:
        return None
    return max(extensions.replay_window_min, int(share * step), 1)


def priority_alpha(config: Config, step: int) -> float:
    """The exponent of the priorities at an agent step: constant, or a linear fall to 0 from learning_starts on.

    What surprised the network is news at first; later it is what chance decides, and no learning takes that away.
    """
    alpha, decay_steps = config.extensions.priority_alpha, config.extensions.priority_decay_steps
    if decay_steps is None:
        return alpha
    return linear(step - config.replay.learning_starts, start=alpha, end=0.0, steps=decay_steps)


def priority_beta(config: Config, step: int) -> float:
    """Importance-sampling exponent beta at an agent step: a straight line that ends with the run.

    Source: Schaul et al. 2016, section 3.4.
    """
    return linear(
        step - config.replay.learning_starts,
        start=config.extensions.priority_beta,
        end=config.extensions.priority_beta_end,
        steps=max(0, config.total_steps - config.replay.learning_starts),
    )


def now(config: Config, step: int) -> dict[str, float]:
    """What the settings that move with time are at an agent step, by name; those of extensions only where they are on.

    A window of the replay is there where it is smaller than all that is kept.
    """
    values = {"epsilon": epsilon(config, step), "learning_rate": learning_rate(config, step)}
    values["n_step"] = float(n_step(config, step))
    if (window := replay_window(config, step)) is not None:
        values["replay_window"] = float(window)
    if config.extensions.priority_alpha:
        exact = config.extensions.priority_sampler == "exact"
        values["priority_alpha"] = config.extensions.priority_alpha if exact else priority_alpha(config, step)
        values["priority_beta"] = priority_beta(config, step) if exact else config.extensions.priority_beta
    return values


def crossings(before: int, after: int, period: int) -> int:
    """Number of multiples of `period` in (before, after].

    However time is cut into pieces, the pieces add up: a vector step of 64 environments owes exactly what
    64 serial steps owe.
    """
    return after // period - before // period


def learning_plan(
    before: int, after: int, *, learning_starts: int, update_period: int, target_period: int
) -> list[tuple[int, bool]]:
    """What the learner owes for the agent steps in (before, after], in the order of the serial algorithm.

    Returns:
      Pairs (updates, sync): do `updates` optimizer steps, then copy the target network if `sync`.
      Empty when nothing is due.

    At an agent step where both are due the update comes first, as in DQN Zoo. Nothing is due at or before
    `learning_starts`.

    >>> learning_plan(96, 104, learning_starts=0, update_period=2, target_period=100)
    [(2, True), (2, False)]

    Source: Mnih et al. 2015, Algorithm 1; numbers in Extended Data Table 1.
    """
    before = max(before, learning_starts)
    if after <= before:
        return []
    plan: list[tuple[int, bool]] = []
    first_sync = (before // target_period + 1) * target_period
    for sync_step in range(first_sync, after + 1, target_period):
        plan.append((crossings(before, sync_step, update_period), True))
        before = sync_step
    rest = crossings(before, after, update_period)
    if rest:
        plan.append((rest, False))
    return plan
