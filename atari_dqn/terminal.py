"""Words for whoever watches, who may have gone: a closed pipe (`atari-dqn ... | head`) ends no run."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def say(line: str) -> None:
    """Tell the user what goes on; results go to stdout, this to stderr."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:  # nobody reads any more, or the terminal is closed
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """What is written to the stream goes nowhere from now on, also what it holds back until the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
