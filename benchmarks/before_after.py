"""Is this code slower than that of a commit? A benchmark of each, in turns, and the ratio of neighbours.

    python benchmarks/before_after.py COMMIT bench_update [--rounds 5] [--out FILE] -- --precision fp32 --repeats 1

Each turn is a process of its own, and the commit's own version of the benchmark: `bench_update` or `bench_train`. What
stands behind `--` goes to both, so it must be known to both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from measuring import ROOT, checked_out, finish, median_ratio

SPEEDS = {"bench_update": "updates_per_second", "bench_train": "steps_per_second"}
"""What a row of each says of its speed."""


def speeds_of(tree: Path, bench: str, words: list[str]) -> dict[str, float]:
    """One run of the benchmark in the code at `tree`: its speed in each precision."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    command = [sys.executable, str(tree / "benchmarks" / f"{bench}.py"), *words]
    done = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{bench} at {tree} failed:\n{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    return {row["precision"]: row[SPEEDS[bench]] for row in result["rows"]}


def main() -> None:
    """Take turns, print, and relate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="the code before")
    parser.add_argument("bench", choices=SPEEDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    own = sys.argv[1:]
    own, words = (own[: own.index("--")], own[own.index("--") + 1 :]) if "--" in own else (own, [])
    options = parser.parse_args(own)
    before: dict[str, list[float]] = {}
    after: dict[str, list[float]] = {}
    with checked_out(options.commit) as tree:
        for number in range(options.rounds):
            for name, place, kept in (("before", tree, before), ("after", ROOT, after)):
                for precision, speed in speeds_of(place, options.bench, words).items():
                    kept.setdefault(precision, []).append(speed)
                    print(f"  {name}, {precision}, round {number + 1}: {speed:,.1f}", file=sys.stderr)
    rows = [
        {
            "precision": precision,
            "ratio": round(median_ratio(after[precision], before[precision]), 3),
            "before": before[precision],
            "after": after[precision],
        }
        for precision in before
    ]
    for row in rows:
        middle = statistics.median(after[row["precision"]])
        print(f"{row['precision']}: {middle:,.1f} {SPEEDS[options.bench]}, {row['ratio']} times {options.commit}'s")
    finish({"bench": f"before_after_{options.bench}", "against": options.commit, "rows": rows}, options.out)


if __name__ == "__main__":
    main()
