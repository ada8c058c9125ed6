"""What is committed of measurements: as much as a page or a script reads, and no more."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
ENTRIES = sorted(path for path in RESULTS.iterdir() if not path.name.startswith("."))
READERS = [ROOT / "README.md"]
READERS += [path for folder in ("docs", "benchmarks", "scripts") for path in (ROOT / folder).glob("*.*")]


def size(entry):
    return sum(path.stat().st_size for path in [entry, *entry.rglob("*")] if path.is_file())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_result_is_small_and_somebody_reads_it(entry):
    assert size(entry) <= 400_000, "python benchmarks/keep_run.py RUN OUT --every 5"
    assert not list(entry.rglob("*.png")), "pictures are drawn again from the numbers"
    texts = [path.read_text(encoding="utf-8") for path in READERS if path.suffix in (".md", ".py", ".sh")]
    assert any(entry.name in text for text in texts), "name it in docs/results.md, or remove it"


def test_all_results_together_are_small():
    assert sum(map(size, ENTRIES)) <= 1_000_000


def test_results_name_no_folder_of_a_machine():
    for path in RESULTS.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".csv", ".md", ".txt"):
            found = re.search(r"/(?:home|root|Users)/\S*", path.read_text(encoding="utf-8"))
            assert found is None, f"{path}: {found[0]}"


def test_results_name_neighbours_that_are_there():
    for path in RESULTS.glob("*/README.md"):
        for name in re.findall(r"`(\.\./[^`\s]+)`", path.read_text(encoding="utf-8")):
            assert (path.parent / name).exists(), f"{path} names {name}"
