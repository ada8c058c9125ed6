"""Speed of a run and time left: arithmetic on a clock that others read, and its words.

    play, with random actions       play and learn                     end
    |-------------------------------|----------------------------------|
    0                               learning_starts                    total_steps

evaluations and the updates after resets stop the clock, and are added to the time that is left
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from atari_dqn.config import Config, is_vector_game
from atari_dqn.dqn.schedules import crossings
from atari_dqn.evaluation.result import score_told

PACE_SECONDS = 120.0  # of play: the rate is that of the last two minutes
EMULATOR_SECONDS = 0.0003  # of one core for an agent step; ours: Pong took 0.26 ms, Breakout 0.36 ms, on two cores
UNITS = ((1e9, "G"), (1e6, "M"))
Cost = tuple[float | None, float | None]


class Moment(NamedTuple):
    """Where a run is."""

    step: int
    """Agent steps played."""
    learning_starts_at: int | None
    """Agent step from which updates are due; None as long as a warm-up waits for an episode to end."""
    evaluated_at: int = 0
    """Agent step of the newest evaluation."""
    episodes: int = 0
    """Finished."""
    pending_updates: int = 0
    """Pending updates after a reset, before play goes on."""
    evaluating: float = 0.0
    """Seconds that the evaluation under way has taken; 0 for none."""
    mean_return: float | None = None
    """Of the newest episodes."""
    best: float | None = None
    """The best evaluation."""
    note: str = ""
    """What is done instead of playing."""


class Pace:
    """The rate of a run now, and its time left, for the bar and for plain lines alike.

    Args:
      config:         of the run, resolved.
      update_seconds: of one update, measured before the run; None where it was not.
    """

    def __init__(self, config: Config, update_seconds: float | None = None) -> None:
        self.config, self.update_seconds = config, update_seconds
        self.evaluation_seconds: float | None = None  # of the newest evaluation
        self._play_rate: float | None = None  # agent steps a second before learning began
        self._learning = False
        self._seen: deque[tuple[float, int]] = deque()  # (seconds of play, agent step), the oldest first

    def see(self, clock: float, step: int, *, learning: bool) -> None:
        """Note where the run is.

        Args:
          clock:    seconds of play so far; it stands while nothing is played.
          step:     agent steps so far.
          learning: have there been updates in this process? The first ones may compile: they tell no rate.
        """
        if learning and not self._learning:
            self._play_rate = self.rate
            self._seen.clear()
            self._learning = True
        self._seen.append((clock, step))
        while clock - self._seen[0][0] > PACE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Agent steps a second in the last two minutes of play; None as long as it is not known."""
        if not self._seen:
            return None
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began and last > first else None

    @property
    def seconds_per_step(self) -> Cost:
        """Seconds of an agent step before learning begins and after it, measured or estimated; None for unknown.

        Play and learning share the cores of a CPU, so their times add up; a GPU learns while the games play.
        """
        config = self.config
        play = None if is_vector_game(config.game) else EMULATOR_SECONDS / max(1, config.machine.env_threads)
        if played := self._play_rate or (None if self._learning else self.rate):
            play = 1 / played
        if self._learning and self.rate:
            return play, 1 / self.rate
        if play is None or self.update_seconds is None or config.algorithm.game_end_updates:
            return play, None
        learn = self.update_seconds / config.algorithm.update_period
        beside = config.machine.overlap and not config.machine.device.startswith("cpu")
        return play, max(play, learn) if beside else play + learn

    def seconds_left(self, moment: Moment) -> float | None:
        """Seconds until the run ends, evaluations and resets included; None as long as that is not known."""
        config, total = self.config, expected_steps(self.config, moment)
        play, learn = self.seconds_per_step
        begins = moment.learning_starts_at
        if begins is None or begins > total:
            begins = config.replay.learning_starts
        random_steps = max(0, begins - moment.step)
        if learn is None or (random_steps and play is None):
            return None
        steps = max(0, total - moment.step - random_steps)
        update = self.update_seconds or learn * config.algorithm.update_period
        resets = sum(moment.step < step <= total for step in config.extensions.reset_steps)
        updates = moment.pending_updates + resets * config.extensions.reset_updates
        one = self.evaluation_seconds  # where none has been played: of as many steps of play, if its length is in steps
        if one is None:
            one = 0.0 if config.evaluation.eval_episodes else (play or learn) * config.evaluation.eval_steps
        evaluations = evaluations_left(config, moment.evaluated_at, total) * one - min(moment.evaluating, one)
        return (play or 0.0) * random_steps + learn * steps + update * updates + max(0.0, evaluations)


def evaluations_left(config: Config, evaluated_at: int, total: int) -> int:
    """Evaluations after the newest one, at an agent step, until the run ends after `total`; its end has one."""
    period = config.evaluation.eval_period
    if not period or config.evaluation.eval_period_episodes or evaluated_at >= total:
        return 0
    between = {step for step in config.evaluation.eval_early_steps if evaluated_at < step < total and step % period}
    return crossings(evaluated_at, total, period) + len(between) + (total % period > 0)


def expected_steps(config: Config, moment: Moment) -> int:
    """Agent steps of the whole run; where its length is in episodes, as many as those so far make expect."""
    if not config.total_episodes or not moment.episodes:
        return config.total_steps
    return min(config.total_steps, max(moment.step, moment.step * config.total_episodes // moment.episodes))


def parts(moment: Moment, pace: Pace) -> list[str]:
    """What is told of a run, the most important first: percent, step / total, time left, steps/s, return, best."""
    total = expected_steps(pace.config, moment)
    told = [f"{min(100, 100 * moment.step // total):>3} %", f"{short(moment.step)}/{short(total)}"]
    if (left := pace.seconds_left(moment)) is not None:
        told.append(f"{duration(left)} left")
    if moment.note:
        told.append(moment.note)
    elif rate := pace.rate:
        told.append(f"{rate:,.0f} steps/s")
    if moment.mean_return is not None and not moment.note:
        told.append(f"return {score(moment.mean_return)}")
    if moment.best is not None:
        told.append(f"best {score(moment.best)}")
    return told


def fitted(told: Sequence[str], width: int) -> str:
    """As many parts as fit side by side into `width` characters, the first one in any case."""
    line = told[0]
    for part in told[1:]:
        if len(line) + len(part) + 2 > width:
            break
        line += f"  {part}"
    return line


def short(number: int) -> str:
    """A count in at most seven characters: 600,000, 1.25 M, 50 M."""
    for unit, name in UNITS:
        if number >= unit:
            return f"{number / unit:.2f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """`1 run`, `2,000 runs`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def score(number: float) -> str:
    """A score: -18.2, 1,234."""
    return score_told(number) if abs(number) < 1_000 else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """A time in its two largest units: 12 s, 4:05 min, 1:20 h, 3 d 4 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60}:{whole % 60:02} min"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60}:{minutes % 60:02} h"
    hours = round(seconds / 3_600)
    return f"{hours // 24} d {hours % 24} h"
