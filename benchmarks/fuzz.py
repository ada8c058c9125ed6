"""The long run of the fuzz tests: thousands of wrong command lines, configs, checkpoints, files and run folders.

    python benchmarks/fuzz.py --cases 3000 --out FILE

Runs tests/test_fuzz.py with that many examples a test (a quarter of them where each one trains) and reports how many
were tried. Every case must work, or end with one message and exit code 2. A stranger's run folder is one of the doors:
links, pipes, devices, sparse and deep files in the place of any, and values of any type in the state of a checkpoint.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from measuring import finish

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run pytest and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=3000, help="examples of each test")
    parser.add_argument("--out", type=Path, help="file for the result")
    options = parser.parse_args()
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/test_fuzz.py", "--hypothesis-show-statistics", "--hypothesis-seed=0"],
        cwd=ROOT,
        env=os.environ | {"ATARI_DQN_FUZZ_CASES": str(options.cases)},
        stdout=subprocess.PIPE,
        text=True,
    )
    tried = counted(done.stdout)
    result = {"bench": "fuzz", "cases": sum(tried.values()), "cases_of": tried, "passed": done.returncode == 0}
    finish(result | {"minutes": round((time.monotonic() - began) / 60, 1)}, options.out)
    if done.returncode:
        sys.exit(done.stdout[-4000:])


def counted(report: str) -> dict[str, int]:
    """Examples that pytest says each test has tried, right and wrong ones alike."""
    tried: dict[str, int] = {}
    name = ""
    for line in report.splitlines():
        if found := re.match(r"tests/test_fuzz.py::(\w+):", line):
            name = found[1]
        elif found := re.search(r"(\d+) passing, (\d+) failing, and \d+ invalid", line):
            tried[name] = tried.get(name, 0) + int(found[1]) + int(found[2])
    return tried


if __name__ == "__main__":
    main()
