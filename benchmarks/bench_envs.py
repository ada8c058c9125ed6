"""Emulators alone: our `envs` layer beside the bare `AtariVectorEnv` that it stands on, same game, threads, actions.

The bare environment is the ceiling: what our layer adds (ends, lives, time limits, re-seeding) is the distance to it.

    python benchmarks/bench_envs.py [--game breakout] [--num-envs 8 64] [--threads 2] [--out FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ale_py.vector_env import AtariVectorEnv
from measuring import finish, in_turns, median_ratio, print_speeds

from atari_dqn.config import Config
from atari_dqn.envs import RESEED_AFTER, make_envs

OFTEN = 200


def ours(game: str, num_envs: int, threads: int, steps: int, reseed_after: int | None = None) -> Callable[[], float]:
    """Agent steps per second through our layer; None: seeded afresh as often as in a training run."""
    envs = make_envs(Config(game=game, num_envs=num_envs, env_threads=threads))
    if reseed_after is not None:
        envs.reseed_after = reseed_after
    envs.reset(np.arange(num_envs))
    return playing(envs, np.random.default_rng(0).integers(envs.spec.num_actions, size=(steps, num_envs)))


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


def playing(envs: Any, actions: np.ndarray) -> Callable[[], float]:
    """Agent steps per second of [T, N] actions."""

    def run() -> float:
        began = time.perf_counter()
        for action in actions:
            envs.send(action)
            envs.recv()
        return actions.size / (time.perf_counter() - began)

    return run


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
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for num_envs in options.num_envs:
        each = (options.game, num_envs, options.threads, options.steps // num_envs)
        contestants = {"ours": ours(*each), "bare": bare(*each)}
        for run in contestants.values():
            run()  # warm-up
        speeds = in_turns(contestants, options.repeats)
        print(f"{options.game}, {num_envs} environments")
        print_speeds(speeds, "steps/s")
        ratio = median_ratio(speeds["ours"], speeds["bare"])
        print(f"ours / bare: {ratio:.1%}")
        rows.append({"num_envs": num_envs, "ratio": round(ratio, 4)} | {
            f"{name}_steps_per_second": [round(value) for value in values] for name, values in speeds.items()
        })  # fmt: skip
    share = reseeding_share(options.game, options.threads, options.repeats)
    result = {"bench": "envs", "game": options.game, "threads": options.threads, "reseeding_share": round(share, 5)}
    finish(result | {"rows": rows}, options.out)


if __name__ == "__main__":
    main()
