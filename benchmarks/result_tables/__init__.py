"""Tables in Markdown from the committed results: what a row is. `readme_table.py` writes them into pages."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"

Result = dict[str, Any]


def load(path: Path) -> Any:
    """What a result file holds: an object, or a list of them, of which those of a CSV file have strings as values."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return list(csv.DictReader(text.splitlines()))
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])


def span(values: Sequence[float]) -> str:
    """The least and the most of some numbers, rounded to whole ones."""
    least, most = f"{min(values):.0f}", f"{max(values):.0f}"
    return least if least == most else f"{least} to {most}"


class Measured(NamedTuple):
    """A row of a table."""

    what: str
    files: str
    """A glob pattern in RESULTS; `say` gets what each file holds, in the order of their names."""
    say: Callable[..., str]
    command: str = ""
    """That measured it."""


def rows_of(measured: Iterable[Measured]) -> str:
    """A table of what, the numbers, and the files that hold them."""
    rows = []
    for what, pattern, say, command in measured:
        found = sorted(RESULTS.glob(pattern))
        assert found, f"there is no {pattern} in benchmarks/results"
        place = found[0] if len(found) == 1 else RESULTS / pattern.split("/")[0]
        where = [f"`{command}`"] * bool(command) + [f"`{place.relative_to(ROOT)}{'/' * place.is_dir()}`"]
        rows.append((what, say(*map(load, found)), ", ".join(where)))
    return table(("what", "measured", "where"), rows)
