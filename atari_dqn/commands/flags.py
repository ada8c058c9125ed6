"""The flags of a command, read off its dataclass, and what is told where a value lacks or is one too many."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import math
import textwrap
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from tyro.conf import Positional, Suppress

from atari_dqn.errors import UsageError

SUPPRESSED, POSITIONAL = (set(get_args(mark[int])[1:]) for mark in (Suppress, Positional))
KINDS = {int: "a whole number", float: "a number", Path: "a path"}
EXAMPLES = {int: "1", float: "0.5"}
NOTHING = (dataclasses.MISSING, None, "", ())  # defaults that are no example


class Flag(NamedTuple):
    """A field of a command's dataclass, or of a dataclass in it."""

    name: str
    """On the command line: `--double-q`."""
    kind: Any
    """Type of its values, without marks."""
    default: Any
    told: str
    """The sentences under it."""
    positional: bool
    """A word without a flag, such as a game."""
    suppressed: bool
    """No help shows it."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it takes, if it takes no others."""
        return tuple(_choices(self.kind))

    @property
    def most(self) -> float:
        """How many words may follow it."""
        return 0 if self.kind is bool else math.inf if get_origin(self.kind) is tuple else 1


def flags_of(kind: Any) -> Iterator[Flag]:
    """The flags of a dataclass in their order, those of dataclasses in it included."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint, marks, name = hints[field.name], list[Any](), field.name
        while get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            marks += more
            name = next((mark.name for mark in more if getattr(mark, "name", None)), name)
        if dataclasses.is_dataclass(hint):
            yield from flags_of(hint)
            continue
        positional, suppressed = (any(mark in marks for mark in of) for of in (POSITIONAL, SUPPRESSED))
        told = sentence(kind, field.name) or ""
        yield Flag("--" + name.replace("_", "-"), hint, field.default, told, positional, suppressed)


def _choices(hint: Any) -> Iterator[str]:
    """Words of the `Literal`s in a type."""
    if get_origin(hint) is Literal:
        yield from map(str, get_args(hint))
    elif get_origin(hint) in (Union, types.UnionType, tuple):
        for part in get_args(hint):
            yield from _choices(part)


def refuse_misfits(kind: Any, words: Sequence[str]) -> None:
    """Refuse a switch with a value, a flag of one value without it, and a word that belongs to no flag.

    Flags that there are not, and values of the wrong kind, are left to the parser.

    Raises:
      UsageError: naming the flag, and what to write instead.
    """
    if any(word == "-h" or word.startswith("--help") for word in words):
        return
    flags = {flag.name: flag for flag in flags_of(kind)}
    room = sum(flag.most for flag in flags.values() if flag.positional)
    switch, expected = "", 0.0  # the flag before, if it is a switch; the words that may still belong to a flag
    for word, after in zip(words, [*words[1:], "--"], strict=False):
        name, equals, value = word.partition("=")
        if not word.startswith("--"):
            if not expected and not room:
                raise _no_value(switch, word) if switch else _belongs_to_none(word)
            room -= not expected
            expected -= bool(expected)
            switch = ""
            continue
        name = name.replace("_", "-")
        flag = flags.get(name) or flags.get("--" + name.removeprefix("--no-"))
        expected = 0 if equals else math.inf if flag is None else flag.most
        switch = flag.name if flag and flag.kind is bool else ""
        if switch and equals:
            raise _no_value(switch, value)
        if flag and expected == 1 and after.startswith("--"):
            raise UsageError(value_wanted(flag))


def _no_value(switch: str, value: str) -> UsageError:
    on_or_off = f"{switch} or --no-{switch[2:]}"
    return UsageError(f"{switch} is a switch and takes no value, but is given {value[:40]!r}; write {on_or_off}")


def _belongs_to_none(word: str) -> UsageError:
    dashes = "; flags begin with two dashes" if word.startswith("-") else ""
    return UsageError(f"{word[:40]!r} is one word too many: it is the value of no flag{dashes}")


def value_wanted(flag: Flag) -> str:
    """What is told to somebody who gave a flag no value: the kind of value, and an example or what it is for."""
    if flag.choices:
        return f"{flag.name} needs a value, one of: {', '.join(flag.choices)}"
    plain = next(iter(get_args(flag.kind)), flag.kind)
    kind = f": {KINDS[plain]}" if plain in KINDS else ""
    example = EXAMPLES.get(plain) if flag.default in NOTHING else flag.default
    if example is not None:
        return f"{flag.name} needs a value{kind}, for example {flag.name} {example}"
    return f"{flag.name} needs a value{kind} ({flag.told.split('. ')[0].rstrip('.')})"


def sentence(kind: type, name: str) -> str | None:
    """What is written under a field, as one paragraph."""
    return next((told[name] for base in kind.__mro__ if name in (told := _sentences(base))), None)


@functools.cache
def _sentences(kind: type) -> Mapping[str, str]:
    if not dataclasses.is_dataclass(kind):
        return {}
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(found, ast.ClassDef)
    return {
        field.target.id: " ".join(str(below.value.value).split())
        for field, below in zip(found.body, found.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }
