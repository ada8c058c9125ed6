"""What all benchmarks share: runs taken in turns, medians with their spread, and one JSON line at the end.

A speed on its own says little, since processors differ from day to day. So everything is measured beside a peer and
a ceiling in the same run, in turns (A B C A B C ...), so that a slow minute of the machine hits all alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from atari_dqn import host
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.player import Player
from atari_dqn.runs.evaluate import load_player
from atari_dqn.runs.provenance import hardware
from atari_dqn.runs.terminal import messages_shown

ROOT = Path(__file__).parent.parent


def in_turns(contestants: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Run each contestant `repeats` times, in turns; each returns its speed. Shows what it does on stderr."""
    speeds: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(repeats):
        for name, run in contestants.items():
            speeds[name].append(run())
            print(f"  {name}, run {repeat + 1} of {repeats}: {speeds[name][-1]:,.1f}", file=sys.stderr)
    return speeds


def median_ratio(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios of runs that stood next to each other."""
    return statistics.median(one / two for one, two in zip(ours, theirs, strict=True))


def parse_with_player(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Player]:
    """The options, and the network that two more of them name; ends with exit code 2 where there is none."""
    parser.add_argument("run", type=Path, help="a run folder, or pretrained:<game>")
    parser.add_argument("--checkpoint", default="last")
    options = parser.parse_args()
    try:
        with messages_shown():
            return options, load_player(options.run, which=options.checkpoint, device="cpu")
    except UsageError as error:
        parser.error(str(error))


def print_speeds(speeds: Mapping[str, list[float]], unit: str) -> None:
    """One line for each contestant: median and spread."""
    width = max(map(len, speeds))
    for name, values in speeds.items():
        middle = statistics.median(values)
        print(f"{name:<{width}}  {middle:>11,.1f} {unit}  (min {min(values):,.1f}, max {max(values):,.1f}, "
              f"{len(values)} runs)")  # fmt: skip


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The code of another commit, in a folder beside this one for the time."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tree), commit], cwd=ROOT, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def finish(result: dict[str, Any], out: Path | None) -> None:
    """Print the result, with what it depends on, as the last line; keep it as `<bench>_<hardware>_<yyyymm>.json`."""
    facts = hardware()
    result |= {
        "command": command(),
        "cpu": f"{facts['cpu']} ({_matrix_units()})",
        "cores": host.cores(),
        "gpu": facts["gpu"],
        "torch": facts["packages"]["torch"],
        "ale_py": facts["packages"]["ale-py"],
        "commit": facts["commit"],
    }
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


def command() -> str:
    """The command line, to be repeated elsewhere: paths of this machine are relative to the project, or in FOLDER."""

    def portable(word: str) -> str:
        path = Path(word)
        if not path.is_absolute():
            return word
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else f"FOLDER/{path.name}"

    return " ".join(["python", *map(portable, sys.argv)])


def _matrix_units() -> str:
    """What the processor has for bf16: names of processors are too coarse to tell."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    found = [name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in flags]
    return found[0] if found else "no vector flags known"
