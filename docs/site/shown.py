"""What the API shows of the code: each name once, with its type as a caller writes it.

`Annotated[int, Range(1, 60)]` is `int` there; the text below it names the bounds.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

WRAPPERS = ("Annotated", "Positional", "Suppress")  # of typing, and of tyro, which reads them for the command line
IN_WORDS = re.compile(r"(`[^`]*`)|<(?=[a-z])")


class Shown(griffe.Extension):
    """Changes what griffe has read, before mkdocstrings makes the pages of it."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Called for each attribute, of which griffe makes the signatures of dataclasses, too."""
        attr.annotation = plain(attr.annotation)

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """`<game>` in the words of a docstring is no tag of HTML; code is escaped anyway."""
        if obj.docstring is not None:
            parts = obj.docstring.value.split("\n\n")
            escaped = [part if part.startswith("    ") else IN_WORDS.sub(spelled, part) for part in parts]
            obj.docstring.value = "\n\n".join(escaped)

    def on_module(self, *, mod: griffe.Module, **kwargs: Any) -> None:
        """A name is described where it is defined, and not again where it is handed on."""
        if mod.exports is not None:
            mod.exports = [
                name for name in mod.exports if str(name) in mod.members and not mod.members[str(name)].is_alias
            ]


def spelled(found: re.Match[str]) -> str:
    """Code as it is, a bracket as HTML spells it."""
    return found[1] or "&lt;"


def plain(annotation: Any) -> Any:
    """The type inside of the wrappers around it."""
    while isinstance(annotation, griffe.ExprSubscript) and annotation.canonical_name in WRAPPERS:
        inside = annotation.slice
        annotation = inside.elements[0] if isinstance(inside, griffe.ExprTuple) else inside
    return annotation
