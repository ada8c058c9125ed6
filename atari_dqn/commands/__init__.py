"""The subcommands, one module each.

A dataclass whose fields are the flags, and `run(words)` behind it:

train.py, evaluate.py, video.py (one run); suite.py, report.py (many); presets.py; compare_approximators.py and
ablation.py (studies).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tyro

from atari_dqn.errors import UsageError
from atari_dqn.host import cores
from atari_dqn.terminal import say

__all__ = ["checked_jobs", "parse", "say"]


def parse(kind: Any, words: Sequence[str], *, prog: str, default: Any = None) -> Any:
    """The dataclass `kind` from the words of a command line; a wrong one prints a message and exits with code 2."""
    options = {} if default is None else {"default": default}
    return tyro.cli(kind, args=list(words), prog=prog, description=kind.__doc__, **options)


def checked_jobs(jobs: int) -> int:
    """Processes at a time: `jobs`, or one a core if it is 0.

    Raises:
      UsageError: it is negative.
    """
    if jobs < 0:
        raise UsageError(f"jobs is {jobs}; it must be at least 0")
    return jobs or cores()
