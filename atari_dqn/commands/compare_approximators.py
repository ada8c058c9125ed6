"""`atari-dqn compare-approximators`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atari_dqn.commands import parse
from atari_dqn.commands.cartpole_study import budget, compare_on_cartpole

# All else is the preset `cartpole`. Step sizes: of 0.1 and 0.01 the better one in a run with seed 100 for the table and
# the linear function; 0.1 for the polynomials, which it carried to 500 there; the network's is the preset's.
APPROXIMATORS = {
    "tabular": "--network tabular --table-bins 8 --learning-rate 0.1",
    "linear": "--network linear --learning-rate 0.01",
    "polynomial 2": "--network polynomial --polynomial-degree 2 --learning-rate 0.1",
    "polynomial 3": "--network polynomial --polynomial-degree 3 --learning-rate 0.1",
    "mlp": "--network mlp --learning-rate 0.001",
}


@dataclass(frozen=True)
class CompareApproximators:
    """Learn CartPole with a Q table, a linear function, polynomials and a network.

    All but the step size is that of preset `cartpole`, for each of them.

    Writes curves.csv, table.csv and curves.png.
    """

    out: Path
    """Folder of the runs and the results."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Roots of the random streams, one run each."""
    steps: int = 20_000
    """Length of each run, agent steps."""
    jobs: int = 0
    """Runs at a time; 0 for one a core."""


def run(words: Sequence[str]) -> int:
    """Compare the approximators; returns the exit code."""
    command = parse(CompareApproximators, words, prog="atari-dqn compare-approximators")
    base = [*budget(command.steps), "--eval-episodes", "10"]
    return compare_on_cartpole(
        "Q-functions on CartPole",
        {name: [*flags.split(), *base] for name, flags in APPROXIMATORS.items()},
        seeds=command.seeds,
        out=command.out,
        jobs=command.jobs,
    )
