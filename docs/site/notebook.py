"""The tutorial as a notebook: python docs/site/notebook.py [--execute]  writes docs/tutorial.ipynb.

`docs/tutorial.md` is the source. Its Python blocks become cells, its commands cells with the flags that keep them
short in the tests, so that all of it runs in a minute or two; what blocks print on the page is left out. Executed are
all cells but the two studies, which tests/test_docs.py runs.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import jupytext
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

DOCS = Path(__file__).resolve().parent.parent
OUTPUT = re.compile(r"<!-- output -->\n```text\n.*?^```$\n?", re.M | re.S)
FLAGS = re.compile(r"\n*<!-- test: (?P<flags>[^\n]*) -->\s*$")
BASH = "%%bash\n"
STUDIES = ("compare-approximators", "ablation")  # several runs each


def tutorial(figures: str = "figures/") -> NotebookNode:
    """The notebook, not executed; pictures are looked for below `figures`, a path or an address."""
    text = OUTPUT.sub("", (DOCS / "tutorial.md").read_text(encoding="utf-8")).replace("](figures/", f"]({figures}")
    notebook = jupytext.reads(text, fmt="md")
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        if cell.source.startswith(BASH):
            command = cell.source.removeprefix(BASH)
            short = FLAGS.search(cells[-1].source)
            if short is None:  # a command for a terminal
                cell = new_markdown_cell(f"```bash\n{command}\n```")
            else:
                cells[-1].source = cells[-1].source[: short.start()]
                cell.source = f"{BASH}# the second line makes it short; leave it out for the run of the text\n"
                cell.source += f"{command.split('  #')[0]} \\\n  {short['flags']}"
                cell.metadata["tags"] = ["study"] if command.split()[1] in STUDIES else []
        cells.append(cell)
    notebook.cells = [cell for cell in cells if cell.source.strip()]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run every cell but the studies in `folder`; the first that fails ends it with its traceback."""
    options: dict[str, Any] = {"timeout": 600, "startup_timeout": 300, "kernel_name": "python3"}
    options |= {"resources": {"metadata": {"path": str(folder)}}, "skip_cells_with_tag": "study"}
    NotebookClient(notebook, **options).execute()


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS / "tutorial.ipynb")
    parser.add_argument("--execute", type=Path, metavar="FOLDER", help="run it, with its runs in this folder")
    options = parser.parse_args()
    notebook = tutorial()
    if options.execute is not None:
        execute(notebook, options.execute)
    jupytext.write(notebook, options.out, fmt="ipynb")
    print(f"{options.out}: {len(notebook.cells)} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())
