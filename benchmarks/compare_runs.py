"""Do two runs agree bit for bit? What a resumed run is held against: one that was never disturbed.

    python benchmarks/compare_runs.py RUN OTHER

Compared are the newest checkpoint (networks, optimizer, counters, random streams, emulators, replay and its frames),
metrics.jsonl and evals.csv; clocks, speeds and memory are left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zstandard

from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps

LEFT_OUT = re.compile("time$|machine/.*|.*_per_second$")  # of metrics.jsonl


def differences(folder: Path, other: Path) -> list[str]:
    """Names of what is not the same in both runs."""
    mine, theirs = what_a_run_left(folder), what_a_run_left(other)
    missing = mine.keys() ^ theirs.keys()
    return sorted(missing | {name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name]})


def what_a_run_left(folder: Path) -> dict[str, Any]:
    """Everything that has to be equal, by name, in a form that `==` compares."""
    newest = list_steps(folder / "checkpoints")[-1]
    state, meta = checkpoint.load(newest)
    left = {path: _comparable(value) for path, value in _flat(state)}
    segments = meta["frames"]
    content = b"".join(_raw_frames(folder / "checkpoints/frames" / segment["name"]) for segment in segments)
    times = sum(segment["last"] - segment["first"] + 1 for segment in segments)
    kept = len(state["replay"]["learnable"]["admitted"]) * (len(content) // times)
    left["frames"] = content[-kept:]  # segments may reach back further than the ring
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    left["metrics"] = [
        {name: value for name, value in record.items() if not LEFT_OUT.match(name)} for record in records
    ]
    left["evals"] = (folder / "evals.csv").read_text()
    return left


def _raw_frames(path: Path) -> bytes:
    """Of one segment: compressed, equal frames differ where the segments begin and end elsewhere."""
    with path.open("rb") as file:
        return file.read() if path.suffix == ".bin" else zstandard.ZstdDecompressor().stream_reader(file).read()


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything in a state."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield from _flat(value, f"{path}/{key}")
    else:
        yield path, tree


def _comparable(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    return value.tobytes() if isinstance(value, np.ndarray) else value


if __name__ == "__main__":
    found = differences(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(found) if found else "the two runs agree bit for bit")
    sys.exit(bool(found))
