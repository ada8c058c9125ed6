"""The subcommands, one module each: a dataclass whose fields are the flags, and `run(words)` behind it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import tyro


def parse(kind: Any, words: Sequence[str], *, prog: str, default: Any = None) -> Any:
    """The dataclass `kind` from the words of a command line; a wrong one prints a message and exits with code 2."""
    options = {} if default is None else {"default": default}
    return tyro.cli(kind, args=list(words), prog=prog, description=kind.__doc__, **options)


def say(line: str) -> None:
    """Tell the user what goes on; results go to stdout, this to stderr."""
    print(line, file=sys.stderr, flush=True)
