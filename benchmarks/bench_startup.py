"""From a command to what it is for: the first update of a run on an empty cache and again, and commands that look up.

Each command runs as a process of its own. `first`: the caches of torch's compiler and of our measurements are empty;
`second`: they hold what the first start left. Files of Python and its packages have been read before.

    python benchmarks/bench_startup.py [--starts pong:quick pong:nature] [--repeats 3] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from first_update import COMMANDED
from measuring import ROOT, finish

from atari_dqn.runs.measured import CACHE

LOOK_UPS = (
    "--help", "train --help", "train pong --nonsense", "train nosuchgame", "presets quick", "games", "report nowhere",
    "evaluate pretrained:pong --episodes 1 --max-episode-steps 1",
)  # fmt: skip
MUST = {"first": 25.0, "second": 10.0}  # seconds to the first update of `quick`
Seconds = dict[str, float]


def start(game: str, preset: str, words: list[str], env: dict[str, str], folder: Path) -> dict[str, Seconds]:
    """Seconds by the clock and of CPU of each stage, and in all, until the first update of a new run."""
    command = [sys.executable, str(ROOT / "benchmarks" / "first_update.py"), "train", game, "--preset", preset, "--yes"]
    command += ["--run-dir", str(folder), *words]
    env = env | {COMMANDED: str(time.monotonic())}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{game}, {preset}: {done.stderr}")
    marks = json.loads(done.stdout.splitlines()[-1])
    marks.insert(0, {"stage": "reading the command", "at": 0.0, "cpu": 0.0})
    stages: dict[str, Seconds] = {}
    for one, next_one in pairwise(marks):
        took = stages.setdefault(one["stage"], {"clock": 0.0, "cpu": 0.0})
        took["clock"] += next_one["at"] - one["at"]
        took["cpu"] += next_one["cpu"] - one["cpu"]
    stages["in all"] = {"clock": marks[-1]["at"], "cpu": marks[-1]["cpu"]}
    return stages


def starts(game: str, preset: str, words: list[str]) -> dict[str, dict[str, Seconds]]:
    """A first and a second start."""
    with tempfile.TemporaryDirectory() as place:
        caches = {CACHE: f"{place}/measured", "TORCHINDUCTOR_CACHE_DIR": f"{place}/compiled"}
        env = os.environ | caches
        return {name: start(game, preset, words, env, Path(place) / name) for name in ("first", "second")}


def look_up(words: str) -> Seconds:
    """Seconds by the clock and of CPU of a whole command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "atari_dqn", *words.split()], capture_output=True, check=False)
    clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"clock": clock, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def middle(measured: list[Seconds]) -> Seconds:
    """Medians."""
    return {name: round(statistics.median(one[name] for one in measured), 2) for name in measured[0]}


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", nargs="*", default=["pong:quick", "pong:nature"], metavar="GAME:PRESET")
    parser.add_argument("--flags", default="", help="more flags of train: --flags='--torch-threads 1'")
    parser.add_argument("--look-ups", nargs="*", default=LOOK_UPS, metavar="COMMAND")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for named in options.starts:
        game, preset = named.split(":")
        runs = [starts(game, preset, options.flags.split()) for _ in range(options.repeats)]
        for name in ("first", "second"):
            stages = {stage: middle([run[name][stage] for run in runs]) for stage in runs[0][name]}
            must = MUST[name] if preset == "quick" else None
            rows.append({"game": game, "preset": preset, "start": name, "must": must, "stages": stages})
            print(f"{preset} on {game}, {name} start" + (f" (must: {must:.0f} s)" if must else ""))
            for stage, took in stages.items():
                print(f"  {took['clock']:6.2f} s, {took['cpu']:6.2f} s of CPU  {stage}")
    looked = {words: middle([look_up(words) for _ in range(options.repeats)]) for words in options.look_ups}
    for words, took in looked.items():
        print(f"  {took['clock']:6.2f} s, {took['cpu']:6.2f} s of CPU  atari-dqn {words}")
    finish({"bench": "startup", "rows": rows, "look_ups": looked, "repeats": options.repeats}, options.out)


if __name__ == "__main__":
    main()
