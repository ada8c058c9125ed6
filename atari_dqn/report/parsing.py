"""Files and values that may be missing, damaged or somebody else's: None or a `Problem`, never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from atari_dqn.safe_files import LOG_BYTES, parse_json
from atari_dqn.safe_files import read_text as read_bounded


class Problem(NamedTuple):
    """Something that is missing from the report, and why."""

    where: str
    what: str


def read_object(path: Path, problems: list[Problem], missing: str | None = None) -> dict[str, Any] | None:
    """A JSON object, or None and a problem; `missing` says what a file that is not there means."""
    if missing is not None and not path.exists():
        problems.append(Problem(str(path), f"is missing: {missing}"))
        return None
    if (text := read_text(path, problems)) is None:
        return None
    try:
        table = parse_json(text)
    except ValueError as error:
        problems.append(Problem(str(path), f"is not valid JSON ({error})"))
        return None
    if not isinstance(table, dict):
        problems.append(Problem(str(path), f"must hold a JSON object, not {type(table).__name__}"))
        return None
    return table


def read_text(path: Path, problems: list[Problem]) -> str | None:
    """Text of a file; empty where there is none, None and a problem where it cannot be read."""
    try:
        return read_bounded(path, LOG_BYTES, errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read ({error.strerror})"))
        return None


def printable(text: str) -> str:
    """Text that every terminal and file takes: half a surrogate pair or a control character becomes a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
