"""Words on the terminal: a closed pipe (`atari-dqn ... | head`) ends no run."""

from __future__ import annotations

import logging
import math
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

WHOLE = {"whole": True}  # `extra` of a log message with a path or a command that somebody may copy


def say(line: str) -> None:
    """Tell the user what goes on; results go to stdout, this to stderr."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # nobody reads any more, or the terminal is closed
        silence(sys.stderr)


@contextmanager
def stdout_kept_clean(wanted: bool = True) -> Iterator[None]:
    """Meanwhile stderr gets all that is printed, also by a game's C code and by processes that start now.

    What is printed afterwards is then alone on stdout, for a program that reads it: `| jq`.
    """
    if not wanted:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def broken_at_words(text: str, stream: TextIO | None = None) -> str:
    """A long line for a stream, in lines that fit where that is a terminal, which would break it within words.

    Args:
      text:   one line.
      stream: None for stderr.
    """
    if not (stream or sys.stderr).isatty():
        return text
    return textwrap.fill(text, shutil.get_terminal_size().columns, break_long_words=False, break_on_hyphens=False)


def command_told(words: Sequence[str], stream: TextIO | None = None) -> str:
    """A command to be copied: one line, or lines that a shell joins again where a terminal has no room for one.

    Args:
      words:  of the command, not quoted.
      stream: None for stdout.
    """
    lines = [""]
    columns = shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() and os.name == "posix" else math.inf
    for word in map(shlex.quote, words):
        if lines[-1].strip() and len(lines[-1]) + len(word) + len(" \\") > columns:
            lines[-1] += "\\"
            lines.append("    ")
        lines[-1] += word + " "
    return "\n".join(lines).rstrip()


def redraws() -> bool:
    """Is stderr a terminal that can draw a line anew? The shell of an editor (TERM=dumb) cannot, nor can a pipe."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


class TerminalHandler(logging.Handler):
    """Writes each message for the user, broken at words unless it is `WHOLE`; a warning is marked as one."""

    def emit(self, record: logging.LogRecord) -> None:
        text = ("warning: " if record.levelno == logging.WARNING else "") + record.getMessage()
        say(text if hasattr(record, "whole") else broken_at_words(text))


@contextmanager
def messages_shown() -> Iterator[None]:
    """Meanwhile the user sees what the package's loggers are told, from level INFO on; for programs, not for modules.

    Whoever uses the package from Python decides for themselves, as of any library:
    `logging.basicConfig(level=logging.INFO, format="%(message)s")`.
    """
    logger, handler = logging.getLogger("atari_dqn"), TerminalHandler()
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = bool(logging.getLogger().handlers)  # a library that sets up the root later shows nothing twice
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def silence(stream: TextIO) -> None:
    """What is written to the stream goes nowhere from now on, also what it holds back until the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
