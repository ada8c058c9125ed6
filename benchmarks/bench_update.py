"""The learner alone: updates per second at batch 32, from drawn rows to changed weights, beside two yardsticks.

The peer is stable-baselines3's own `DQN.train` on the same shapes. The ceiling is one matrix product with as many
operations (about 2.4 GFLOP: the target's forward pass, the online network's, and twice that for the gradient).

    python benchmarks/bench_update.py [--device cpu] [--precision fp32 bf16] [--vs sb3] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import torch
from measuring import finish, in_turns, median_ratio, print_speeds

from atari_dqn import host
from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.learner import Learner
from atari_dqn.dqn.samplers import UPDATES_AT_ONCE
from atari_dqn.presets import PRESETS
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.machine import flushed_denormals, resolve, settle_compile
from atari_dqn.runs.terminal import messages_shown
from atari_dqn.runs.train import replay_layout
from atari_dqn.types import EnvSpec, Step

BATCH_SIZE = 32
FLOP = 2.4e9  # of one update
NUM_ENVS = 64
SPEC = EnvSpec("nothing", (84, 84), "uint8", ("noop",) * 6, 4)  # nothing is played here


def ours(
    options: argparse.Namespace, precision: str, *, preset: str = "nature", own_kernels: bool = True
) -> Callable[[], float]:
    """Updates per second of what the trainer calls, on a replay full of noise."""
    name, _, settings = preset.partition(":")
    config = PRESETS[name]("pong").replace(
        num_envs=NUM_ENVS,
        capacity=options.capacity,
        learning_starts=1_000,
        device=options.device,
        replay_device=options.device,
        precision=precision,
        torch_threads=options.torch_threads,
        compile=options.compile,
        own_kernels=own_kernels,
        cuda_graph=not options.eager,
        **json.loads(settings or "{}"),
    )
    with messages_shown():
        config = settle_compile(resolve(config))
    replay = FrameReplay(
        replay_layout(config, SPEC), device=config.machine.device, frames_on=config.machine.replay_device
    )
    fill(replay)
    agent = make_agent(config, SPEC)
    learner = Learner(config, agent, replay)
    threads = torch.get_num_threads()  # as `resolve` chose: 1 where a second thread of our own shares the update
    group = options.group or min(UPDATES_AT_ONCE[replay.device.type], NUM_ENVS // config.algorithm.update_period)

    def run() -> float:
        torch.set_num_threads(threads)
        began, done = time.perf_counter(), 0
        while done < options.updates:
            learner.learn(options.capacity, group, sync=False)
            done += group
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()
        return done / (time.perf_counter() - began)

    return run


def fill(replay: FrameReplay) -> None:
    """Steps of noise until the replay is full."""
    rng = np.random.default_rng(0)
    no, yes = np.zeros(NUM_ENVS, bool), np.ones(NUM_ENVS, bool)
    frame = rng.integers(256, size=(NUM_ENVS, 84, 84), dtype=np.uint8)
    zero = np.zeros(NUM_ENVS, np.float32)
    replay.start(Step(frame, zero, no, no, yes, no))
    for _ in range(replay.ring.num_times):
        replay.add(rng.integers(6, size=NUM_ENVS), Step(frame, zero, no, no, no, no))


def sb3(options: argparse.Namespace) -> Callable[[], float]:
    """Updates per second of stable-baselines3's `DQN.train`, on a buffer of the same frames."""
    import stable_baselines3
    from stable_baselines3.common.logger import Logger

    class Noise(gymnasium.Env):  # type: ignore[type-arg]
        observation_space = gymnasium.spaces.Box(0, 255, (84, 84, 4), np.uint8)
        action_space = gymnasium.spaces.Discrete(6)

    agent = stable_baselines3.DQN("CnnPolicy", Noise(), buffer_size=2_000, batch_size=BATCH_SIZE, device=options.device)
    agent.set_logger(Logger(None, []))
    obs = np.random.default_rng(0).integers(256, size=(1, 4, 84, 84), dtype=np.uint8)
    for _ in range(2_000):
        agent.replay_buffer.add(obs, obs, np.zeros((1, 1)), np.zeros(1), np.zeros(1), [{}])

    def run() -> float:
        torch.set_num_threads(options.torch_threads)
        began = time.perf_counter()
        agent.train(options.updates, BATCH_SIZE)
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()
        return options.updates / (time.perf_counter() - began)

    return run


