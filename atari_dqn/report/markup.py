"""HTML and SVG as nested calls. Text is escaped unless it is `Markup` already: nothing from a file can act as HTML."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup as Markup
from markupsafe import escape


def element(tag: str, *children: object, **attributes: Any) -> Markup:
    """`<tag attributes>children</tag>`.

    Args:
      tag:        name of the element.
      children:   Markup as it is; everything else escaped; None is left out.
      attributes: `class_` means class, an underscore inside a name a hyphen; None or False leaves the attribute out,
                  True writes its bare name.
    """
    return Markup(f"<{tag}{_attributes(attributes)}>{join(*children)}</{tag}>")


def void(tag: str, **attributes: Any) -> Markup:
    """An element that never has children, such as `<input>` or `<meta>`."""
    return Markup(f"<{tag}{_attributes(attributes)}>")


def join(*children: object) -> Markup:
    """Children one after the other, without an element around them."""
    return Markup("").join(escape(child) for child in children if child is not None)


def _attributes(attributes: dict[str, Any]) -> str:
    parts = []
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{escape(_plain(value))}"')
    return "".join(parts)


def _plain(value: object) -> str:
    """Coordinates with two digits are exact to a hundredth of a pixel and keep the page small."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
