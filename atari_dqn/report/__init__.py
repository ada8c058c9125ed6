"""Run folders to one HTML page and CSV files, without torch.

    parsing.py, read_runs.py                                files -> records
    tables.py, curves.py, median_curve.py,
    machines.py, missing.py                                 records -> tables, which contents.py gathers once
    formatting.py, scales.py, figures.py, markup.py,
    widgets.py, game_chapters.py, chapters.py, page.py      tables -> HTML
    csv_files.py                                            tables -> CSV

`write_report` goes through them in this order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from atari_dqn.errors import UsageError
from atari_dqn.report.contents import Contents, gather
from atari_dqn.report.csv_files import aggregates_csv, scores_csv, table_csv
from atari_dqn.report.page import render
from atari_dqn.safe_files import refuse_kind, write_text

PAGE = "index.html"


def write_report(
    suites: Sequence[tuple[str | None, Sequence[Path]]],
    out: Path,
    *,
    command: Sequence[str],
    written: datetime | None = None,
) -> Contents:
    """Read run folders and write index.html, scores.csv, table.csv and aggregates.csv.

    Args:
      suites:  (name, folders) each; a name of None takes the presets' names. Folders hold runs at any depth.
      out:     folder of the report; made if it does not exist, its other files stay.
      command: words that make the report again, for the page.
      written: time on the page, UTC; None for now.

    Returns:
      What the report says.

    Raises:
      UsageError: no run is found, or `out` cannot be written.
    """
    contents = gather(suites)
    texts = {
        PAGE: render(contents, command=command, written=written or datetime.now(UTC)),
        "scores.csv": scores_csv(contents.series),
        "table.csv": table_csv(contents.cells),
        "aggregates.csv": aggregates_csv(contents.aggregates, contents.improvements),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        refuse_kind(out, os.lstat(out))  # in a stranger's folder a link could lead anywhere
        for name, text in texts.items():
            write_text(out / name, text, errors="replace")  # a path may hold any byte
    except OSError as error:
        raise UsageError(f"cannot write the report to {out} ({error.strerror}); choose another --out") from error
    return contents
