"""`atari-dqn ablation`: replay and target network, each with and without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atari_dqn.commands import parse, suite
from atari_dqn.commands.cartpole_study import budget, compare_on_cartpole
from atari_dqn.envs.games import known_game
from atari_dqn.errors import UsageError
from atari_dqn.published.scores import published_ablation
from atari_dqn.runs.terminal import command_told

VARIANTS = {
    "replay and target": [],
    "replay only": ["--no-target"],
    "target only": ["--no-replay"],
    "neither": ["--no-replay", "--no-target"],
}
# The preset `cartpole` made the paper's DQN: one-step targets, and one network that picks and values.
CARTPOLE = "--n-step 1 --no-double-q --batch-size 32 --eval-episodes 10"
CARTPOLE_STEPS, ATARI_STEPS = 20_000, 10_000_000


@dataclass(frozen=True)
class Ablation:
    """Train with and without the paper's two ideas, replay and target network.

    - CartPole: takes minutes, with a table and a plot.
    - Atari: prints the commands of four suites, one a variant; --start runs them.
      Then it prints the best evaluation of each beside the paper's.
    """

    out: Path
    """Folder of the runs and the results."""
    games: tuple[str, ...] = ("cartpole",)
    """`cartpole`, or ROM ids; the paper has numbers for breakout, enduro, riverraid, seaquest and space_invaders."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Roots of the random streams, one run of each variant for each."""
    steps: int | None = None
    """Length of each run, agent steps. Default: 20,000 on CartPole, 10 million on Atari, as in the paper."""
    preset: str = "nature"
    """Preset of the Atari runs."""
    start: bool = False
    """Run the commands of the Atari suite, one after the other."""
    jobs: int = 0
    """Runs at a time; 0 for one a core (CartPole only: the suite decides for itself)."""


def run(words: Sequence[str]) -> int:
    """Carry out an ablation; returns the exit code."""
    command: Ablation = parse(Ablation, words, prog="atari-dqn ablation")
    if command.games == ("cartpole",):
        return _on_cartpole(command)
    if not command.games or "cartpole" in command.games:
        raise UsageError(f"games are {' '.join(command.games) or 'none'}; name cartpole alone, or Atari games")
    return _on_atari(command)


def _on_cartpole(command: Ablation) -> int:
    steps = CARTPOLE_STEPS if command.steps is None else command.steps
    base = [*CARTPOLE.split(), *budget(steps)]
    return compare_on_cartpole(
        "Replay and target network on CartPole",
        {name: [*base, *flags] for name, flags in VARIANTS.items()},
        seeds=command.seeds,
        out=command.out,
        jobs=command.jobs,
    )


def _on_atari(command: Ablation) -> int:
    steps = ATARI_STEPS if command.steps is None else command.steps
    lines = {
        name: [
            *("suite", "--games", *command.games, "--seeds", *map(str, command.seeds), "--preset", command.preset),
            *("--runs-dir", str(_runs_dir(command, name)), "--total-steps", str(steps), *flags),
        ]
        for name, flags in VARIANTS.items()
    }
    for line in lines.values():  # all of them before weeks go into the first
        suite.understand(line[1:])
    for line in lines.values():
        print(command_told(["atari-dqn", *line]), flush=True)
        if command.start:
            code = subprocess.run([sys.executable, "-m", "atari_dqn", *line], check=False).returncode
            if code:
                return code
    print("\n".join(_beside_the_paper(command)))
    return 0


def _runs_dir(command: Ablation, variant: str) -> Path:
    return command.out / variant.replace(" ", "_")


def _beside_the_paper(command: Ablation) -> list[str]:
    """Best evaluation of each run, mean over the seeds that have one, and the paper's score."""
    from atari_dqn.suite import study

    lines = ["", "best evaluation in training (the paper's runs: 10 million agent steps)"]
    lines.append(f"{'game':<16}  {'variant':<17}  {'ours (seeds)':>16}  {'paper':>8}")
    for game in map(known_game, command.games):
        papers = published_ablation(game)
        for name in VARIANTS:
            best = study.best_evaluations(
                [_runs_dir(command, name) / game / command.preset / f"seed{seed}" for seed in command.seeds]
            )
            ours = f"{sum(best) / len(best):.1f} ({len(best)})" if best else "not measured yet"
            theirs = f"{papers[name]:.1f}" if papers else "none"
            lines.append(f"{game:<16}  {name:<17}  {ours:>16}  {theirs:>8}")
    return lines
