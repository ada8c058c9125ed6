"""Pages of the site whose source is not in docs/ (README, changelog, commands, the API), and what pages need of it.

The pages of docs/ are written for a reader of the repository. On the site links that leave docs/ get the address of the
repository, formulas become MathML, which browsers draw without a script, and each page a description of its own.
"""

from __future__ import annotations

import contextlib
import html
import inspect
import io
import json
import logging
import os
import posixpath
import re
import sys
import textwrap
from pathlib import Path
from unittest import mock

import jupytext
import material
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import atari_dqn
from atari_dqn.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(Path(__file__).parent)]

from notebook import tutorial  # noqa: E402
from readme_table import PACKAGE, ROOM_NAMES, modules, summary  # noqa: E402

COPIED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.M | re.S)
LINK = re.compile(r"(?<=\]\()(?!https?:|#)([^)#\s]+)")
CELL = re.compile(r"<td[^>]*>.*?</td>", re.S)
IN_CELL = re.compile(r"(?<=<code>).*?(?=</code>)", re.S)
IN_REPOSITORY = re.compile(r"<a\b.*?</a>|<code>(?P<path>(?:atari_dqn|benchmarks|scripts|tests)/[\w./]+)</code>", re.S)
FORMULA = re.compile(r"^```math\n(.*?)^```$", re.M | re.S)
PROSE = re.compile(r"^[A-Z][^\n]*(?:\n[^\n]+)*", re.M)
DOORS = ("__init__", "__main__", "cli")
log = logging.getLogger("mkdocs.hooks.atari_dqn")  # with --strict a warning ends the build


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the API."""
    assert config.nav is not None
    (api,) = (entry["API"] for entry in config.nav if "API" in entry)
    api += [*({room: f"api/{room}.md"} for room in ROOM_NAMES), {"Modules at the top": "api/top.md"}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what has its source elsewhere."""
    pages = {page: (ROOT / name).read_text(encoding="utf-8") for name, page in COPIED.items()}
    pages |= {"commands.md": commands(), "api/index.md": promised(), "api/top.md": room_page("")}
    pages |= {f"api/{room}.md": room_page(room) for room in ROOM_NAMES}
    pages |= {"site.css": (ROOT / "docs/site/site.css").read_text(encoding="utf-8"), "favicon.svg": favicon()}
    pages["download/tutorial.ipynb"] = jupytext.writes(tutorial(f"{config.site_url}figures/"), fmt="ipynb")
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links, formulas and details of a page."""
    source = {page: name for name, page in COPIED.items()}.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    if source.startswith("docs/api/"):
        page.meta["search"] = {"boost": 0.3}  # pages that explain come first
    page.meta.setdefault("description", description(text) or config.site_description)
    if source == "docs/tutorial.md":
        text = text.replace("\n\n", "\n\nThis page is also [a Jupyter notebook](download/tutorial.ipynb).\n\n", 1)
    text = FORMULA.sub(lambda found: convert(found[1].strip(), display="block"), text)
    text = text.replace("<details>", '<details markdown="1">')
    if page.file.generated_by and source.startswith("docs/"):
        return text
    pieces, end = [], 0
    for code in CODE.finditer(text):
        pieces += [relinked(text[end : code.start()], source, page, config), code[0]]
        end = code.end()
    return "".join([*pieces, relinked(text[end:], source, page, config)])


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Files that a page names are links. A search looks into what is said of a function, not into its source."""

    def linked(found: re.Match[str]) -> str:
        path = found["path"]
        if path is None or not (ROOT / path).exists():
            return found[0]
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f'<a href="{config.repo_url}/{kind}/main/{path}">{found[0]}</a>'

    if page.file.src_uri.startswith("api/"):
        return content.replace(
            '<details class="mkdocstrings-source"', '<details class="mkdocstrings-source" data-search-exclude'
        )
    return IN_REPOSITORY.sub(linked, content)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Names in tables break after `_`, `/` or `.`, and no page asks another server."""

    def broken(cell: re.Match[str]) -> str:
        return IN_CELL.sub(lambda code: re.sub(r"(?<=[_/.])(?=\w)", "<wbr>", code[0]), cell[0])

    # the theme would ask GitHub for stars and releases
    return CELL.sub(broken, output).replace(' data-md-component="source"', "")


def description(text: str) -> str:
    """The beginning of the first paragraph, for search engines and link previews."""
    found = PROSE.search(CODE.sub(lambda code: code[0].strip("`") if "\n" not in code[0] else "", text))
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", found[0]) if found else ""
    return html.escape(textwrap.shorten(plain, 160, placeholder=" ..."))


def favicon() -> str:
    """The theme's gamepad, which stands beside the name, too, in the colour of the header."""
    icon = Path(material.__file__).parent / "templates/.icons/material/gamepad-square.svg"
    return icon.read_text(encoding="utf-8").replace("<svg ", '<svg fill="#546d78" ', 1)


