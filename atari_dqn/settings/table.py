"""Facts about every setting besides its value, read off the types of its group."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from atari_dqn.settings.bounds import FIXED, May, Range, Word

KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    tuple: "a list of whole numbers",
}
"""Types of settings in words."""


class Setting(NamedTuple):
    """A setting of the tree."""

    group: str
    """Its place, "" for the settings of the run itself."""
    default: Any
    """The value in the paper's preset."""
    kinds: tuple[type, ...]
    """Types of its values; a tuple holds integers, and is a list in a file."""
    words: tuple[str, ...]
    """What a word may be; empty for numbers and free text."""
    bounds: Range | Word | None
    """Of a number or free text."""
    may: May
    """What may become of it on a resume, and in a report."""


def settings_of(kind: type) -> dict[str, Setting]:
    """Every setting of a dataclass, and of the dataclasses in it, by name and in their order."""
    hints, may = get_type_hints(kind, include_extras=True), getattr(kind, "may", FIXED)
    found: dict[str, Setting] = {}
    for field in fields(kind):
        hint = hints[field.name]
        if is_dataclass(hint) and isinstance(hint, type):
            found |= {name: setting._replace(group=field.name) for name, setting in settings_of(hint).items()}
        else:
            found[field.name] = _setting(hint, field.default, may)
    return found


def _setting(hint: Any, default: Any, may: May) -> Setting:
    plain, *beside = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    words = get_args(plain) if get_origin(plain) is Literal else ()
    kinds = get_args(plain) if isinstance(plain, UnionType) else (str,) if words else (get_origin(plain) or plain,)
    bounds = next((one for one in beside if isinstance(one, Range | Word)), None)
    return Setting("", default, kinds, words, bounds, next((one for one in beside if isinstance(one, May)), may))


def fitting(value: Any, setting: Setting) -> Any:
    """A value as the type of its setting, from Python's and numpy's numbers and lists: 1e6 is a whole number, too.

    What is none of the setting's types stays as it is, for `type_complaint`.
    """
    kinds, is_bool = setting.kinds, isinstance(value, bool | np.bool_)
    if is_bool or bool in kinds:
        return bool(value) if is_bool and bool in kinds else value
    if tuple in kinds:
        several = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)
        return tuple(map(_whole, value)) if several else value
    if int in kinds:
        return _whole(value)
    if float in kinds and isinstance(value, Real) and not isinstance(value, int):
        return float(value)
    return str(value) if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    return int(value) if isinstance(value, float | np.floating) and value.is_integer() else value


def type_complaint(value: Any, setting: Setting) -> str:
    """What a value must be that it is not, after `fitting`; "" if its type is right."""
    kinds = setting.kinds
    good = type(value) in kinds or (float in kinds and type(value) is int)
    if good and (tuple not in kinds or all(type(item) is int for item in value)):
        return ""
    return " or ".join("none" if kind is NoneType else KINDS[kind] for kind in kinds)