def ceiling(options: argparse.Namespace, dtype: torch.dtype) -> Callable[[], float]:
    """As many updates per second as one square matrix product of `FLOP` operations would allow."""
    side = round((FLOP / 2) ** (1 / 3))
    a, b = (torch.randn(side, side, device=options.device).to(dtype) for _ in range(2))

    def run() -> float:
        torch.set_num_threads(options.torch_threads)
        began = time.perf_counter()
        for _ in range(options.updates):
            a @ b
        if options.device.startswith("cuda"):
            torch.cuda.synchronize()
        return options.updates / (time.perf_counter() - began)

    return run


def known_preset(text: str) -> str:
    """`text`, where it begins with the name of a preset."""
    if text.partition(":")[0] not in PRESETS:
        raise argparse.ArgumentTypeError(f"{text!r} names no preset; choose from {', '.join(PRESETS)}")
    return text


@flushed_denormals()  # as in a run
def main() -> None:
    """Take turns, print, and relate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--updates", type=int, default=200, help="optimizer steps of one run")
    parser.add_argument("--group", type=int, default=0, help="updates in one call; 0 for what the trainer does")
    parser.add_argument("--capacity", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--torch-threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--compile", default="auto", choices=["auto", "on", "off"], help="of the optimizer")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument("--torch-kernels", action="store_true", help="beside them, ours by torch's kernels alone")
    parser.add_argument(
        "--presets",
        nargs="+",
        default=[],
        type=known_preset,
        metavar="NAME[:JSON]",
        help="beside them, in the first precision; settings may follow: 'prioritized:{\"priority_beta\": 0.5}'",
    )
    parser.add_argument("--vs", choices=["sb3"], help="peer ([bench] extra)")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.torch_threads = options.torch_threads or host.cores()
    contestants = {f"ours {precision}": ours(options, precision) for precision in options.precision}
    if options.torch_kernels:
        contestants |= {f"torch {each}": ours(options, each, own_kernels=False) for each in options.precision}
    for precision in options.precision:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        contestants[f"ceiling {precision}"] = ceiling(options, dtype)
    for preset in options.presets:
        contestants[preset] = ours(options, options.precision[0], preset=preset)
    if options.vs:
        contestants[options.vs] = sb3(options)
    for run in contestants.values():
        run()  # warm-up: kernels chosen, graphs recorded
    speeds = in_turns(contestants, options.repeats)
    print_speeds(speeds, "updates/s")
    rows = []
    for precision in options.precision:
        name = f"ours {precision}"
        row = {"precision": precision, "updates_per_second": round(statistics.median(speeds[name]), 1)}
        row["of_ceiling"] = round(median_ratio(speeds[name], speeds[f"ceiling {precision}"]), 3)
        if options.torch_kernels:
            row["to_torch_kernels"] = round(median_ratio(speeds[name], speeds[f"torch {precision}"]), 2)
        row["ratio"] = round(median_ratio(speeds[name], speeds[options.vs]), 2) if options.vs else None
        rows.append(row)
    result = {"bench": "update", "device": options.device, "batch_size": BATCH_SIZE, "peer": options.vs, "rows": rows}
    base = speeds[f"ours {options.precision[0]}"]
    result["time_to_nature"] = {name: round(median_ratio(base, speeds[name]), 2) for name in options.presets}
    result |= {"threads": options.torch_threads, "speeds": {k: [round(x, 1) for x in v] for k, v in speeds.items()}}
    finish(result, options.out)


if __name__ == "__main__":
    main()
