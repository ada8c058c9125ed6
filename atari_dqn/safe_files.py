"""Files and values of a folder that may be a stranger's: run folders are passed around, and may be damaged.

Reading takes regular files only, up to a size for each kind: a pipe would hang, and a device or a sparse file would
fill the memory. Writing never goes through a link, which could lead anywhere. What is wrong is an OSError, as for any
file, and says so in words.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import psutil

TABLE_BYTES = 2**24
"""config.json, meta.json, DONE and the like have some kB; an evaluation of a million games has 10 MB."""
LOG_BYTES = 2**28
"""metrics.jsonl and evals.csv: the paper's 50 million steps leave 3 MB."""
MEMORY_BYTES = psutil.virtual_memory().total
"""Of this machine: what is held as a whole cannot be larger."""

LARGEST = 1e15  # no score, step or frame comes near it; squares of what is larger may overflow


def open_to_read(path: Path, most: int | None = None) -> BufferedReader:
    """Open a regular file.

    Raises:
      OSError: it is missing, another kind of file, or has more than `most` bytes.
    """
    refuse_kind(path, os.stat(path))  # before it is opened: that alone can hang, or start a device
    file = path.open("rb")
    size = os.fstat(file.fileno()).st_size
    if most is not None and size > most:
        file.close()
        raise OSError(errno.EFBIG, f"has {size:,} bytes; such a file has at most {most:,}", str(path))
    return file


def read_text(path: Path, most: int, *, errors: str = "strict") -> str:
    """Text of a regular file of at most `most` bytes.

    Raises:
      OSError: as for `open_to_read`.
      UnicodeDecodeError: it is no UTF-8.
    """
    with open_to_read(path, most) as file:
        size = os.fstat(file.fileno()).st_size
        return file.read(min(most, size) + 1).decode("utf-8", errors=errors)


def read_json(path: Path, most: int) -> Any:
    """Value of a JSON file.

    Raises:
      OSError: as for `open_to_read`.
      ValueError: it is no JSON, or none that can be meant.
    """
    return parse_json(read_text(path, most))


def parse_json(text: str) -> Any:
    """Value of a JSON text.

    Raises:
      ValueError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def open_to_append(path: Path) -> IO[str]:
    """Open a text file to write at its end, a line at a time; it is made if it is missing.

    Raises:
      OSError: it is a link, or another kind of file.
    """
    with suppress(FileNotFoundError):
        refuse_kind(path, os.lstat(path))
    return open(path, "a+", encoding="utf-8", buffering=1, newline="", opener=_open_no_link)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)  # Windows has no such flag


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write a file that takes the place of `path` at the end; what stood there, also a link, goes then."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)  # of a killed process; a link is not followed
    yield partial
    os.replace(partial, path)


def write_text(path: Path, text: str, *, errors: str = "strict") -> None:
    """Replace a file as a whole: readers see the old one or the new one."""
    with replacing(path) as partial, partial.open("x", encoding="utf-8", errors=errors, newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def refuse_kind(path: Path, found: os.stat_result) -> None:
    """Raise an OSError, if `found` (of `os.lstat` or `os.stat`) is neither a regular file nor a folder."""
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "is a link", str(path))
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise OSError(errno.EINVAL, "is no regular file", str(path))


def number(value: Any) -> float | None:
    """A finite number, from JSON or from a CSV cell; None for everything else, and for what cannot be meant."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) <= LARGEST else None  # NaN is not


def integer(value: Any) -> int | None:
    """A whole number >= 0; None for everything else."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None
