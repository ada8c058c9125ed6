"""Replay alone: memory of a million transitions, and batches per second beside what memory could deliver.

The ceiling copies as many bytes as a batch has (obs and next_obs, 32 x 2 x 4 x 84 x 84), in whole frames drawn at
random from the same memory.

    python benchmarks/bench_replay.py [--device cpu] [--capacity 1000000] [--out FILE]
    python benchmarks/bench_replay.py --tiles pong breakout --capacity 10000

The second fills a replay of tiles (`--replay-tiles`) with random play of each game, and weighs nothing else. A tile
costs memory when it is seen for the first time, which is ever rarer: the second half of a recording costs less than
the first, and a longer one less than that.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from measuring import finish, in_turns, median_ratio, print_speeds

from atari_dqn.envs import make_envs
from atari_dqn.presets import nature
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.frames import FrameRing
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.replay.tiles import TiledFrames
from atari_dqn.types import Step

BATCH_SIZE = 32
NUM_ENVS = 64
TILED_ENVS = 8


def resident_bytes(device: str) -> int:
    """Memory in use now: of this process, or of the GPU by it."""
    if device.startswith("cuda"):
        return int(torch.cuda.memory_allocated())
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def tiled_bytes(game: str, frames: int) -> dict[str, float]:
    """Bytes that a frame of random play costs as tiles: of the whole recording, and of its second half."""
    envs = make_envs(nature(game).replace(num_envs=TILED_ENVS, env_threads=1))
    layout = ReplayLayout(frames, TILED_ENVS, (84, 84), "uint8", 1, tiles=True)
    ring = FrameRing(layout, "cpu")
    assert isinstance(ring.frames, TiledFrames)
    rng = np.random.default_rng(0)
    step = envs.reset(np.arange(TILED_ENVS))
    tiles: list[int] = []  # different ones, after each vector step
    for _ in range(ring.num_times):
        ring.append(torch.from_numpy(step.frame))
        tiles.append(len(ring.frames.pool))
        envs.send(rng.integers(envs.spec.num_actions, size=TILED_ENVS))
        step = envs.recv()
    envs.close()
    half = len(tiles) // 2
    pixels = ring.frames.pool.pixels[0].nbytes
    later = ring.frames.numbers[0].nbytes + (tiles[-1] - tiles[half - 1]) / (len(tiles) - half) / TILED_ENVS * pixels
    cost = {"all": ring.frames.used_bytes / ring.num_rows, "second_half": later}
    print(f"{game}: {cost['all']:,.0f} bytes a frame, {later:,.0f} in the second half, of {ring.num_rows:,} frames")
    return {name: round(value) for name, value in cost.items()}


def main() -> None:
    """Fill a replay, weigh it, and draw from it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--capacity", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tiles", nargs="+", metavar="GAME", default=[])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.tiles:
        costs = {game: tiled_bytes(game, options.capacity) for game in options.tiles}
        finish({"bench": "replay_tiles", "frames": options.capacity, "bytes_per_frame": costs}, options.out)
        return

    def wait() -> None:
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()

    torch.zeros(1, device=options.device)
    before = resident_bytes(options.device)
    layout = ReplayLayout(options.capacity, NUM_ENVS, (84, 84), "uint8", 4)
    replay = FrameReplay(layout, device=options.device)
    rng = np.random.default_rng(0)
    frame = rng.integers(256, size=(NUM_ENVS, 84, 84), dtype=np.uint8)
    no, yes, zero = np.zeros(NUM_ENVS, bool), np.ones(NUM_ENVS, bool), np.zeros(NUM_ENVS, np.float32)
    replay.start(Step(frame, zero, no, no, yes, no))
    began = time.perf_counter()
    for _ in range(replay.ring.num_times):
        replay.add(rng.integers(6, size=NUM_ENVS), Step(frame, zero, no, no, no, no))
    wait()
    adds = replay.ring.num_times * NUM_ENVS / (time.perf_counter() - began)
    used = resident_bytes(options.device) - before

    def draw() -> float:
        began = time.perf_counter()
        for _ in range(options.batches):
            replay.sample(BATCH_SIZE, rng)
        wait()
        return options.batches / (time.perf_counter() - began)

    index = torch.randint(len(replay.ring.frames.pixels), (options.batches, 8 * BATCH_SIZE), device=options.device)
    out = torch.empty((8 * BATCH_SIZE, 84, 84), dtype=torch.uint8, device=options.device)

    def copy() -> float:
        began = time.perf_counter()
        for rows in index:
            torch.index_select(replay.ring.frames.pixels, 0, rows, out=out)
        wait()
        return options.batches / (time.perf_counter() - began)

    contestants = {"sample": draw, "ceiling": copy}
    for run in contestants.values():
        run()
    speeds = in_turns(contestants, options.repeats)
    print(f"{options.capacity:,} transitions: {used / 1e9:.2f} GB on {options.device}; {adds:,.0f} rows/s written")
    print_speeds(speeds, f"batches of {BATCH_SIZE}/s")
    result = {"bench": "replay", "device": options.device, "capacity": options.capacity, "bytes": used}
    result |= {"rows_written_per_second": round(adds), "batch_size": BATCH_SIZE}
    result |= {"batches_per_second": round(statistics.median(speeds["sample"]), 1)}
    result |= {"of_ceiling": round(median_ratio(speeds["sample"], speeds["ceiling"]), 3)}
    finish(result | {"threads": torch.get_num_threads()}, options.out)


if __name__ == "__main__":
    main()
