"""What a suite shows while it runs: a table on a terminal, a line for each change on a pipe."""

from __future__ import annotations

import csv
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from atari_dqn.evaluation.result import score_told
from atari_dqn.runs.folder import read_done
from atari_dqn.runs.games_bar import PLAYING
from atari_dqn.runs.terminal import redraws
from atari_dqn.safe_files import integer, number, open_to_read, parse_json
from atari_dqn.suite.jobs import LOG, JobRun, State

TAIL_BYTES = 8192  # of metrics.jsonl: more than its last lines
TERMINAL_SECONDS, PIPE_SECONDS = 1.0, 60.0  # between two looks at the folders
NOTE = ""  # of the last column, which has no heading
HEADINGS = ("job", "state", "steps", "done", "steps/s", "evaluation", NOTE)
DROPPED = (
    "steps/s",
    "steps",
    "evaluation",
    "done",
    NOTE,
)  # in turn, where a terminal is too narrow for all
NOTE_LEAST = 8  # characters of a note that is cut
EXPLAINED = "evaluation: mean of the last one in training"
ALL_ROWS = 12  # jobs that are all shown
ROWS_BEFORE = 3  # of more jobs, those shown in a state that is not interesting any more


class Progress(NamedTuple):
    """Where a run is, from its folder; None where it says nothing yet."""

    step: int | None
    steps_per_second: float | None
    last_eval: float | None
    """Mean of the last evaluation in training, raw score."""


def read_progress(folder: Path) -> Progress:
    """The last lines of metrics.jsonl and evals.csv, and DONE; a line that is being written counts as not there."""
    step, rate = None, None
    for line in _tail(folder / "metrics.jsonl"):
        try:
            record = parse_json(line)
        except ValueError:
            continue
        if isinstance(record, dict) and (found := integer(record.get("step"))) is not None:
            step, rate = found, number(record.get("time/steps_per_second")) or rate
    if (done := read_done(folder)) is not None:  # the last point of the curves may lie before the end
        step = done.steps
    scores = [number(row[4]) for row in _rows(folder / "evals.csv") if len(row) > 4 and row[0].isdecimal()]
    return Progress(step, rate, next((score for score in reversed(scores) if score is not None), None))


def _rows(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(_tail(path)))
    except csv.Error:
        return []


def _tail(path: Path) -> list[str]:
    try:
        with open_to_read(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []


class Table:
    """Shows jobs; a context manager.

    Args:
      total: what the jobs are called all together, such as "6 jobs in runs".
    """

    def __init__(self, total: str) -> None:
        self.total = total
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False) if redraws() else None
        self._shown = -1e9
        self._told: dict[str, tuple[State, str]] = {}

    def __enter__(self) -> Table:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, runs: Sequence[JobRun], *, last: bool = False) -> None:
        """Bring what is shown up to date; cheap to call often."""
        now = time.monotonic()
        due = last or now - self._shown > (PIPE_SECONDS if self._live is None else TERMINAL_SECONDS)
        if self._live is None:
            self._tell_changes(runs)
        if not due:
            return
        self._shown = now
        if self._live is not None:
            self._live.update(job_table(runs, self.total, self._console.width), refresh=True)
        else:
            for run in runs:
                if run.state == "running":
                    self._line(f"{run.job.name}: {_note(run)}{_progress_words(run)}")
            self._line(f"{self.total}: {counts(runs)}")

    def _tell_changes(self, runs: Sequence[JobRun]) -> None:
        for run in runs:
            if run.state != "queued" and self._told.get(run.job.name) != (run.state, run.note):
                self._told[run.job.name] = (run.state, run.note)
                self._line(f"{run.job.name}: {run.state}{', ' if run.note else ''}{run.note}")

    def _line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def counts(runs: Sequence[JobRun]) -> str:
    """How many jobs are in which state."""
    number = Counter(run.state for run in runs)
    order: tuple[State, ...] = ("finished", "running", "queued", "failed", "stopped")
    return ", ".join(f"{number[state]} {state}" for state in order if number[state])


def job_table(runs: Sequence[JobRun], title: str, width: int = 80) -> RichTable:
    """One row a job, those that need attention first; of the others only a few.

    Args:
      runs:  the jobs.
      title: what they are called all together.
      width: columns of the terminal. Where they are few, whole columns are left out: a number is never cut.
    """
    most = len(runs) if len(runs) <= ALL_ROWS else ROWS_BEFORE
    finished = [run for run in runs if run.state == "finished"][-most:]
    queued = [run for run in runs if run.state == "queued"][:most]
    attention = [run for run in runs if run.state in ("failed", "stopped", "running")]
    rows = [_row(run) for run in [*finished, *attention, *queued]]
    columns = dict(zip(HEADINGS, zip(HEADINGS, *rows, strict=True), strict=True))
    for heading in DROPPED:
        if _least_width(columns) > width:
            del columns[heading]
    table = RichTable(title=f"{title}: {counts(runs)}", box=None, pad_edge=False, header_style="bold", title_style="")
    table.caption, table.caption_style = EXPLAINED if "evaluation" in columns else None, ""
    for heading in columns:
        justify: Literal["left", "right"] = "left" if heading in ("job", "state", NOTE) else "right"
        wraps = heading == NOTE or (heading == "job" and _least_width(columns) > width)
        table.add_column(heading, justify=justify, no_wrap=not wraps)
    if notes := columns.get(NOTE):  # a narrow terminal shortens them alone, by whole words: numbers are among them
        room = width - _least_width({**columns, NOTE: [""]})
        columns[NOTE] = tuple(textwrap.shorten(note, room, placeholder=" \N{HORIZONTAL ELLIPSIS}") for note in notes)
    for cells in list(zip(*columns.values(), strict=True))[1:]:
        table.add_row(*cells[:-1], Text(cells[-1]))
    return table


def _least_width(columns: Mapping[str, Sequence[str]]) -> int:
    """Columns of a terminal that show all but long notes whole; two lie between neighbours."""
    widths = {heading: max(map(len, cells)) for heading, cells in columns.items()}
    widths |= {NOTE: min(NOTE_LEAST, widths[NOTE])} if NOTE in widths else {}
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _row(run: JobRun) -> tuple[str, ...]:
    step, rate, score = read_progress(run.job.folder)
    return (
        run.job.name,
        run.state,
        "" if step is None else f"{step:,}",
        "" if step is None else f"{min(1.0, step / run.job.config.total_steps):.0%}",
        "" if rate is None or run.state != "running" else f"{rate:,.0f}",
        "" if score is None else score_told(score, ""),
        _note(run),
    )


def _note(run: JobRun) -> str:
    """What is to be said of a job; while it is evaluated also how far that is, as its log says."""
    told = _tail(run.job.folder / LOG)[-1:] if run.state == "running" else []
    played = [line.removeprefix(PLAYING) for line in told if line.startswith(PLAYING)]
    return ", ".join([run.note, *played])


def _progress_words(run: JobRun) -> str:
    step, rate, score = read_progress(run.job.folder)
    words = "" if step is None else f", step {step:,} of {run.job.config.total_steps:,}"
    words += "" if rate is None else f", {rate:,.0f} steps/s"
    return words + ("" if score is None else f", last evaluation in training {score_told(score, '')}")
