"""Everything that a report says, gathered once; the page and the CSV files only write it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atari_dqn.errors import UsageError
from atari_dqn.report.curves import Curve, make_curves
from atari_dqn.report.machines import Machine, make_machines
from atari_dqn.report.median_curve import MedianCurve, median_curve
from atari_dqn.report.missing import Gap, find_gaps
from atari_dqn.report.parsing import Problem
from atari_dqn.report.read_runs import Run, read_runs
from atari_dqn.report.tables import (
    Aggregate,
    Cells,
    Improvement,
    Series,
    make_aggregates,
    make_cells,
    make_improvements,
    make_series,
)


@dataclass(frozen=True)
class Contents:
    """The tables of a report."""

    series: list[Series]
    cells: Cells
    aggregates: list[Aggregate]
    improvements: list[Improvement]
    curves: dict[str, list[Curve]]
    machines: list[Machine]
    gaps: list[Gap]

    @property
    def games(self) -> list[str]:
        """Games with a score or a curve."""
        scored = {game for table in self.cells.values() for game in table}
        return sorted(scored | set(self.curves))

    @property
    def medians(self) -> list[MedianCurve]:
        """The learning curve over all games of each series that has enough of them."""
        lines = [curve for found in self.curves.values() for curve in found]
        found = [median_curve(one.name, lines) for one in self.series]
        return [one for one in found if one is not None]

    @property
    def runs(self) -> list[Run]:
        return [run for one in self.series for run in one.runs]

    def number(self, series: str) -> int:
        """Place of a series; decides its colour."""
        return [one.name for one in self.series].index(series)


def gather(suites: Sequence[tuple[str | None, Sequence[Path]]]) -> Contents:
    """Read the runs of each suite and make all tables.

    Args:
      suites: (name, folders) each; a name of None takes the presets' names.

    Raises:
      UsageError: a folder does not exist, or a suite holds no run.
    """
    problems: list[Problem] = []
    read: list[tuple[str | None, Sequence[Run]]] = []
    for name, folders in suites:
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"{folder} is no folder; name a run folder, or one that holds some, such as runs")
        records = read_runs(folders)
        if not records.runs:
            why = "".join(f"; {problem.where}: {problem.what}" for problem in records.problems[:3])
            raise UsageError(f"no run in {', '.join(map(str, folders))}: no config.json that names a game{why}")
        problems += records.problems
        read.append((name, records.runs))
    series = make_series(read, problems)
    cells = make_cells(series)
    return Contents(
        series=series,
        cells=cells,
        aggregates=make_aggregates(cells),
        improvements=make_improvements(cells),
        curves=make_curves(series),
        machines=make_machines(series),
        gaps=find_gaps(series, cells, problems),
    )
