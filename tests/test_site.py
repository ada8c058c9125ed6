"""The site builds without a warning (broken links are warnings), and the notebook of the tutorial runs."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs" / "site"
SEARCHED = "search/search_index.json"
NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml", "jupytext", "nbclient", "ipykernel")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
with_docs = pytest.mark.skipif(bool(MISSING), reason=f"pip install -e '.[docs]' brings {', '.join(MISSING)}")


def test_every_page_is_in_the_menu_and_the_addresses_are_those_of_the_package():
    settings = (SITE / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert pages - set(re.findall(r"[\w/]+\.md", settings)) == set()
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    assert re.search(r"^site_url: (\S+)$", settings, re.M)[1] == urls["Documentation"]
    assert re.search(r"^repo_url: (\S+)$", settings, re.M)[1] == urls["Repository"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f'repository-code: "{urls["Repository"]}"' in citation and f'url: "{urls["Documentation"]}"' in citation


@with_docs
def test_the_site_builds_strictly(tmp_path):
    # not --quiet, which hides the warnings that --strict counts, also from --strict
    build = ["mkdocs", "build", "--strict", "--config-file", str(SITE / "mkdocs.yml"), "--site-dir"]
    done = subprocess.run([sys.executable, "-m", *build, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    def page(name):
        return (tmp_path / name / "index.html").read_text(encoding="utf-8")

    assert "<math" in page("tutorial") and "--num-envs" in page("commands")
    assert 'id="atari_dqn.dqn.losses.td_error"' in page("api/dqn") and "float32, online Q(s, .)" in page("api/dqn")
    assert "<title>atari_dqn</title>" in page("") and '<meta name="description" content="The DQN of Mnih' in page("")
    assert (tmp_path / "favicon.svg").is_file() and (tmp_path / "site.css").is_file()
    assert 'data-md-component="source"' not in page("")  # by which the theme's script finds that it is to ask GitHub
    assert "/blob/main/atari_dqn/dqn/one_page.py" in page("")  # a file that is named is a link
    assert "test_<wbr>td_<wbr>error_<wbr>by_<wbr>hand" in page("formulas")
    assert "seed: int = 0" in re.sub(r"<[^>]+>", "", page("api/top"))  # not `Annotated[int, Range(...)]`
    assert 'href="envs/#atari_dqn.envs.make_envs"' in page("api") and page("api/top").count(">quick</h3>") <= 1
    searched = {entry["location"]: entry["text"] for entry in json.loads((tmp_path / SEARCHED).read_text())["docs"]}
    of_td_error = searched["api/dqn/#atari_dqn.dqn.losses.td_error"]
    assert "online Q(s, .)" in of_td_error and "gather" not in of_td_error  # what it does, not its source


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.syspath_prepend(str(SITE))
    return importlib.import_module("notebook")


@with_docs
def test_the_notebook_has_the_blocks_of_the_page_and_its_first_chapters_run(notebook, tmp_path):
    made = notebook.tutorial()
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    assert [block.strip() for block in blocks] == [source.strip() for source in code if not source.startswith("%%bash")]
    commands = [source for source in code if source.startswith("%%bash")]
    assert len(commands) == page.count("<!-- test:") > 3
    first = next(at for at, cell in enumerate(made.cells) if cell.source.startswith("import math"))
    made.cells = made.cells[: first + 1]
    notebook.execute(made, tmp_path)
    printed = [output.get("text", "") for cell in made.cells for output in cell.get("outputs", [])]
    assert "mean 22.2" in printed[0] and len(printed) == 4
