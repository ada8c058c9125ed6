"""What a run folder says about where it comes from."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from atari_dqn.runs import provenance
from atari_dqn.runs.provenance import PACKAGES, hardware


def test_every_package_behind_the_numbers_is_found_by_the_name_it_is_installed_as():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert set(PACKAGES) - {"atari-dqn"} <= {Requirement(line).name for line in project["dependencies"]}
    assert [name for name, version in hardware()["packages"].items() if version is None] == []


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_asking_for_the_commit_writes_nothing_into_the_repository(tmp_path, monkeypatch):
    (tmp_path / "package/runs").mkdir(parents=True)
    source = tmp_path / "package/runs/file.py"
    source.write_text("1")
    name = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    for words in (["init", "-q"], ["add", "."], [*name, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    os.utime(source, (1, 1))  # git would note in its index, under a lock, that this is no change
    index = (tmp_path / ".git/index").read_bytes()
    monkeypatch.setattr(provenance, "__file__", str(source))
    commit = hardware()["commit"]
    assert commit and not commit.endswith("-changed")
    assert (tmp_path / ".git/index").read_bytes() == index
