"""The architecture as a table: which room may import from which. Inside a room imports make no circle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "atari_dqn"
VOCABULARY = set(
    "config cuda_graph errors extras host presets presets.cartpole presets.family presets.minatar presets.papers "
    "presets.pixels presets.quick safe_files seeding settings settings.bounds settings.checks settings.extensions "
    "settings.from_file settings.learning settings.play settings.running settings.table types".split()
)
DOORS = {"__init__", "__main__", "cli", "suite.tether"}
MAY_IMPORT = {  # besides the vocabulary and itself
    "published": "",
    "networks": "",
    "replay": "",
    "envs": "",
    "storage": "replay",
    "extensions": "networks replay",
    "kernels": "networks",
    "dqn": "networks replay storage extensions kernels",
    "evaluation": "envs replay dqn published",
    "video": "envs dqn evaluation",
    "runs": "published networks replay envs storage extensions dqn evaluation video",
    "suite": "published networks replay envs storage extensions dqn evaluation video runs",
    "report": "published",
    "commands": "published networks replay envs storage extensions dqn evaluation video runs suite report",
}
# It reads what runs wrote, and without torch: settings, and the one record that an evaluation's file holds.
VOCABULARY_OF_REPORT = {"config", "settings.from_file", "errors", "safe_files", "evaluation.result"}
EXTENSIONS_MEET_THE_PAPER_IN = {"dqn.parts"}
LONGEST_MODULE, LONGEST_FUNCTION = 300, 50  # lines, docstrings included
MOST_METHODS = 10  # public ones of a class, besides `state_dict` and `load_state_dict`


def module_name(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") or "__init__"


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path):
    """Modules of ours that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "atari_dqn":
            home = node.module.removeprefix("atari_dqn").removeprefix(".")
            for alias in node.names:
                inner = f"{home}.{alias.name}".removeprefix(".")
                yield inner if inner in MODULES else home or "__init__"
        elif isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "atari_dqn" for alias in node.names), (
                f"{path}: use from ... import"
            )
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"


def room_of(name):
    room = name.split(".")[0]
    return room if room in MAY_IMPORT else ""


def complaint(name, other):
    """Why `name` may not import `other`; "" if it may."""
    room, other_room = room_of(name), room_of(other)
    if other in DOORS:
        return "only the doors import doors" if other != "__init__" and name not in DOORS else ""
    if name in DOORS or other_room == room:
        return ""
    if room == "report" and other_room != "published":
        return "" if other in VOCABULARY_OF_REPORT else f"report knows no {other}"
    if not other_room:
        return ""
    if other_room == "extensions" and room == "dqn" and name not in EXTENSIONS_MEET_THE_PAPER_IN:
        return "no extension here"
    if other_room not in MAY_IMPORT.get(room, "").split():
        return f"{room or 'the vocabulary'} may not import {other_room}"
    return ""


def test_each_module_is_in_a_room_or_in_the_vocabulary():
    assert {name for name in MODULES if not room_of(name)} == VOCABULARY | DOORS - {"suite.tether"}


def test_rooms_import_what_the_table_lets_them():
    edges = [(name, other) for name, path in MODULES.items() for other in imported(path)]
    wrong = [f"{name} -> {other}: {why}" for name, other in edges if (why := complaint(name, other))]
    assert not wrong, "\n".join(wrong)


def test_what_learns_imports_nothing_of_what_stands_around_it():
    """As the README says of the left and the right half of its table."""
    learning = re.findall(r"^\| `(\w+)/`", (PACKAGE.parent / "README.md").read_text(encoding="utf-8"), re.M)
    assert len(learning) == 7 and {room for name in learning for room in MAY_IMPORT[name].split()} <= set(learning)


def test_no_circle_of_imports():
    graph = {name: set(imported(path)) - {name, "__init__"} for name, path in MODULES.items() if name != "__init__"}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_each_room_says_its_reading_order():
    for room in MAY_IMPORT:
        docstring = ast.get_docstring(ast.parse(MODULES[room].read_text(encoding="utf-8")))
        files = {name.split(".")[1] for name in MODULES if name.startswith(f"{room}.")}
        missing = sorted(file for file in files if f"{file}.py" not in docstring)
        assert not missing, f"the docstring of atari_dqn/{room}/__init__.py does not name {', '.join(missing)}"


def functions(name, path):
    """(name, lines) of each function of a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            yield f"{name}.{node.name}", node.end_lineno - node.lineno + 1


def methods(name, path):
    """(name, number of public methods) of each class of a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            own = {each.name for each in node.body if isinstance(each, ast.FunctionDef) and each.name[0] != "_"}
            yield f"{name}.{node.name}", len(own - {"state_dict", "load_state_dict"})


def test_nothing_outgrows_its_reader():
    """What is too long is split by a noun."""
    modules = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    long = {name: lines for name, lines in modules.items() if lines > LONGEST_MODULE}
    lengths = [found for name, path in MODULES.items() for found in functions(name, path)]
    long |= {name: lines for name, lines in lengths if lines > LONGEST_FUNCTION}
    numbers = [found for name, path in MODULES.items() for found in methods(name, path)]
    assert not long | {name: number for name, number in numbers if number > MOST_METHODS}


def test_files_that_are_named_exist():
    root = PACKAGE.parent
    known = [path.relative_to(root).as_posix() for folder in ("atari_dqn", "benchmarks", "tests", "scripts", "docs")
             for path in (root / folder).rglob("*.py")]  # fmt: skip
    for path in [*PACKAGE.rglob("*.py"), *(root / "benchmarks").glob("*.py")]:
        for name in re.findall(r"`([\w/]+\.py)`", path.read_text(encoding="utf-8")):
            assert any(f"/{other}".endswith(f"/{name}") for other in known), f"{path.name} names {name}"


def test_the_loop_has_no_branch_of_a_member_of_the_family():
    for name in ("dqn.trainer", "dqn.learner", "dqn.algorithm"):
        text = MODULES[name].read_text(encoding="utf-8")
        assert not re.search(r"\.extensions\b|double_q|isinstance\(self\.(head|target_rule|sampler)", text), name
