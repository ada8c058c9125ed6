"""Does what makes it fast cost score? The paper's DQN on CartPole, once as it is and once with each of the means.

    python benchmarks/speed_costs_score.py --out FOLDER [--seeds 0 1 2 ...] [--jobs 2]

Same budget and seeds for all; the table has means over seeds with 95 % intervals. CartPole, because one run takes
seconds there. The replay on a GPU is not among them: it gives the same rows as on the host (test_capture_agrees.py).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from atari_dqn.commands.cartpole_study import budget, compare_on_cartpole
from atari_dqn.runs.terminal import messages_shown

STEPS = 40_000
BASE = "--n-step 1 --no-double-q --batch-size 32 --hidden-sizes 256 256 --learning-rate 5e-4 --eval-episodes 20".split()
VARIANTS = {
    "1 game, serial, fp32": "--num-envs 1 --no-overlap",
    "1 game, overlap": "--num-envs 1",
    "64 games, serial": "--num-envs 64 --no-overlap",
    "64 games, overlap": "--num-envs 64",
    "64 games, overlap, bf16": "--num-envs 64 --precision bf16",
}


def main() -> None:
    """Train what is missing and write the table, the curves and the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    with messages_shown():
        code = compare_on_cartpole(
            "What makes it fast, and the score on CartPole",
            {name: [*BASE, *budget(STEPS), *flags.split()] for name, flags in VARIANTS.items()},
            seeds=options.seeds,
            out=options.out,
            jobs=options.jobs,
        )
    sys.exit(code)


if __name__ == "__main__":
    main()
