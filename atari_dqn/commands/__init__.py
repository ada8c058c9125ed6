"""The subcommands, one module each.

A dataclass whose fields are the flags, and `run(words)` behind it:

train.py, evaluate.py, video.py, watch.py, export.py (one run); play.py (a person plays); suite.py with suite_flags.py
and suite_jobs.py, report.py, compare.py (many); presets.py, games.py, doctor.py, completion.py (to look things up);
compare_approximators.py and ablation.py (studies, by cartpole_study.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from atari_dqn.errors import UsageError
from atari_dqn.host import cores

__all__ = ["checked_jobs", "parse", "whole_number"]


def parse(kind: Any, words: Sequence[str], *, prog: str, default: Any = None) -> Any:
    """The dataclass `kind` from the words of a command line; a wrong one prints a message and exits with code 2."""
    options = {} if default is None else {"default": default}
    return tyro.cli(kind, args=list(words), prog=prog, description=kind.__doc__, registry=NUMBERS, **options)


def whole_number(text: str) -> int:
    """An integer as people write it: 1000000, 1_000_000, 1e6 or 2.5e6.

    Raises:
      ValueError: it is none.
    """
    found = re.fullmatch(r"([+-]?\d+)(?:\.(\d*))?[eE]\+?(\d{1,2})", text)
    if not found:
        return int(text)
    whole, fraction, exponent = found[1], found[2] or "", int(found[3])
    if len(fraction.rstrip("0")) > exponent:
        raise ValueError(f"{text} is no whole number")
    return int(whole + fraction.ljust(exponent, "0")[:exponent])


NUMBERS = ConstructorRegistry()


@NUMBERS.primitive_rule
def _numbers(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[float | None] | None:
    """Integers as people write them, and `none` where there need not be a number."""
    kinds = get_args(info.type) if isinstance(info.type, UnionType) else (info.type,)
    if kinds not in ((int,), (int, NoneType), (float, NoneType)):
        return None
    number = whole_number if kinds[0] is int else float
    optional = NoneType in kinds
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kinds[0].__name__.upper() + "|none" * optional,
        instance_from_str=lambda words: None if optional and words[0].lower() == "none" else number(words[0]),
        is_instance=lambda value: type(value) in kinds,
        str_from_instance=lambda value: ["none" if value is None else str(value)],
    )


def checked_jobs(jobs: int) -> int:
    """Processes at a time: `jobs`, or one a core if it is 0.

    Raises:
      UsageError: it is negative.
    """
    if jobs < 0:
        raise UsageError(f"jobs is {jobs}; it must be at least 0")
    return jobs or cores()
