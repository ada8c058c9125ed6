"""Pieces of the page that chapters share: headings, tables, cells."""

from __future__ import annotations

from collections.abc import Sequence

from atari_dqn.report.markup import Markup, element, join


def chapter(anchor: str, name: str, *children: object) -> Markup:
    """A section with a heading; links lead to `anchor`."""
    return element(
        "section", element("h2", name, id=f"{anchor}-title"), *children, id=anchor, aria_labelledby=f"{anchor}-title"
    )


def note(*children: object) -> Markup:
    """Small print under a table or figure."""
    return element("p", *(_kept_together(child) for child in children), class_="note")


def _kept_together(child: object) -> object:
    """Numbers and their percent sign stay on one line."""
    return child.replace(" %", "\N{NO-BREAK SPACE}%") if type(child) is str else child


def heading(
    name: str, small: str | None = None, *, sortable: bool = True, number: bool = False, classes: str = ""
) -> Markup:
    """Header of a column; a sortable one is a button."""
    words: tuple[object, ...] = (
        element("span", name, class_="name"),
        None if small is None else element("small", small),
    )
    inside = element("button", *words, type="button", title=f"Sort by {name}") if sortable else join(*words)
    classes = " ".join(filter(None, ["number" if number else "", classes]))
    return element("th", inside, scope="col", class_=classes or None)


def number_cell(text: str, *more: object, value: float | None, label: str | None = None, classes: str = "") -> Markup:
    """A number on the right side of its cell.

    Args:
      text:    the number in words.
      more:    what stands below it.
      value:   what the column is sorted by; None comes last.
      label:   name of the column, said beside the number where a narrow screen stacks the cells.
      classes: further classes.
    """
    sort = "" if value is None else repr(float(value))
    classes = f"number {classes}".strip()
    return element("td", element("span", text), *more, class_=classes, data_value=sort, data_label=label)


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
        aria_label=f"Table, scrolls sideways: {caption}",
        tabindex="0",
    )


def game_attributes(game: str, played: bool) -> dict[str, object]:
    """What the filter looks at: the name in every spelling, and whether there is anything of ours."""
    return {"data_game": f"{game} {game.replace('_', ' ')}".lower(), "data_played": played}
