"""How fast the runs were, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atari_dqn.report.read_runs import Run
from atari_dqn.report.tables import Series


@dataclass(frozen=True)
class Machine:
    """Runs of one series on machines of one kind."""

    series: str
    hardware: str
    settings: str
    versions: str
    games: tuple[str, ...]
    runs: int
    steps: int
    """Agent steps of all runs together."""
    frames_per_second: tuple[float, float, float] | None
    """Lowest, median and highest run; of each the median while it learned, evaluations left out."""
    hours: float | None
    """Of training, all runs together."""


def make_machines(series: Sequence[Series]) -> list[Machine]:
    """One row per series and kind of machine, settings and versions."""
    found: dict[tuple[str, str, str, str], list[Run]] = {}
    for one in series:
        for run in one.runs:
            found.setdefault((one.name, _hardware(run), _settings(run), _versions(run)), []).append(run)
    rows = []
    for key, runs in found.items():
        speeds = [run.frames_per_second for run in runs if run.frames_per_second is not None]
        hours = [run.hours for run in runs if run.hours is not None]
        spread = (min(speeds), float(np.median(speeds)), max(speeds)) if speeds else None
        steps = sum(run.steps for run in runs)
        games = tuple(sorted({run.game for run in runs}))
        rows.append(Machine(*key, games, len(runs), steps, spread, sum(hours) if hours else None))
    return rows


def _hardware(run: Run) -> str:
    if not run.meta:
        return "unknown"
    cores = run.meta.get("cores")
    cpu = f"{run.meta.get('cpu') or 'unknown processor'}, {cores if cores is not None else 'unknown'} cores"
    gpu = run.meta.get("gpu")
    return f"{gpu}; {cpu}" if gpu and run.config.get("device") != "cpu" else cpu


def _settings(run: Run) -> str:
    """What the speed depends on besides the machine."""
    said = [str(run.config[name]) for name in ("device", "precision") if name in run.config]
    if "num_envs" in run.config:
        said.append(f"{run.config['num_envs']} environments")
    return ", ".join(said)


def _versions(run: Run) -> str:
    packages = run.meta.get("packages")
    packages = packages if isinstance(packages, dict) else {}
    said = [f"{name} {packages[name]}" for name in ("torch", "ale-py") if packages.get(name)]
    commit = run.meta.get("commit")
    return ", ".join([*said, f"commit {commit}"] if commit else said) or "unknown"
