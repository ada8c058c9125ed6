"""Emulators alone: our `envs` layer beside the bare `AtariVectorEnv` that it stands on, same game, threads, actions.

The bare environment is the ceiling: what our layer adds (ends, lives, time limits, re-seeding) is the distance to it.
With `--backends` others play the same games: `native` is ours above, `workers` our worker processes, `screens` the same
with screens that become frames on the GPU, or on a CPU in this process. With `--env-groups` they take turns. The
processors' time for a step, of all processes, is measured besides: it tells which is cheaper on a busy machine, too.

    python benchmarks/bench_envs.py [--game breakout] [--num-envs 8 64] [--threads 2] [--out FILE]
    python benchmarks/bench_envs.py --backends native workers screens --num-envs 64 256 --env-groups 4
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ale_py.vector_env import AtariVectorEnv
from measuring import finish, in_turns, median_ratio, print_speeds

from atari_dqn.config import Config
from atari_dqn.envs import RESEED_AFTER, make_envs
from atari_dqn.envs.in_turns import EnvsInTurns
from atari_dqn.envs.workers import WorkerEnvs
from atari_dqn.replay.screens import Shrinker
from atari_dqn.types import EnvSpec

OFTEN = 200


def ours(
    game: str,
    num_envs: int,
    threads: int,
    steps: int,
    reseed_after: int | None = None,
    backend: str = "native",
    groups: int = 1,
) -> Callable[[], float]:
    """Agent steps per second through our layer; None: seeded afresh as often as in a training run."""
    config = Config(game=game).replace(num_envs=num_envs, env_threads=threads, env_groups=groups, action_set="minimal")
    if backend != "native":
        resize = "replay" if backend == "screens" else "games"
        config = config.replace(backend="workers", resize=resize)
    envs = make_envs(config)
    if reseed_after is not None:
        envs.reseed_after = reseed_after
    envs.reset(np.arange(num_envs))
    actions = np.random.default_rng(0).integers(envs.spec.num_actions, size=(steps * groups, num_envs // groups))
    return playing(envs, actions, groups)


def bare(game: str, num_envs: int, threads: int, steps: int) -> Callable[[], float]:
    """Agent steps per second without it, at the same settings."""
    envs = AtariVectorEnv(
        game=game,
        num_envs=num_envs,
        num_threads=threads,
        frameskip=4,
        stack_num=1,
        maxpool=True,
        noop_max=31,
        use_fire_reset=False,
        episodic_life=False,
        reward_clipping=False,
        repeat_action_probability=0.0,
    )
    envs.reset(seed=np.arange(num_envs))
    return playing(envs, np.random.default_rng(0).integers(envs.single_action_space.n, size=(steps, num_envs)))


def playing(envs: Any, actions: np.ndarray, groups: int = 1) -> Callable[[], float]:
    """Agent steps per second of [T, N / groups] actions; all groups but one are playing when another is received."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    spec = getattr(envs, "spec", None)
    shrink = Shrinker(spec.screens, spec.frame_shape, device) if isinstance(spec, EnvSpec) and spec.screens else None

    def receive() -> None:
        step = envs.recv()
        if shrink:
            shrink(torch.from_numpy(step.frame))

    def run() -> float:
        began, spent = time.perf_counter(), processor_seconds(envs)
        for time_, action in enumerate(actions):
            envs.send(action)
            if time_ >= groups - 1:
                receive()
        for _ in range(groups - 1):
            receive()
        if shrink and device == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - began
        run.microseconds.append((processor_seconds(envs) - spent) / actions.size * 1e6)  # type: ignore[attr-defined]
        return actions.size / seconds

    run.microseconds = []  # type: ignore[attr-defined]  # of processors, a step of one game
    return run


def processor_seconds(envs: Any) -> float:
    """Used by this process so far, and by the worker processes of these environments."""
    own = time.process_time()
    first = envs.groups[0] if isinstance(envs, EnvsInTurns) else envs
    if not isinstance(first, WorkerEnvs):
        return own
    stats = [Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split() for worker in first.pool.workers]
    ticks = sum(int(stat[11]) + int(stat[12]) for stat in stats)
    return own + ticks / os.sysconf("SC_CLK_TCK")


def reseeding_share(game: str, threads: int, repeats: int) -> float:
    """Part of the emulators' time that goes into seeding them afresh, which keeps what a resume plays again short.

    Measured where it happens OFTEN times as often as in training, so that it shows, and divided by that.
    """
    each = (game, 8, threads, 3_000)
    contestants = {"never": ours(*each, reseed_after=0), "often": ours(*each, RESEED_AFTER // OFTEN)}
    speeds = in_turns(contestants, repeats)
    print_speeds(speeds, "steps/s")
    slowdown = median_ratio(speeds["never"], speeds["often"]) - 1.0
    print(f"seeding afresh every {RESEED_AFTER:,} steps of a game takes {slowdown / OFTEN:.2%} of the time")
    return slowdown / OFTEN


def main() -> None:
    """Measure each number of environments, in turns with the bare one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="breakout")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--threads", type=int, default=0, help="emulator threads, 0 for one per core")
    parser.add_argument("--steps", type=int, default=20_000, help="agent steps of one run")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--backends", nargs="+", choices=["native", "workers", "screens"], help="these, and nothing else"
    )
    parser.add_argument("--env-groups", type=int, default=1, help="of the environments of --backends, in turns")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = {"bench": "envs", "game": options.game, "threads": options.threads}
    if options.backends:
        result |= {"env_groups": options.env_groups}
    else:
        share = reseeding_share(options.game, options.threads, options.repeats)
        result |= {"reseeding_share": round(share, 5)}
    finish(result | {"rows": [row(options, num_envs) for num_envs in options.num_envs]}, options.out)


def row(options: argparse.Namespace, num_envs: int) -> dict[str, Any]:
    """One number of environments, the first contestant against the last."""
    each = (options.game, num_envs, options.threads, options.steps // num_envs)
    contestants: dict[str, Callable[[], float]] = {}
    for backend in options.backends or ():
        contestants[backend] = ours(*each, backend=backend, groups=options.env_groups)
    if not options.backends:
        contestants = {"ours": ours(*each), "bare": bare(*each)}
    for run in contestants.values():
        run()  # warm-up
    speeds = in_turns(contestants, options.repeats)
    print(f"{options.game}, {num_envs} environments")
    print_speeds(speeds, "steps/s")
    first, *_, last = [*contestants] * 2 if len(contestants) == 1 else contestants
    ratio = median_ratio(speeds[first], speeds[last])
    print(f"{first} / {last}: {ratio:.1%}")
    costs = {name: statistics.median(run.microseconds[1:]) for name, run in contestants.items()}  # type: ignore[attr-defined]
    print(", ".join(f"{name} {cost:.0f}" for name, cost in costs.items()), "us of a processor for a step")
    return {"num_envs": num_envs, "ratio": round(ratio, 4)} | {
        f"{name}_steps_per_second": [round(value) for value in values] for name, values in speeds.items()
    } | {f"{name}_processor_us": round(cost, 1) for name, cost in costs.items()}  # fmt: skip


if __name__ == "__main__":
    main()
