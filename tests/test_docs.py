"""Every code block of the pages in docs/ works as it stands.

```python blocks of one page are run in order and share their names. Lines of ```bash blocks that begin with `atari-dqn`
are run; a comment `<!-- test: FLAGS -->` before the block adds flags that keep the run short. After `<!-- output -->` a
```text block is what the python block before it prints. Commands in ```console blocks would run for long: a test checks
that there are such commands and flags.
"""

import __future__

import contextlib
import importlib
import io
import os
import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from atari_dqn.cli import COMMANDS, main
from atari_dqn.presets import PRESETS
from tests.suite_runs import in_this_process

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
README = DOCS.parent / "README.md"
WITH_README = [README, DOCS.parent / "CONTRIBUTING.md", *PAGES]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>test: [^\n]*|output) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    mark: str  # what the comment before it says
    language: str
    code: str
    line: int  # of its first line of code in the page


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["mark"] or "", found["language"], found["code"], text[: found.start("code")].count("\n") + 1)
        for found in BLOCK.finditer(text)
    ]


def run_python(block, page, names):
    """What the block prints; a failure shows the page's own line."""
    later = __future__.annotations.compiler_flag  # as in the modules that a page quotes
    code = compile("\n" * (block.line - 1) + block.code, str(page), "exec", flags=later)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


def run_bash(block, page):
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["atari-dqn"]:
            continue
        words = words[1:] + shlex.split(block.mark.removeprefix("test:"))
        assert main(words) == 0, f"{page.name}, line {block.line}: atari-dqn {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})  # small work: a second core would only wait
    monkeypatch.setattr("atari_dqn.suite.jobs.start_process", in_this_process)
    threads = torch.get_num_threads()
    names, printed = {"__name__": "__main__"}, ""
    try:
        for block in blocks(page):
            if block.language == "python":
                printed = run_python(block, page, names)
            elif block.language == "bash":
                run_bash(block, page)
            elif block.mark == "output":
                assert printed == block.code, f"{page.name}, line {block.line}: the block before it prints\n{printed}"
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_block_escapes_the_tests(page):
    text = page.read_text(encoding="utf-8")
    found = blocks(page)
    assert len(re.findall(r"^```", text, re.M)) == 2 * len(found)
    assert {block.language for block in found} <= {"python", "bash", "console", "text", "math", "mermaid"}
    for block in found:
        assert block.mark == "" or block.language == ("text" if block.mark == "output" else "bash")


@pytest.mark.parametrize("page", WITH_README, ids=lambda page: page.stem)
def test_commands_that_are_shown_have_these_flags(page, capsys):
    shown = [shlex.split(line, comments=True) for block in blocks(page) if block.language == "console"
             for line in block.code.splitlines() if line.startswith("atari-dqn")]  # fmt: skip
    for _, command, *words in shown:
        assert command in COMMANDS
        with contextlib.suppress(SystemExit):
            main([command, *([words[0], "--help", "all"] if command == "train" else ["--help"])])
        known = re.findall(r"--[a-z0-9-]+", re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out))
        flags = [word.split("=")[0] for word in words if word.startswith("--")]
        # the suite passes flags of train on
        assert [flag for flag in flags if flag not in [*known, "--preset"]] == []


def test_every_command_is_shown_in_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in WITH_README)
    assert [name for name in COMMANDS if not re.search(f"atari-dqn {name}[ `]", text)] == []


def test_every_preset_is_in_the_readme():
    text = README.read_text(encoding="utf-8")
    assert [name for name in PRESETS if f"`{name}`" not in text] == []


def test_every_result_in_the_readme_is_in_the_results():
    results = README.read_text(encoding="utf-8").split("## Six results")[1].split("\n## ")[0]
    numbers = re.findall(r"\d[\d,]*\.\d+|\d{1,3}(?:,\d{3})+", results)
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    assert len(numbers) > 15 and [number for number in numbers if number not in text] == []


def test_the_readme_is_a_map():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 155


def test_departures_have_numbers_that_code_names():
    numbered = re.findall(r"^- \*\*(D\d+)\.", (DOCS / "departures.md").read_text("utf-8"), re.M)
    assert numbered == [f"D{number}" for number in range(1, len(numbered) + 1)]
    code = "".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "atari_dqn").rglob("*.py"))
    assert set(re.findall(r"\((D\d+)\)", code)) == set(numbered)


@pytest.mark.parametrize("page", WITH_README, ids=lambda page: page.stem)
def test_links_and_figures_are_there(page):
    text = re.sub(r"```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} names {target}"
    anchors = {re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in re.findall(r"^#+ (.*)$", text, re.M)}
    assert {*re.findall(r"\]\(#([^)\s]+)\)", text)} <= anchors
    for target in re.findall(r"`((?:atari_dqn|benchmarks|docs|scripts|tests)/[\w./]+)`", text):
        assert (DOCS.parent / target).exists(), f"{page.name} names {target}"


@pytest.fixture
def make_figures(monkeypatch, tmp_path):
    """The script, drawing into an empty folder."""
    monkeypatch.syspath_prepend(str(DOCS))
    script = importlib.import_module("make_figures")
    monkeypatch.setattr(script, "FIGURES", tmp_path / "figures")
    return script


def test_every_figure_is_drawn_by_the_script_shown_in_a_page_and_small(make_figures):
    drawn = {maker.__name__ for maker in make_figures.FIGURE_MAKERS}
    files = list((DOCS / "figures").iterdir())
    shown = {Path(name).stem for page in PAGES for name in re.findall(r"\]\(figures/(\S+)\)", page.read_text("utf-8"))}
    assert drawn == {path.stem for path in files} == shown
    assert not [path.name for path in files if path.stat().st_size >= 100_000]


def test_the_script_draws(make_figures, tmp_path):
    quick = ["loss", "epsilon", "parts", "paper_ablation", "curves", "quick_curves", "recipes", "forty_nine"]
    make_figures.main(quick)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(f"{name}.svg" for name in quick)
