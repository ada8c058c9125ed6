"""Two cores: whole operations by two threads against operations that torch's threads divide, in slices of one training.

The slices alternate, so a machine whose speed drifts favours neither. Both make the same numbers, up to rounding.

    python benchmarks/bench_two_threads.py [--presets nature quick] [--neighbour 19] [--out FILE]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from bench_train import busy_neighbour, go_on, warm_trainer, warm_up
from measuring import finish

from atari_dqn.dqn.trainer import Trainer
from atari_dqn.presets import PRESETS
from atari_dqn.runs.machine import flushed_denormals


def alternate(trainer: Trainer, slices: int, steps: int) -> tuple[list[float], list[float]]:
    """Agent steps per second of each slice: of whole operations, and of divided ones."""
    algorithm, actor = trainer.agent.algorithm, trainer.turns.actor
    second, by_two = algorithm.second, actor.in_training
    assert second is not None, "--torch-threads 2 on a CPU"
    speeds: tuple[list[float], list[float]] = ([], [])

    def switch(divided: bool) -> None:
        torch.set_num_threads(2 if divided else 1)
        algorithm.second = None if divided else second
        actor.in_training = actor.greedy if divided else by_two

    for divided in (False, True) * slices:
        switch(divided)
        began, first = time.perf_counter(), trainer.step
        go_on(trainer, steps)
        speeds[divided].append((trainer.step - first) / (time.perf_counter() - began))
    switch(divided=False)
    return speeds


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["nature", "quick"], choices=sorted(PRESETS))
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--game", default="breakout")
    parser.add_argument("--neighbour", type=int, metavar="NICE", help="also beside a process that keeps a core busy")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument(
        "--warm-up", type=int, default=2_048, help="agent steps before the slices; half without updates"
    )
    parser.add_argument("--slices", type=int, default=10)
    parser.add_argument("--steps", type=int, default=256, help="agent steps of a slice")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for preset in options.presets:
        for precision in options.precisions:
            config = PRESETS[preset](options.game).replace(
                device="cpu",
                replay_device="cpu",
                torch_threads=2,
                precision=precision,
                num_envs=options.num_envs,
                **warm_up(options.warm_up),
            )
            with flushed_denormals(), warm_trainer(config) as trainer:
                for nice in (None, options.neighbour)[: 1 if options.neighbour is None else 2]:
                    with busy_neighbour(nice):
                        whole, divided = alternate(trainer, options.slices, options.steps)
                    ratio = statistics.median(one / other for one, other in zip(whole, divided, strict=True))
                    rows.append(
                        {
                            "preset": preset,
                            "precision": precision,
                            "neighbour": nice,
                            "whole": round(statistics.median(whole), 1),
                            "divided": round(statistics.median(divided), 1),
                            "ratio": round(ratio, 2),
                        }
                    )
                    print(rows[-1], flush=True)
    result = {"bench": "two_threads", "game": options.game, "slices": options.slices, "steps": options.steps}
    finish(result | {"threads": 2, "rows": rows}, options.out)


if __name__ == "__main__":
    main()
