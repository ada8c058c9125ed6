"""Checkpoints of a run with a full replay: seconds and bytes, beside the plain writing and reading of as many bytes.

    python benchmarks/bench_checkpoint.py [--capacity 1000000] [--new 250000] --folder FOLDER [--out FILE]

The network and the optimizer are the `nature` preset's, the frames are noise (nothing is compressed). Measured are the
first checkpoint, which writes the whole replay, and the next one, which writes what `--new` agent steps added (the
preset's checkpoint period). `blocking` is how long training stands still; the rest happens in a thread beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from measuring import finish

from atari_dqn.dqn.agent import make_agent
from atari_dqn.envs.contract import first_step
from atari_dqn.presets import nature
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.train import replay_layout
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments, segments_of
from atari_dqn.storage.saver import Saver
from atari_dqn.storage.steps import list_steps
from atari_dqn.types import EnvSpec, Step

BLOCK = 32 * 2**20
MIB = 2**20


def noise(num_envs: int) -> Iterator[Step]:
    """Vector steps of one endless game, from a pool of noise."""
    pool = np.random.default_rng(0).integers(0, 256, (64, num_envs, 84, 84), dtype=np.uint8)
    number = 0
    while True:
        step = first_step(pool[number % len(pool)])
        yield step._replace(started=np.full(num_envs, number == 0))
        number += 1


def main() -> None:
    """Fill a replay, save it twice, read it back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capacity", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=250_000, help="agent steps between the two checkpoints")
    parser.add_argument("--folder", type=Path, required=True, help="where they go; must not exist")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    config = nature("breakout")
    warm_up = min(config.replay.learning_starts, options.capacity)
    config = config.replace(capacity=options.capacity, learning_starts=warm_up, device="cpu")
    spec = EnvSpec("breakout", (84, 84), "uint8", ("noop", "fire", "right", "left"), 4)
    layout = replay_layout(config, spec)
    agent, replay = make_agent(config, spec), FrameReplay(layout)
    steps, action = noise(config.env.num_envs), np.zeros(config.env.num_envs, np.int64)
    replay.start(next(steps))

    def play(agent_steps: int) -> None:
        for _ in range(agent_steps // config.env.num_envs):
            replay.add(action, next(steps))

    play(layout.rows_per_env * config.env.num_envs)
    saver = Saver(options.folder, replay.ring, FrameSegments(options.folder / "frames"))
    before = peak_bytes()

    def save(step: int) -> dict[str, float]:
        written, began = disk_bytes(options.folder), time.perf_counter()
        saver.save(step, {"agent": agent.state_dict(), "replay": replay.state_dict()}, {}, best_step=-1)
        blocking = time.perf_counter() - began
        saver.wait()
        seconds = time.perf_counter() - began
        size = disk_bytes(options.folder) - written
        print(f"step {step:,}: {size / 1e9:.2f} GB in {seconds:.1f} s, of which training stood still {blocking:.3f} s")
        return {"bytes": size, "seconds": round(seconds, 2), "blocking_seconds": round(blocking, 4)}

    first = save(options.capacity)
    play(options.new)
    second = save(options.capacity + options.new)
    extra = peak_bytes() - before
    size = first["bytes"]
    plain = timed(lambda: write_plainly(options.folder / "plain", int(size)))
    plain_read = timed(lambda: read_plainly(options.folder / "plain"))
    resumed = timed(lambda: read_back(list_steps(options.folder)[-1], replay))
    print(f"plain writing of {size / 1e9:.2f} GB with its checksum: {plain:.1f} s, reading {plain_read:.1f} s")
    print(f"reading the checkpoint into the replay: {resumed:.1f} s; memory beside the replay: {extra / MIB:.0f} MiB")
    finish(
        {
            "bench": "checkpoint",
            "transitions": options.capacity,
            "first": first,
            "next": second | {"new_transitions": options.new},
            "read_seconds": round(resumed, 2),
            "plain_write_seconds": round(plain, 2),
            "plain_read_seconds": round(plain_read, 2),
            "of_ceiling": round(plain / first["seconds"], 3),
            "extra_memory_bytes": extra,
        },
        options.out,
    )


def read_back(directory: Path, replay: FrameReplay) -> None:
    """What a resume does, into the same memory."""
    state, meta = checkpoint.load(directory)
    replay.load_state_dict(state["replay"])
    FrameSegments(directory.parent / "frames").read(replay.ring, segments_of(meta))


def write_plainly(path: Path, size: int) -> None:
    """The ceiling: as many bytes, with their checksum, forced to the disk."""
    block, digest = os.urandom(BLOCK), hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(size // BLOCK):
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def read_plainly(path: Path) -> None:
    """The same for reading."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)


def timed(work: Callable[[], Any]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def disk_bytes(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
