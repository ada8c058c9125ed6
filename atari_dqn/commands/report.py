"""`atari-dqn report RUNS --out DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from atari_dqn.commands import parse
from atari_dqn.errors import UsageError
from atari_dqn.runs.folder import refuse_unwritable


@dataclass(frozen=True)
class Report:
    """Write one HTML page and CSV files about runs: scores beside the paper's, curves."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUNS ...")]
    """Run folders, or folders that hold some at any depth. Each preset in them gets a column."""
    out: Path = Path("report")
    """Folder of the report: index.html, scores.csv, table.csv, aggregates.csv."""
    compare: tuple[Path, ...] = ()
    """More runs, laid beside the first ones in columns of their own."""
    names: tuple[str, ...] = ()
    """Names of the columns: one for RUNS, one for --compare. Default: the presets, or the folders in a comparison."""


def run(words: Sequence[str]) -> int:
    """Write a report; returns the exit code."""
    command = parse(Report, words, prog="atari-dqn report")
    if not command.runs:
        raise UsageError("report needs RUNS: a run folder, or a folder that holds some, such as runs")
    check_out(command.out)
    suites = list(zip(_names(command), filter(None, (command.runs, command.compare)), strict=True))
    from atari_dqn.report import PAGE, write_report  # scipy takes a second
    from atari_dqn.report.formatting import count, interval, percent, played

    contents = write_report(suites, command.out, command=["atari-dqn", "report", *words])
    print(f"{count(len(contents.runs), 'run')}, {count(len(contents.games), 'game')}")
    for row in contents.aggregates:
        if row.runs is not None:
            median = row.estimates["median"]
            told = f"median {percent(median.value)} ({interval(median)}) of {count(row.games, 'game')}"
            print(f"{row.label}, {played(row.group)}: {told}")
    for gap in contents.gaps:
        print(f"{gap.title.lower()}: {len(gap.found)}")
    print(f"report: {command.out / PAGE}")
    return 0


def check_out(out: Path) -> None:
    """Raises UsageError if no report can be written to a folder, or a link stands there, which could lead anywhere."""
    refuse_unwritable(out, "the report to", "--out", link=False)


def _names(command: Report) -> list[str | None]:
    """A name for each set of runs.

    Raises:
      UsageError: too few or too many, empty, or twice the same.
    """
    wanted = 2 if command.compare else 1
    if command.names:
        if len(command.names) != wanted:
            raise UsageError(f"names are {', '.join(command.names)}; give {wanted}: one for RUNS, one for --compare")
        names: list[str | None] = [name.strip() for name in command.names]
    elif command.compare:
        names = [_folder_name(folders) for folders in (command.runs, command.compare)]
    else:
        return [None]
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(f"names are {', '.join(map(repr, names))}; they must differ: set them with --names A B")
    return names


def _folder_name(folders: Sequence[Path]) -> str:
    return folders[0].resolve().name
