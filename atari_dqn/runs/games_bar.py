"""Progress of an evaluation: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from atari_dqn.evaluation.play import EvalStep
from atari_dqn.evaluation.protocols import EvalProtocol
from atari_dqn.runs.terminal import redraws, say

PLAIN_PERIOD_SECONDS = 30.0
PLAYING = "playing: "  # begins a plain line; the table of a suite looks for it
Watch = Callable[[EvalStep], None]


@contextmanager
def shown(protocol: EvalProtocol) -> Iterator[Watch]:
    """Show from the first moment on how many episodes of a protocol, or steps of one without a number, are played.

    Yields:
      What to call with every vector step.
    """
    total, unit = length(protocol)
    with (_bar if redraws() else _lines)(total, unit) as update:
        status = "{:,} agent steps" if unit == "episodes" else ""
        yield counting(protocol, lambda done, total, unit, steps: update(done, status.format(steps)))


def counting(protocol: EvalProtocol, count: Callable[[int, int, str, int], None]) -> Watch:
    """What to call with every vector step of a protocol; it calls `count` with (done, total, unit, agent steps)."""
    total, unit = length(protocol)
    counted = {"episodes": 0, "agent steps": 0}

    def watch(moment: EvalStep) -> None:
        counted["episodes"] += int(moment.step.finished.sum())
        counted["agent steps"] += len(moment.action) - int(moment.step.started.sum())
        count(min(counted[unit], total), total, unit, counted["agent steps"])

    return watch


def length(protocol: EvalProtocol) -> tuple[int, str]:
    """How much is to be played, and the unit: episodes, or agent steps where there is no number of them."""
    return (protocol.episodes, "episodes") if protocol.episodes else (protocol.steps or 0, "agent steps")


Update = Callable[[int, str], None]


@contextmanager
def _bar(total: int, unit: str) -> Iterator[Update]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (MofNCompleteColumn(), TextColumn(unit), TimeElapsedColumn(), TextColumn("{task.fields[status]}"))
    with Progress(*columns, BarColumn(bar_width=None), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total, status="")
        yield lambda done, status: progress.update(task, completed=done, status=status)


@contextmanager
def _lines(total: int, unit: str) -> Iterator[Update]:
    say(f"{PLAYING}0 of {total:,} {unit}")
    printed = time.monotonic()

    def update(done: int, status: str) -> None:
        nonlocal printed
        if time.monotonic() - printed >= PLAIN_PERIOD_SECONDS:
            printed = time.monotonic()
            say(f"{PLAYING}{done:,} of {total:,} {unit}" + f", {status}" * bool(status))

    yield update
