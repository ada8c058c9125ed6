"""What a value read from a file must be, in words that are put together; the first field that differs is named.

    COUNTERS = table({"step": integer(0), "best_score": number(), "recent": several(number(), most=20)})
    COUNTERS(state["counters"], "counters")
        CheckpointError: counters.step is "abc"; it must be an integer of at least 0

A `Kind` is a function of a value and of its place in the state. `table`, `several` and `none_or` make one of others.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from atari_dqn.errors import UsageError

Kind = Callable[[Any, str], None]
LARGEST_INTEGER = 2**62  # fits in 64 bits, and so do sums of two
LARGEST_NUMBER = 1e300  # has a square root, and sums of many are finite
TOLD_CHARACTERS = 60  # of a wrong value, in the message


class CheckpointError(UsageError):
    """A checkpoint that is missing, damaged, or of another kind."""


def _refused(place: str, value: Any, wanted: str) -> CheckpointError:
    if isinstance(value, np.ndarray | torch.Tensor):
        told = f"{_dtype(value)} of shape {tuple(value.shape)}"
    else:
        told = json.dumps(value, default=repr)
    told = told if len(told) <= TOLD_CHARACTERS else f"{told[:TOLD_CHARACTERS]}..."
    return CheckpointError(f"{place} is {told}; it must be {wanted}")


def integer(least: int, most: int = LARGEST_INTEGER) -> Kind:
    """A whole number in [least, most]; true and false are none."""
    wanted = f"an integer of at least {least}" if most >= LARGEST_INTEGER else f"an integer in [{least}, {most}]"

    def check(value: Any, place: str) -> None:
        if type(value) is not int or not least <= value <= most:
            raise _refused(place, value, wanted)

    return check


def number(least: float = -LARGEST_NUMBER, most: float = LARGEST_NUMBER) -> Kind:
    """A number in [least, most]; no NaN."""

    def check(value: Any, place: str) -> None:
        if type(value) not in (int, float) or not least <= value <= most:
            raise _refused(place, value, f"a number in [{least:g}, {most:g}]")

    return check


def text(pattern: str) -> Kind:
    """A text that a regular expression describes as a whole."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise _refused(place, value, f"a text like {pattern}")

    return check


def array(shape: Sequence[int | None], dtype: str, least: float = -math.inf, most: float = math.inf) -> Kind:
    """A tensor or an array; None in a shape is any length. With a bound, no element is NaN."""
    bounded = (least, most) != (-math.inf, math.inf)
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    wanted = f"{dtype} of shape ({sizes})" + (f" with elements in [{least:g}, {most:g}]" if bounded else "")

    def check(value: Any, place: str) -> None:
        good = isinstance(value, np.ndarray | torch.Tensor) and _dtype(value) == dtype
        good = good and len(value.shape) == len(shape)
        good = good and all(want in (None, have) for want, have in zip(shape, value.shape, strict=True))
        if good and bounded:
            good = bool(((value >= least) & (value <= most)).all())
        if not good:
            raise _refused(place, value, wanted)

    return check


def several(kind: Kind, *, least: int = 0, most: int) -> Kind:
    """A list of so many values of one kind."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise _refused(place, value, f"a list of {least} to {most} values")
        for index, item in enumerate(value):
            kind(item, f"{place}[{index}]")

    return check


def row(*kinds: Kind) -> Kind:
    """A list with one value of each kind."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or len(value) != len(kinds):
            raise _refused(place, value, f"a list of {len(kinds)} values")
        for index, (item, kind) in enumerate(zip(value, kinds, strict=True)):
            kind(item, f"{place}[{index}]")

    return check


def none_or(kind: Kind) -> Kind:
    """None, or a value of this kind."""

    def check(value: Any, place: str) -> None:
        if value is not None:
            kind(value, place)

    return check


def table(fields: Mapping[str, Kind], *, optional: Mapping[str, Kind] | None = None, more: bool = False) -> Kind:
    """An object with these fields, perhaps with the optional ones, and with no others unless `more`."""
    known = {**fields, **(optional or {})}

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _refused(place, value, "an object")
        for name in fields:
            if name not in value:
                raise CheckpointError(f"{_inside(place, name)} is missing")
        for name, item in value.items():
            if name in known:
                known[name](item, _inside(place, name))
            elif not more:
                raise CheckpointError(f"{_inside(place, name)[:TOLD_CHARACTERS]} is no field that this version knows")

    return check


ANY_OBJECT = table({}, more=True)


def _dtype(value: np.ndarray | torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}".removeprefix(".")
