"""The words of `atari-dqn suite`: its own flags, and those of `train` that it passes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atari_dqn.evaluation.protocols import ProtocolName
from atari_dqn.suite.flags import by_flag, field_name


@dataclass(frozen=True)
class Suite:
    """Train and evaluate many games and seeds, each run in a process of its own.

    Flags that are not listed here are those of `atari-dqn train`, for every job.
    """

    games: tuple[str, ...]
    """ROM ids, cartpole, or sets: atari49 (the paper's), atari57, atari10 (Aitchison et al. 2022)."""
    seeds: tuple[int, ...] = (0,)
    """Seeds; each game is trained once with each."""
    preset: str | None = None
    """Preset, as in `train`. Default: nature, and cartpole for vector games."""
    engine: Literal["local", "ray", "slurm"] = "local"
    """`local`: processes on this machine. `ray`: tasks on a Ray cluster, `slurm`: jobs of a Slurm cluster, whose nodes
    share the runs folder."""
    jobs: int = 1
    """Jobs side by side (local engine); they share the cores unless thread counts are given."""
    runs_dir: Path = Path("runs")
    """Each run goes into <runs-dir>/<game>/<preset>/seed<k>. Finished ones are skipped, others resumed."""
    retries: int = 1
    """How often a job whose process crashed is resumed."""
    evaluate: bool = True
    """Evaluate the last and the best checkpoint of each finished run."""
    protocol: ProtocolName = "auto"
    """Protocol of that evaluation. `auto`: greedy for vector games, sticky for runs with sticky actions, else
    nature."""
    dry_run: bool = False
    """Print the jobs, what they need and how long they will take, and start nothing."""
    ray_address: str | None = None
    """Address of the Ray cluster. Default: RAY_ADDRESS, or a cluster of this machine alone."""
    cpus_per_job: float = 1.0
    """Cores of a job on Ray or Slurm, also its threads."""
    gpus_per_job: float = 0.0
    """GPUs of a job on Ray or Slurm; on Ray 0.25 lets four share one."""
    hours_per_job: float = 24.0
    """Time limit of a job on Slurm, hours. A run that takes longer saves before it and goes on as a new job."""
    slurm: tuple[str, ...] = ()
    """More options of Slurm's sbatch, NAME=VALUE each, such as partition=gpu account=lab mem=16G."""


def split_flags(words: Sequence[str]) -> tuple[list[str], tuple[tuple[str, ...], ...]]:
    """The suite's own words, and the flags of `train` with their values."""
    mine = {field.name for field in dataclasses.fields(Suite)} | {"help"}
    groups = by_flag(words)
    passed = tuple(group for group in groups if group[0].startswith("--") and field_name(group[0]) not in mine)
    return [word for group in groups if group not in passed for word in group], passed
