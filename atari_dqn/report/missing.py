"""What the report does not know, or not well enough: said aloud, so that no number looks better than it is."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from atari_dqn.config import SETTINGS
from atari_dqn.published.scores import NO_HUMAN, nature_49
from atari_dqn.report.parsing import Problem
from atari_dqn.report.read_runs import Run
from atari_dqn.report.tables import Cells, Series

MAY_DIFFER = {name for name, setting in SETTINGS.items() if setting.may.differ}
"""Between runs of one series: what is played, on which machine, and what is written down when."""


@dataclass(frozen=True)
class Gap:
    """One kind of gap, with every place where it was found."""

    title: str
    meaning: str
    found: tuple[Problem, ...]


def find_gaps(series: Sequence[Series], cells: Cells, problems: Sequence[Problem]) -> list[Gap]:
    """All gaps that there are; empty kinds are left out."""
    gaps = [
        Gap("Games without a run", "of the paper's 49 games", tuple(_unplayed(series))),
        Gap(
            "Unfinished runs", "no DONE file: their numbers are those of a shorter training", tuple(_unfinished(series))
        ),
        Gap("Runs without a score", "no evaluation yet; they appear in learning curves only", tuple(_unscored(series))),
        Gap(
            "Scores from training",
            "no file in evaluations/, so evals.csv is used: protocol monitor, played while the run went on",
            tuple(_monitored(series)),
        ),
        Gap(
            "Scores without a human", "they stand in no column of human-normalised scores", tuple(_without_human(cells))
        ),
        Gap("Scores of an earlier network", "the run went on after they were played", tuple(_outdated(series))),
        Gap("Fewer seeds than others", "averages over few seeds move a lot", tuple(_few_seeds(cells))),
        Gap("Settings that differ", "between the runs of one column", tuple(_differing(series))),
        Gap("Runs and files left out", "wholly or in part", tuple(problems)),
    ]
    return [gap for gap in gaps if gap.found]


def _each(series: Sequence[Series]) -> Iterable[tuple[str, Run]]:
    for one in series:
        for run in one.runs:
            yield f"{one.name}, {run.game}, seed {run.seed}", run


def _unplayed(series: Sequence[Series]) -> Iterable[Problem]:
    for one in series:
        played = {run.game for run in one.runs}
        absent = [game for game in nature_49() if game not in played]
        if 0 < len(absent) < len(nature_49()):  # a series of other games has no gap here
            yield Problem(f"{one.name}, {len(absent)} games", ", ".join(absent))


def _unfinished(series: Sequence[Series]) -> Iterable[Problem]:
    for where, run in _each(series):
        if not run.finished:
            share = f" of {run.total_steps:,} ({run.steps / run.total_steps:.0%})" if run.total_steps else ""
            yield Problem(where, f"{run.steps:,}{share} agent steps seen")


def _unscored(series: Sequence[Series]) -> Iterable[Problem]:
    for where, run in _each(series):
        if not run.evaluations:
            trained = f"; last training return {run.trained[-1].value:,.1f}" if run.trained else ""
            yield Problem(where, f"atari-dqn evaluate {shlex.quote(str(run.path))} would add one{trained}")


def _monitored(series: Sequence[Series]) -> Iterable[Problem]:
    for where, run in _each(series):
        if any(evaluation.source == "evals.csv" for evaluation in run.evaluations):
            yield Problem(where, f"atari-dqn evaluate {shlex.quote(str(run.path))} would play a full protocol")


def _without_human(cells: Cells) -> Iterable[Problem]:
    for group, games in cells.items():
        if group.pair == "none":
            where = f"{group.series}, {group.protocol}, {group.checkpoint}"
            yield Problem(where, f"{NO_HUMAN}: {', '.join(games)}")


def _outdated(series: Sequence[Series]) -> Iterable[Problem]:
    for where, run in _each(series):
        for found in run.evaluations:
            step = found.result.step
            late = step is not None and step < run.steps
            if late and found.checkpoint == "last" and found.source != "evals.csv":
                yield Problem(where, f"{found.source} is of step {step:,}, the run reached {run.steps:,}")


def _few_seeds(cells: Cells) -> Iterable[Problem]:
    for group, games in cells.items():
        most = max(cell.seeds for cell in games.values())
        few: dict[int, list[str]] = {}
        for game, cell in games.items():
            if cell.seeds < most:
                few.setdefault(cell.seeds, []).append(game)
        for seeds, names in sorted(few.items()):
            where = f"{group.series}, {group.protocol}, {group.checkpoint}"
            yield Problem(where, f"{seeds} instead of {most}: {', '.join(names)}")


def _differing(series: Sequence[Series]) -> Iterable[Problem]:
    for one in series:
        for name, values in _settings(one.runs).items():
            if len(values) > 1:
                yield Problem(f"{one.name}, {name}", " and ".join(sorted(values)))


def _settings(runs: Sequence[Run]) -> Mapping[str, set[str]]:
    """Every value that a setting has in some run; a setting that an older version did not write is no difference."""
    found: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.config.items():
            if name not in MAY_DIFFER:
                found.setdefault(name, set()).add(str(value))
    return found
