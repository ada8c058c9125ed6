"""Write tables into README.md and docs/, below their marks: scores and speed from results, rooms from the code.

python benchmarks/readme_table.py [--check]     --check changes nothing and fails where a page is stale
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from result_tables.measurements import measured
from result_tables.scores import family, highlights, proof, quick, recipes
from result_tables.speed import speed

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "atari_dqn"
MARK = "<!-- {}: written by benchmarks/readme_table.py -->\n"
END = "\n<!-- end of {} -->"  # of what has empty lines in it; a table ends before the first one


def scripts() -> str:
    """Every script of benchmarks/ in Markdown, and what it answers."""
    paths = [path for path in sorted(Path(__file__).parent.iterdir()) if path.suffix in (".py", ".sh")]
    lines = [f"| [`{path.name}`]({path.name}) | {said_by(path)} |" for path in paths]
    return "\n".join(["| script | what it answers |", "|---|---|", *lines])


def said_by(script: Path) -> str:
    """The first sentences of a Python script's docstring, or of a shell script's comment."""
    if script.suffix == ".py":
        return summary(script)
    comment = re.match(r"#!.*\n((?:# \S.*\n)+)", script.read_text(encoding="utf-8"))
    assert comment, f"{script.name} does not begin with what it is for"
    return comment[1].replace("# ", "").replace("\n", " ").strip()


LEARNING = "dqn extensions kernels networks replay envs storage".split()
AROUND = "published evaluation video runs suite report commands".split()
ROOM_NAMES = LEARNING + AROUND  # in reading order


def summary(path: Path) -> str:
    """The first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").removesuffix(":")


def rooms() -> str:
    """The packages of `atari_dqn` in reading order: those that learn, and beside them those around."""
    cells = [f"`{room}/` | {summary(PACKAGE / room / '__init__.py')}" for room in ROOM_NAMES]
    pairs = zip(cells[: len(LEARNING)], cells[len(LEARNING) :], strict=True)
    lines = [f"| {learning} | {around} |" for learning, around in pairs]
    return "\n".join(["| what learns | | what stands around it | |", "|---|---|---|---|", *lines])


def files() -> str:
    """Every module, room by room, with the first sentence of its docstring."""
    parts = ["### At the top", *(f"- `{path.name}`: {summary(path)}" for path in modules(PACKAGE))]
    for room in ("settings", "presets", *ROOM_NAMES):
        parts += ["", f"### `{room}/`", "", summary(PACKAGE / room / "__init__.py"), ""]
        parts += [f"- `{path.name}`: {summary(path)}" for path in modules(PACKAGE / room)]
    return "\n".join([parts[0], "", *parts[1:]])


def modules(folder: Path) -> list[Path]:
    """In the order in which the room's docstring names them, then by name."""
    order = (folder / "__init__.py").read_text(encoding="utf-8")
    paths = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    return sorted(paths, key=lambda path: (order.find(path.name) % 10**9, path.name))


TABLES = {
    "README.md": (highlights, recipes, rooms),
    "docs/results.md": (proof, quick, speed, measured),
    "docs/architecture.md": (files,),
    "docs/family.md": (family,),
    "benchmarks/README.md": (scripts,),
}


def main() -> int:
    """Rewrite, or check."""
    stale = []
    for name, tables in TABLES.items():
        text = fresh = (ROOT / name).read_text()
        for table in tables:
            mark, end = MARK.format(table.__name__), END.format(table.__name__)
            before, rest = fresh.split(mark)
            end = end if end in rest else "\n\n"
            fresh = f"{before}{mark}{table()}{end}{rest.split(end, 1)[1]}"
        if fresh != text:
            stale.append(name)
        if "--check" not in sys.argv:
            (ROOT / name).write_text(fresh)
    if "--check" in sys.argv and stale:
        print(f"stale: {', '.join(stale)}; run python benchmarks/readme_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
