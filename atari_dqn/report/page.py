"""The report as one HTML page that needs nothing else: style and script are inside, and it asks no network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files

from atari_dqn import __version__
from atari_dqn.published.scores import published
from atari_dqn.report.chapters import ALL, LINKS
from atari_dqn.report.contents import Contents
from atari_dqn.report.formatting import count, few
from atari_dqn.report.markup import Markup, element, void

POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def render(contents: Contents, *, command: Sequence[str], written: datetime) -> str:
    """The whole page.

    Args:
      contents: what it says.
      command:  words that make it again.
      written:  when, UTC.
    """
    made = [(link, chapter(contents)) for link, chapter in zip(LINKS, ALL, strict=True)]
    body = [chapter for _, chapter in made if chapter is not None]
    names = few([one.name for one in contents.series])
    name = "DQN on Atari: " if any(map(published, contents.games)) else "DQN: "
    page = element(
        "html",
        element(
            "head",
            void("meta", charset="utf-8"),
            void("meta", name="viewport", content="width=device-width, initial-scale=1"),
            void("meta", http_equiv="Content-Security-Policy", content=POLICY),
            element("title", name + names),
            element("style", _file("report.css")),
        ),
        element(
            "body",
            element("a", "Skip to the results", href="#overview", class_="skip"),
            _header(contents, element("h1", name, element("span", names)), written),
            _toolbar([link for link, chapter in made if chapter is not None]),
            element("main", *body),
            _footer(command),
            element("script", _file("report.js")),
        ),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


def _file(name: str) -> Markup:
    """A file of the package that goes into the page as it is."""
    return Markup((files("atari_dqn") / "data" / name).read_text(encoding="utf-8"))


def _header(contents: Contents, heading: Markup, written: datetime) -> Markup:
    finished = sum(run.finished for run in contents.runs)
    said = (
        f"{count(len(contents.runs), 'run')}, {finished} finished; {count(len(contents.games), 'game')}. "
        f"Written {written:%d %B %Y, %H:%M} UTC."
    )
    return element(
        "header",
        element("p", f"atari_dqn {__version__}", class_="kicker"),
        heading,
        element("p", said, class_="muted"),
        class_="top",
    )


def _toolbar(chapters: Sequence[tuple[str, str]]) -> Markup:
    """Links to the chapters that there are, (anchor, name) each, and what changes how the page looks."""
    links = [element("a", name, href=f"#{anchor}") for anchor, name in chapters]
    search = element(
        "label",
        element("span", "Filter games", class_="hidden"),
        void("input", type="search", id="filter", placeholder="Filter games", autocomplete="off"),
    )
    played = element("label", void("input", type="checkbox", id="played"), " only with results", class_="check")
    return element(
        "div",
        element("nav", *links, aria_label="Chapters"),
        element(
            "div",
            search,
            played,
            element("output", "", id="shown", aria_live="polite"),
            element("button", "Theme: automatic", id="theme", type="button"),
            class_="controls",
            role="search",
            aria_label="Games shown, and colours",
        ),
        class_="toolbar",
    )


def _footer(command: Sequence[str]) -> Markup:
    beside = [element("code", name) for name in ("scores.csv", "table.csv", "aggregates.csv")]
    made = element("p", "Made by ", element("code", " ".join(command)), ".")
    numbers = element(
        "p", "The same numbers stand beside this page in ", beside[0], ", ", beside[1], " and ", beside[2], "."
    )
    return element("footer", made, numbers, class_="muted")
