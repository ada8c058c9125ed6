"""Pieces of the page that chapters share: headings, tables, cells."""

from __future__ import annotations

from collections.abc import Sequence

from atari_dqn.report.markup import Markup, element


def chapter(anchor: str, name: str, *children: object) -> Markup:
    """A section with a heading; links lead to `anchor`."""
    return element("section", element("h2", name, id=f"{anchor}-title"), *children, id=anchor, aria_labelledby=f"{anchor}-title")


def note(*children: object) -> Markup:
    """Small print under a table or figure."""
    return element("p", *children, class_="note")


def heading(
    name: str, small: str | None = None, *, sortable: bool = True, number: bool = False, classes: str = ""
) -> Markup:
    """Header of a column; a sortable one is a button."""
    words: tuple[object, ...] = (name, None if small is None else element("small", small))
    inside = element("button", *words, type="button", title=f"Sort by {name}") if sortable else element("span", *words)
    classes = " ".join(filter(None, ["number" if number else "", classes]))
    return element("th", inside, scope="col", class_=classes or None)


def number_cell(text: str, *more: object, value: float | None, classes: str = "") -> Markup:
    """A number on the right side of its cell; `value` is what its column is sorted by, None last."""
    sort = "" if value is None else repr(float(value))
    return element("td", element("span", text), *more, class_=f"number {classes}".strip(), data_value=sort)


def data_table(caption: str, headers: Sequence[Markup], rows: Sequence[Markup], *, classes: str = "") -> Markup:
    """A table that scrolls sideways inside of itself where the screen is narrow."""
    return element(
        "div",
        element(
            "table",
            element("caption", caption, class_="hidden"),
            element("thead", element("tr", *headers)),
            element("tbody", *rows),
            class_=classes or None,
        ),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def game_attributes(game: str, played: bool) -> dict[str, object]:
    """What the filter looks at: the name in every spelling, and whether there is anything of ours."""
    return {"data_game": f"{game} {game.replace('_', ' ')}".lower(), "data_played": played}
