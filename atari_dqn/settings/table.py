"""What is known of every setting besides its value, read off the types of its group."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from atari_dqn.settings.bounds import FIXED, May, Range, Word


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
