"""Progress of a run: a bar on a terminal, a plain line now and then elsewhere.

    ⠹ starting 16 games of pong 0:00:02                                            before there are steps
     12 %  72,000/600,000  1:04 h left  137 steps/s  return -19.0  best -15.0 ━━━━  from then on

It opens before torch is imported, so this module imports none.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from atari_dqn.runs import pace as pacing
from atari_dqn.runs.terminal import redraws, say

if TYPE_CHECKING:
    from atari_dqn.config import Config
    from atari_dqn.dqn.trainer import Trainer
    from atari_dqn.evaluation.protocols import EvalProtocol
    from atari_dqn.runs.games_bar import Watch

log = logging.getLogger(__name__)
TICK_SECONDS = 1.0
PLAIN_SECONDS = 30.0  # between plain lines, at the least
LEAST_BAR = 4  # characters, that rich wants for one


class Display:
    """Shows on stderr what a run does, from its first second to its last; it closes at the end of a `with`.

    Attributes:
      update_seconds: of one update, measured before the run; None where it was not.
    """

    def __init__(self) -> None:
        self._screen: _Screen = _Terminal() if redraws() else _Plain()
        self.update_seconds: float | None = None
        self.pace: pacing.Pace | None = None
        self._stood = 0.0  # seconds in which nothing was played
        self._ticked = -TICK_SECONDS
        self._first_updates = 0  # those before this process
        self._evaluation_began: float | None = None
        self._evaluated = ""
        self._trainer: Trainer | None = None  # of the newest tick

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def doing(self, what: str) -> None:
        """Say what takes time now, before the run begins."""
        self._screen.doing(what)

    def message(self, text: str) -> None:
        """One line that stays."""
        self._screen.message(text)

    def begin(self, config: Config, updates: int) -> None:
        """The run begins to play.

        Args:
          config:  of the run, resolved.
          updates: optimizer steps before this process.
        """
        self.pace, self._first_updates = pacing.Pace(config, self.update_seconds), updates
        self._screen.begin(config.logging.log_period)

    def tick(self, trainer: Trainer, *, last: bool = False) -> None:
        """Show how far the run is, if a second has passed; cheap enough for every vector step."""
        now = time.monotonic()
        if self.pace is None or (now - self._ticked < TICK_SECONDS and not last):
            return
        pending = trainer.learner.reset.pending_updates if trainer.learns else 0
        if pending and self._evaluation_began is None:
            self._stood += now - self._ticked
        self._ticked, self._trainer = now, trainer
        if self._evaluation_began is None and not last:  # at the end a checkpoint was waited for
            learning = trainer.learner.updates > self._first_updates
            self.pace.see(now - self._stood, trainer.step, learning=learning)
        self._show(trainer, pending, now, last=last)

    def _show(self, trainer: Trainer, pending: int, now: float, *, last: bool = False) -> None:
        assert self.pace is not None
        moment = self._moment(trainer, pending, now)
        told = pacing.parts(moment, self.pace)
        self._screen.show(moment.step, pacing.expected_steps(trainer.config, moment), told, last=last)

    def _moment(self, trainer: Trainer, pending: int, now: float) -> pacing.Moment:
        note = self._evaluated or (f"a new network: {pending:,} updates to go" if pending else "")
        evaluations = trainer.evaluations
        return pacing.Moment(
            trainer.step,
            trainer.learning_starts_at,
            evaluations.evaluated_at,
            trainer.episodes,
            pending,
            0.0 if self._evaluation_began is None else now - self._evaluation_began,
            trainer.metrics.recent_return,
            evaluations.best_score if evaluations.best_step >= 0 else None,
            note,
        )

    @contextmanager
    def evaluation(self, protocol: EvalProtocol) -> Iterator[Watch]:
        """An evaluation is played meanwhile; yields what to call with every vector step of it."""
        from atari_dqn.evaluation.protocols import monitor
        from atari_dqn.runs.games_bar import counting

        def count(done: int, total: int, unit: str, steps: int) -> None:
            played_out = f"evaluating: {steps:,} steps, to the episode's end"  # one that has begun is played out
            self._evaluated = f"evaluating: {done:,} / {total:,} {unit}" if done < total else played_out

        self._evaluation_began = time.monotonic()
        try:
            yield counting(protocol, count)
        finally:
            took = time.monotonic() - self._evaluation_began
            self._evaluation_began, self._evaluated = None, ""
            self._stood += took
            if self.pace is not None and protocol == monitor(self.pace.config):  # that of step 0 is shorter
                self.pace.evaluation_seconds = took
            if self._trainer is not None:  # it is logged and filmed now, for seconds without a tick
                self._show(self._trainer, 0, time.monotonic())

    @contextmanager
    def episodes(self, protocol: EvalProtocol) -> Iterator[Watch]:
        """Episodes are played to the end, and nothing else: see `games_bar.shown`, whose bar takes this place."""
        from atari_dqn.runs.games_bar import shown

        self.close()
        with shown(protocol) as watch:
            yield watch

    def close(self) -> None:
        """Leave what is shown as it is, stop showing, and forget whose run it was."""
        self._trainer = None
        self._screen.close()


class _Screen(Protocol):
    """Where a display shows what it has to say."""

    def doing(self, what: str) -> None: ...
    def begin(self, log_period: int) -> None: ...
    def show(self, step: int, total: int, told: list[str], *, last: bool) -> None: ...
    def message(self, text: str) -> None: ...
    def close(self) -> None: ...


class _Plain:
    """For files and pipes: a line at the first point of the log after each half minute, after a minute in any case."""

    def __init__(self) -> None:
        self._log_period, self._point, self._printed, self._began = 1, 0, -PLAIN_SECONDS, 0.0

    def doing(self, what: str) -> None:
        log.info(f"{what} ...")

    def begin(self, log_period: int) -> None:
        self._log_period, self._point, self._began = log_period, -1, time.monotonic()

    def show(self, step: int, total: int, told: list[str], *, last: bool) -> None:
        point, now = step // self._log_period, time.monotonic()
        before, self._point = self._point, point
        reached = before >= 0 and point > before
        silent = now - max(self._printed, self._began) >= 2 * PLAIN_SECONDS  # a slow machine, or an evaluation
        if not last and not silent and not (reached and now - self._printed >= PLAIN_SECONDS):
            return
        self._printed = now
        percent, steps, *rest = told
        say(", ".join([f"{percent.strip()}, {steps} steps", *rest]))

    def message(self, text: str) -> None:
        say(text)

    def close(self) -> None: ...


class _Terminal:
    """A line that changes: first what is being done, then a bar with what `pacing.parts` tells before it."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)
        self._live: Any = None
        self._task: Any = None
        self._bar: Any = None
        self._training = False

    def doing(self, what: str) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        if self._live is not None and not self._training:
            self._live.reset(self._task, description=what)
            return
        columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
        self._open(Progress(*columns, console=self._console, transient=True), what, None)

    def begin(self, log_period: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self.close()
        self._training = True
        text = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        self._bar = BarColumn(bar_width=None, table_column=Column(ratio=1))
        bar = Progress(text, self._bar, console=self._console, expand=True, refresh_per_second=2)
        self._open(bar, "opening the games", 1)

    def _open(self, live: Any, what: str, total: float | None) -> None:
        self._live, self._task = live, live.add_task(what, total=total)
        with suppress(OSError):
            live.start()

    def show(self, step: int, total: int, told: list[str], *, last: bool) -> None:
        line = pacing.fitted(told, self._console.width - 2)
        self._bar.bar_width = None if self._console.width - len(line) > LEAST_BAR else 1
        self._live.update(self._task, completed=step, total=total, description=line, refresh=last)

    def message(self, text: str) -> None:
        with suppress(OSError):  # the terminal is gone; the run has to end well all the same
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError):
                live.stop()
