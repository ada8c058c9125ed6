"""docs/formulas.md is true: each formula has its function, which names the source, and its test; none is missing."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "formulas.md"
LINES = PAGE.read_text(encoding="utf-8").splitlines()
ROWS = [line.strip("| ").split(" | ") for line in LINES if line.startswith("| ") and "](" in line]
LINK = re.compile(r"\[`([\w.]+)`\]\(\.\./([^)]+)\)")
ROOMS = "dqn extensions networks".split()


def said_by(name, path):
    """The docstrings of a function or a class, of the class around it, and of the module, as one line."""
    found = importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    texts = [found.__doc__]
    for part in name.split("."):
        found = getattr(found, part)
        texts.append(found.__doc__)
    return " ".join(" ".join(filter(None, texts)).split())


@pytest.mark.parametrize(("formula", "functions", "source", "tests"), ROWS)
def test_a_formula_has_its_function_its_source_and_its_test(formula, functions, source, tests):
    assert source in [said_by(*link) for link in LINK.findall(functions)][0]
    names = LINK.findall(tests)
    assert names and [name for name, path in names if f"\ndef {name}(" not in (ROOT / path).read_text("utf-8")] == []


def test_each_function_that_names_a_source_is_listed():
    listed = {name for _, functions, _, _ in ROWS for name, _ in LINK.findall(functions)}
    modules = [
        ast.parse(path.read_text("utf-8")) for room in ROOMS for path in (ROOT / "atari_dqn" / room).glob("*.py")
    ]
    functions = [node for module in modules for node in module.body if isinstance(node, ast.FunctionDef)]
    sourced = {function.name for function in functions if "Source" in (ast.get_docstring(function) or "")}
    assert sourced - listed == set()
