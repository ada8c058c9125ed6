"""What a run folder says about where it comes from."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from atari_dqn.runs.provenance import PACKAGES, hardware


def test_every_package_behind_the_numbers_is_found_by_the_name_it_is_installed_as():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert set(PACKAGES) - {"atari-dqn"} <= {Requirement(line).name for line in project["dependencies"]}
    assert [name for name, version in hardware()["packages"].items() if version is None] == []
