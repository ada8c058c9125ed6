"""From a dataclass to flags and their help, by tyro: its fields are the flags, the sentences under them the help."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    PrimitiveTypeInfo,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from atari_dqn.commands.flags import refuse_misfits, sentence

NAMES = {int: "INT", float: "FLOAT", str: "STR", Path: "PATH"}
NO_DEFAULT = ("", "''", "None")  # how tyro writes the defaults (), "" and None; the sentence says what they mean


def parse(kind: Any, words: Sequence[str], *, prog: str, default: Any = None) -> Any:
    """The dataclass `kind` from the words of a command line; a wrong one prints a message and exits with code 2.

    Raises:
      UsageError: a switch is given a value, or a flag of one value none.
    """
    refuse_misfits(kind, words)
    options = {} if default is None else {"default": default}
    return tyro.cli(
        kind, args=list(words), prog=prog, description=inspect.cleandoc(kind.__doc__), registry=REGISTRY, **options
    )


def whole_number(text: str) -> int:
    """An integer as people write it: 1000000, 1_000_000, 1e6 or 2.5e6.

    Raises:
      ValueError: it is none.
    """
    found = re.fullmatch(r"([+-]?\d+)(?:\.(\d*))?[eE]\+?(\d{1,2})", text)
    if not found:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is no whole number") from None
    whole, fraction, exponent = found[1], found[2] or "", int(found[3])
    if len(fraction.rstrip("0")) > exponent:
        raise ValueError(f"{text} is no whole number")
    return int(whole + fraction.ljust(exponent, "0")[:exponent])


def is_none(words: Sequence[str]) -> bool:
    """Do the words of a flag say that it is to have no value?"""
    return [word.lower() for word in words] == ["none"]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no number") from None


REGISTRY = ConstructorRegistry()


@REGISTRY.primitive_rule
def _values(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Numbers as people write them, one or some, `none` where there need not be one; a text or a path that may lack."""
    if info.type == tuple[int, ...]:
        return PrimitiveConstructorSpec(
            nargs="*",
            metavar="INT ...",
            instance_from_str=lambda words: () if is_none(words) else tuple(map(whole_number, words)),
            is_instance=lambda value: isinstance(value, tuple) and all(type(part) is int for part in value),
            str_from_instance=lambda value: list(map(str, value)),
        )
    kinds = get_args(info.type) if isinstance(info.type, UnionType) else (info.type,)
    if kinds not in ((int,), (float,), (int, NoneType), (float, NoneType), (str, NoneType), (Path, NoneType)):
        return None
    make = {int: whole_number, float: _number}.get(kinds[0], kinds[0])
    accepted = (*kinds, int) if float in kinds else kinds
    may_lack = NoneType in kinds and kinds[0] in (int, float)
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=NAMES[kinds[0]] + ("|none" if may_lack else ""),
        instance_from_str=lambda words: None if may_lack and is_none(words) else make(words[0]),
        is_instance=lambda value: isinstance(value, accepted) and not isinstance(value, bool),
        str_from_instance=lambda value: ["none" if may_lack and value is None else str(value)],
    )


@REGISTRY.struct_rule
def _flags(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Our dataclasses: each help text is one paragraph, wherever the source breaks its lines."""
    if not (dataclasses.is_dataclass(info.type) and info.type.__module__.startswith(__package__.split(".")[0])):
        return None
    hints = get_type_hints(info.type, include_extras=True)
    fields = []
    for field in dataclasses.fields(info.type):
        default = getattr(info.default, field.name, field.default)
        default = tyro.MISSING if default is dataclasses.MISSING else default
        told = functools.partial(sentence, info.type, field.name)
        fields.append(StructFieldSpec(name=field.name, type=_shown(hints[field.name]), default=default, helptext=told))
    return StructConstructorSpec(instantiate=info.type, fields=tuple(fields))


def _shown(hint: Any) -> Any:
    """A type with how its values are shown in the help, where it does not say so itself."""
    plain, *beside = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if dataclasses.is_dataclass(plain):
        return hint
    metavar = f"{NAMES[get_args(plain)[0]]} ..." if get_origin(plain) is tuple else None
    shown = tyro.conf.arg(
        metavar=metavar, help_behavior_hint=lambda told: "" if told in NO_DEFAULT else f"(default: {told})"
    )
    return Annotated[(plain, shown, *beside)]
