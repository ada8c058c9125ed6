"""Type checkers see the signatures of the package, in a wheel and in a checkout: mypy and Pyright on a user's lines."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = """\
from typing import assert_type
from atari_dqn import Callback, Run, Selection, Training, load, presets, train

class Enough(Callback):
    def on_step(self, training: Training) -> bool:
        return assert_type(training.step, int) >= 100

run = train(presets.quick("pong"), "runs/mine", callbacks=[Enough()])
assert_type(run, Run)
assert_type(run.evaluate(Selection(episodes=5)).result.mean, float)
assert_type(load("pretrained:pong").step, int)
train("pong")  # wrong: no config
train(presets.quick("pong"), callbacks=[Enough])  # wrong: a class
print(run.exitcode)  # wrong: no such name
"""
WRONG = [number for number, line in enumerate(LINES.splitlines(), 1) if "# wrong" in line]


def check(folder, command):
    """What a checker prints in a folder; PYTHONPATH would show it another package than the one of the interpreter."""
    free = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-m", *command, "user.py"], cwd=folder, env=free, capture_output=True, text=True
    ).stdout


def mypy(folder, python):
    said = check(
        folder, ["mypy", "--strict", "--python-executable", python, "--cache-dir", python.parents[2] / "cache"]
    )
    return {int(line) for line in re.findall(r"^user\.py:(\d+): error", said, re.M)}, said


def pyright(folder, python):
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard", "reportMissingModuleSource": false}')
    said = check(folder, ["basedpyright", "--outputjson", "--pythonpath", python])
    found = [one for one in json.loads(said)["generalDiagnostics"] if one["severity"] == "error"]
    return {one["range"]["start"]["line"] + 1 for one in found}, said


@pytest.fixture(scope="module")
def pythons(tmp_path_factory):
    """Interpreters that have the package alone, once from a wheel and once as `pip install --editable` leaves it."""
    top = tmp_path_factory.mktemp("types")
    build = "import sys; from hatchling.build import *; build_wheel(sys.argv[1]), build_editable(sys.argv[2])"
    subprocess.run(
        [sys.executable, "-c", build, top / "wheel", top / "editable"], cwd=ROOT, check=True, capture_output=True
    )
    found = {}
    for kind in ("wheel", "editable"):
        home = top / f"python_{kind}"
        venv.create(home, symlinks=sys.platform != "win32")
        (site,) = home.rglob("site-packages")
        (archive,) = (top / kind).glob("*.whl")
        zipfile.ZipFile(archive).extractall(site)
        found[kind] = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    return found


@pytest.mark.parametrize("kind", ["wheel", "editable"])
@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_checker_finds_what_is_wrong_and_nothing_else(checker, kind, pythons, tmp_path):
    if checker is pyright and importlib.util.find_spec("basedpyright") is None:
        pytest.skip("needs basedpyright, of the dev extra")
    (tmp_path / "user.py").write_text(LINES)
    lines, said = checker(tmp_path, pythons[kind])
    assert sorted(lines) == WRONG, said