def relinked(text: str, source: str, page: Page, config: MkDocsConfig) -> str:
    """Links of `source`, a path in the repository, as links of `page`."""

    def target(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), found[1]))
        if (on_site := COPIED.get(path)) is None and path.startswith("docs/"):
            on_site = path.removeprefix("docs/")
        if on_site is not None:
            return posixpath.relpath(on_site, posixpath.dirname(page.file.src_uri) or ".")
        if not (ROOT / path).exists():
            log.warning("%s links to %s, which is not in the repository", source, path)
        return f"{config.repo_url}/blob/main/{path}"

    return LINK.sub(target, text)


def commands() -> str:
    """The help of each command."""
    parts = ["# Commands\n\nWhat `atari-dqn COMMAND --help` says."]
    for name in COMMANDS:
        game = ["pong"] if name == "train" else []
        wide, said = mock.patch.dict(os.environ, COLUMNS="80"), contextlib.redirect_stdout(io.StringIO())
        with wide, said as printed, contextlib.suppress(SystemExit):
            main([name, *game, "--help", *(["all"] if game else [])])
        parts.append(f"## {name}\n\n```text\n{printed.getvalue().strip()}\n```")
    return "\n\n".join(parts)


def promised() -> str:
    """The public names, and the rooms."""
    lines = ["# API", "", "`from atari_dqn import ...`: these names are promised; everything else may move.", ""]
    for name in sorted({*atari_dqn.__all__} - {"__version__"}):
        found = getattr(atari_dqn, name)
        home = getattr(found, "__module__", None)  # a module has none
        said = (inspect.getdoc(found) or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"- [`{name}`]{f'[{home}.{name}]' if home else f'(top.md#{found.__name__})'}: {said}")
    rooms = (f"- [`{room}`]({room}.md): {summary(PACKAGE / room / '__init__.py')}" for room in ROOM_NAMES)
    return "\n".join([*lines, "", "Rooms, in reading order:", "", *rooms])


def room_page(room: str) -> str:
    """A room, and its modules in reading order; those at the top where `room` is empty."""
    if room:
        said = json.dumps(summary(PACKAGE / room / "__init__.py"))
        parts = [f"---\ndescription: {said}\n---", f"# atari_dqn.{room} {{ #atari_dqn.{room} }}"]
        parts += [f"::: atari_dqn.{room}\n    options:\n      show_submodules: false"]
    else:
        parts = ["# Modules at the top", "Settings, presets, and the vocabulary that every room may import."]
    names = [path.stem for path in modules(PACKAGE / room) if room or path.stem not in DOORS]
    if not room:  # packages that are no room
        found = (path.parent.name for path in PACKAGE.glob("*/__init__.py"))
        names += sorted(set(found) - set(ROOM_NAMES))
    for name in names:
        path = ".".join(["atari_dqn", *[room] * bool(room), name])
        parts += [f"## {name} {{ #{path} }}", f"::: {path}"]
    return "\n\n".join(parts)
