"""Replay alone: memory of a million transitions, and batches per second beside what memory could deliver.

The ceiling copies as many bytes as a batch has (obs and next_obs, 32 x 2 x 4 x 84 x 84), in whole frames drawn at
random from the same memory.

    python benchmarks/bench_replay.py [--device cpu] [--capacity 1000000] [--out FILE]
    python benchmarks/bench_replay.py --tiles pong breakout --capacity 10000

The second fills a replay of tiles (`--replay-tiles`) with random play of each game, weighs it, and draws batches from
it and from plain frames of the same play, in turns. A tile costs memory when it is seen for the first time, which is
ever rarer: the second half of a recording costs less than the first, and a longer one less than that.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
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


def random_play(game: str, steps: int) -> Iterator[tuple[np.ndarray, Step]]:
    """Actions of `TILED_ENVS` environments, and what each led to; the first steps are of a reset."""
    envs = make_envs(nature(game).replace(num_envs=TILED_ENVS, env_threads=1))
    rng = np.random.default_rng(0)
    action = np.zeros(TILED_ENVS, np.int64)
    yield action, envs.reset(np.arange(TILED_ENVS))
    for _ in range(steps - 1):
        action = rng.integers(envs.spec.num_actions, size=TILED_ENVS)
        envs.send(action)
        yield action, envs.recv()
    envs.close()


def tiled_speed(game: str, frames: int, batches: int, repeats: int) -> dict[str, float]:
    """Batches a second from tiles and from plain frames of the same random play, and the ratio of neighbours."""
    layouts = {
        kind: ReplayLayout(frames, TILED_ENVS, (84, 84), "uint8", 4, tiles=kind == "tiles")
        for kind in ("tiles", "plain")
    }
    replays = {kind: FrameReplay(layout) for kind, layout in layouts.items()}
    for number, (action, step) in enumerate(random_play(game, frames // TILED_ENVS)):
        for replay in replays.values():
            replay.add(action, step) if number else replay.start(step)

    def draw(replay: FrameReplay) -> float:
        rng = np.random.default_rng(1)
        began = time.perf_counter()
        for _ in range(batches):
            replay.sample(BATCH_SIZE, rng)
        return batches / (time.perf_counter() - began)

    for replay in replays.values():
        draw(replay)
    speeds = in_turns({kind: lambda replay=replay: draw(replay) for kind, replay in replays.items()}, repeats)
    print_speeds(speeds, f"batches of {BATCH_SIZE}/s, {game}")
    medians = {kind: round(statistics.median(values)) for kind, values in speeds.items()}
    return {**medians, "ratio": round(median_ratio(speeds["tiles"], speeds["plain"]), 3)}


def tiled_bytes(game: str, frames: int) -> dict[str, float]:
    """Bytes that a frame of random play costs as tiles: of the whole recording, and of its second half."""
    layout = ReplayLayout(frames, TILED_ENVS, (84, 84), "uint8", 1, tiles=True)
    ring = FrameRing(layout, "cpu")
    assert isinstance(ring.frames, TiledFrames)
    tiles: list[int] = []  # different ones, after each vector step
    for _, step in random_play(game, ring.num_times):
        ring.append(torch.from_numpy(step.frame))
        tiles.append(len(ring.frames.pool))
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
        amounts = options.capacity, options.batches, options.repeats
        speeds = {game: tiled_speed(game, *amounts) for game in options.tiles}
        result = {"bench": "replay_tiles", "frames": options.capacity, "bytes_per_frame": costs}
        threads = torch.get_num_threads()
        finish(result | {"batch_size": BATCH_SIZE, "batches_per_second": speeds, "threads": threads}, options.out)
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
