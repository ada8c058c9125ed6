"""The wheel built from the repository runs from an empty folder, data files included; its page has links that work."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent


NETWORKS = 16_000_000  # bytes of the wheel that all networks together may take


def test_the_wheel_is_whole(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    source = tmp_path / "source"
    shutil.copytree(ROOT / "atari_dqn", source / "atari_dqn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([*build, str(tmp_path), str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        networks = [entry.compress_size for entry in archive.infolist() if "data/pretrained" in entry.filename]
    assert sum(networks) < NETWORKS
    empty = tmp_path / "empty"
    empty.mkdir()
    code = "from atari_dqn.published import scores; print(scores.__file__, scores.published('pong').dqn_nature)"
    options = {"cwd": empty, "env": os.environ | {"PYTHONPATH": str(tmp_path / "site")}, "check": True}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options).stdout
    assert answer.split() == [str(tmp_path / "site/atari_dqn/published/scores.py"), "18.9"]
    help_text = subprocess.run([sys.executable, "-m", "atari_dqn"], capture_output=True, text=True, **options).stdout
    assert "usage: atari-dqn" in help_text
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "atari_dqn").rglob("*.py")}
    assert modules == {path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("*.py")}
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "atari_dqn/data").rglob("*") if path.is_file()}
    shipped = (tmp_path / "site/atari_dqn/data").rglob("*")
    assert "atari_dqn/data/report.css" in data
    assert data == {path.relative_to(tmp_path / "site").as_posix() for path in shipped if path.is_file()}
    (metadata,) = (tmp_path / "site").glob("*.dist-info/METADATA")
    check_the_page_on_the_index(metadata.read_text(encoding="utf-8"))


def check_the_page_on_the_index(metadata):
    """A package index shows the README without its neighbours: each link is the address of a file of this version."""
    head, page = metadata.split("\n\n", 1)
    version = re.search(r"^Version: (.*)$", head, re.M)[1]
    (repository,) = re.findall(r"^Project-URL: Repository, (\S+)$", head, re.M)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if not link.startswith("#")]
    raw = repository.replace("github.com", "raw.githubusercontent.com")
    assert pictures and all(link.startswith(f"{raw}/v{version}/docs/") for link in pictures)
    assert len(links) > 10 and all(link.startswith("https://") for link in links)
    assert f"{repository}/blob/v{version}/docs/results.md" in links


def test_what_the_python_in_the_shell_scripts_imports_is_there():
    wanted = []
    for script in (ROOT / "scripts").glob("*.sh"):
        for code in re.findall(r"<<'PYTHON'\n(.*?)\nPYTHON\n", script.read_text(), re.DOTALL):
            imports = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom))
            wanted += [(node.module, alias.name) for node in imports for alias in node.names]
    assert ("atari_dqn.commands.cartpole_study", "compare_on_cartpole") in wanted
    assert [name for module, name in wanted if not hasattr(import_module(module), name)] == []


def test_an_index_for_torch_stands_beside_pips_own():
    """Alone it lacks the versions that constraints.txt pins of what torch needs, and pip finds no solution."""
    for name in ("Dockerfile", "scripts/setup.sh", ".github/workflows/ci.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "--extra-index-url" in text and " --index-url" not in text, name
