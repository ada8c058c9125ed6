"""Types as a caller writes them: `Annotated[int, Range(1, 60)]` is `int` in the API; the text names the bounds."""

from __future__ import annotations

from typing import Any

import griffe

WRAPPERS = ("Annotated", "Positional", "Suppress")  # of typing, and of tyro, which reads them for the command line


class PlainTypes(griffe.Extension):
    """Take the wrappers off the types of attributes, from which griffe makes the signatures of dataclasses, too."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Called for every attribute when it has been read."""
        attr.annotation = plain(attr.annotation)


def plain(annotation: Any) -> Any:
    """The type inside of the wrappers around it."""
    while isinstance(annotation, griffe.ExprSubscript) and annotation.canonical_name in WRAPPERS:
        inside = annotation.slice
        annotation = inside.elements[0] if isinstance(inside, griffe.ExprTuple) else inside
    return annotation
