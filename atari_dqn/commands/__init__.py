"""The subcommands, one module each.

A dataclass whose fields are the flags, and `run(words)` behind it:

train.py, evaluate.py, video.py, watch.py, export.py (one run); play.py (a person plays); suite.py with suite_flags.py
and suite_jobs.py, report.py, compare.py (many); presets.py, games.py, doctor.py, completion.py (to look things up);
compare_approximators.py and ablation.py (studies, by cartpole_study.py). parser.py makes flags of the dataclasses
that flags.py reads.
"""

from __future__ import annotations

from atari_dqn.commands.parser import parse
from atari_dqn.errors import UsageError
from atari_dqn.host import cores

__all__ = ["checked_jobs", "parse", "refuse_negative"]


def refuse_negative(command: object, *names: str) -> None:
    """Refuse a command line with a number below 0 in one of these fields.

    Raises:
      UsageError: it names the first.
    """
    for name in names:
        if (value := getattr(command, name)) < 0:
            raise UsageError(f"{name} is {value}; it must be at least 0")


def checked_jobs(jobs: int) -> int:
    """Processes at a time: `jobs`, or one a core if it is 0.

    Raises:
      UsageError: it is negative.
    """
    if jobs < 0:
        raise UsageError(f"jobs is {jobs}; it must be at least 0")
    return jobs or cores()
