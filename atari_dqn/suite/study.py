"""A small study: variants of one run, each with the same seeds and budget; curves, a table and a plot of them.

    out/runs/<variant>/seed<k>/   runs of `atari-dqn train`, jobs of the suite's engine; finished ones are not run again
    out/curves.csv                variant, seed, step (or episodes, in the column `games`), mean return of an evaluation
    out/table.csv                 one row a variant, with 95 % intervals
    out/curves.png                means over seeds and their intervals
    out/hardware.json             versions, commit and machine

The same command goes on with a study that was killed.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.host import cores
from atari_dqn.published.aggregates import Estimate, mean_interval
from atari_dqn.runs.pace import counted
from atari_dqn.runs.provenance import hardware
from atari_dqn.runs.refusals import MAY_CHANGE_ON_RESUME
from atari_dqn.safe_files import LOG_BYTES, read_text, replacing, write_text
from atari_dqn.suite import local
from atari_dqn.suite.jobs import LOG, Job, JobRun, Settings, refuse_other_run
from atari_dqn.suite.table import Table

log = logging.getLogger(__name__)


class Variant(NamedTuple):
    """One of the settings that are compared."""

    config: Config
    """Of its runs, but for the seed."""
    flags: tuple[tuple[str, ...], ...]
    """Those of `atari-dqn train` that lead from its preset to the config, each with its values."""


@dataclass(frozen=True)
class Study:
    """What is compared."""

    title: str
    variants: Mapping[str, Variant]
    """By name."""
    seeds: Sequence[int]
    out: Path
    """Folder of all files."""
    eval_period_episodes: int | None = None
    """Between evaluations, where those are counted in episodes and so come at steps that differ from run to run; None:
    in agent steps."""

    def __post_init__(self) -> None:
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise UsageError(f"seeds are {list(self.seeds)}; give one or more different numbers >= 0")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(f"{self.out} is a file; choose another --out")

    def run_dir(self, variant: str, seed: int) -> Path:
        return self.out / "runs" / variant.replace(" ", "_") / f"seed{seed}"


class Curve(NamedTuple):
    """Evaluations of one variant."""

    when: np.ndarray  # [T] int64, agent steps or episodes
    returns: np.ndarray  # [seeds, T] float64, mean return of an evaluation


def run_study(study: Study, *, jobs: int) -> int:
    """Train what is missing, write the files of a study, and print its table.

    Returns:
      The exit code: 0, or 128 and the number of the signal that stopped it.

    Raises:
      UsageError: matplotlib is missing; the folder holds another study; a run failed.
    """
    _pyplot()  # now, not after the training
    if stopped_by := train_all(study, jobs=jobs):
        log.info("stopped; the same command goes on where it was")
        return 128 + stopped_by
    curves = {
        variant: read_curve([study.run_dir(variant, seed) for seed in study.seeds], study.eval_period_episodes)
        for variant in study.variants
    }
    unit = "games" if study.eval_period_episodes else "step"
    rows = [reached(variant, curve.returns) for variant, curve in curves.items()]
    write_csv(study.out / "table.csv", [row.cells() for row in rows])
    points = [
        {"variant": variant, "seed": seed, unit: when, "return": round(value, 2)}
        for variant, curve in curves.items()
        for seed, values in zip(study.seeds, curve.returns.tolist(), strict=True)
        for when, value in zip(curve.when.tolist(), values, strict=True)
    ]
    write_csv(study.out / "curves.csv", points)
    plot(study.out / "curves.png", curves, title=study.title, xlabel="episodes" if unit == "games" else "agent steps")
    write_text(study.out / "hardware.json", json.dumps(hardware(), indent=2) + "\n")
    log.info(f"wrote curves.csv, table.csv and curves.png into {study.out}")
    print("\n".join(in_columns(rows)))
    return 0


def train_all(study: Study, *, jobs: int) -> int | None:
    """Run every variant with every seed, `jobs` processes at a time; what is finished is not run again.

    Returns:
      The number of the signal that stopped it, None if all runs have ended.

    Raises:
      UsageError: a folder holds another run, or a run failed; the message is the run's own.
    """
    runs = _job_runs(study, jobs)
    with Table(f"{study.title}: {counted(len(runs), 'run')} in {study.out / 'runs'}") as table:
        stopped_by = local.run(runs, slots=jobs, table=table)
        table.show(runs, last=True)
    if failed := [run for run in runs if run.state == "failed"]:
        raise UsageError(f"{failed[0].job.name}: {failed[0].note} (log: {failed[0].job.folder / LOG})")
    return stopped_by


def _job_runs(study: Study, jobs: int) -> list[JobRun]:
    threads = max(1, cores() // min(jobs, len(study.seeds) * len(study.variants)))
    runs = []
    for seed in study.seeds:
        for name, variant in study.variants.items():
            config = variant.config.replace(seed=seed)
            job = Job(config, study.run_dir(name, seed).absolute(), f"{name}, seed {seed}")
            refuse_other_run(job, may_change=MAY_CHANGE_ON_RESUME - {"total_steps", "total_episodes"})
            runs.append(JobRun(job, Settings(variant.flags, threads, evaluate=False)))
    return runs


def read_curve(folders: Sequence[Path], eval_period_episodes: int | None = None) -> Curve:
    """The evaluations of runs that differ in their seed only.

    Args:
      folders:              of the runs.
      eval_period_episodes: episodes between evaluations, if those are counted in episodes.

    Raises:
      UsageError: they were not evaluated at the same times.
    """
    tables = [_evaluations(folder) for folder in folders]
    times = [[step for step, _ in table] for table in tables]
    if eval_period_episodes:
        times = [[eval_period_episodes * (index + 1) for index in range(len(table))] for table in tables]
    if any(other != times[0] for other in times):
        raise UsageError(f"the runs beside {folders[0]} were evaluated at different steps; choose another --out")
    return Curve(np.array(times[0]), np.array([[mean for _, mean in table] for table in tables]))


def best_evaluations(folders: Sequence[Path]) -> list[float]:
    """Best mean return of an evaluation, of each run that has been evaluated."""
    tables = [_evaluations(folder) for folder in folders if (folder / "evals.csv").exists()]
    return [max(mean for _, mean in table) for table in tables if table]


def _evaluations(folder: Path) -> list[tuple[int, float]]:
    """(agent step, mean return) of each evaluation of a run."""
    path = folder / "evals.csv"
    try:
        rows = csv.DictReader(io.StringIO(read_text(path, LOG_BYTES), newline=""))
        return [(int(row["step"]), float(row["mean"])) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UsageError(f"{path} is damaged ({error!r}); delete {folder} to do it again") from error


@dataclass(frozen=True)
class Reached:
    """What a variant reached: mean returns over its seeds, and their intervals."""

    variant: str
    seeds: int
    last: Estimate
    """Of the last evaluation."""
    best: Estimate
    """Of each seed's best evaluation."""
    all: Estimate
    """Of all evaluations."""

    @property
    def estimates(self) -> dict[str, Estimate]:
        return {"last": self.last, "best": self.best, "all": self.all}

    def cells(self) -> dict[str, Any]:
        """The row of table.csv."""
        numbers: dict[str, float | None] = {}
        for name, found in self.estimates.items():
            numbers |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        return {"variant": self.variant, "seeds": self.seeds, **numbers}


def reached(variant: str, returns: np.ndarray) -> Reached:
    """What the evaluations of a variant say; `returns` are their means, [seeds, T]."""

    def estimate(values: np.ndarray) -> Estimate:
        low, high = mean_interval(values[:, None])
        return Estimate(*(round(float(number), 1) for number in (values.mean(), low[0], high[0])))

    return Reached(
        variant, len(returns), estimate(returns[:, -1]), estimate(returns.max(axis=1)), estimate(returns.mean(axis=1))
    )


def in_columns(rows: Sequence[Reached]) -> list[str]:
    """The table for people: mean [low, high] over seeds of the last, the best and all evaluations; 80 characters."""
    shown = [["variant", "seeds", "last evaluation", "best evaluation", "mean of all"]]
    for row in rows:
        shown.append([row.variant, str(row.seeds), *(_in_words(found, row.seeds) for found in row.estimates.values())])
    widths = [max(len(line[column]) for line in shown) for column in range(len(shown[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in shown]


def _in_words(found: Estimate, seeds: int) -> str:
    mean, low, high = (
        "" if number is None else f"{number:.1f}" if abs(number) < 100 else f"{number:,.0f}"
        for number in (found.value, found.low, found.high)
    )
    return f"{mean} [{low}, {high}]" if seeds > 1 else mean


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with the same keys as a CSV file."""
    output = io.StringIO()
    writer = csv.DictWriter(output, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, output.getvalue())


def plot(path: Path, curves: Mapping[str, Curve], *, title: str, xlabel: str) -> None:
    """Means over seeds as lines, their intervals as bands, into a PNG.

    Raises:
      UsageError: matplotlib is missing.
    """
    figure, axes = _pyplot().subplots(figsize=(8.0, 4.2), dpi=100, layout="constrained")
    for name, curve in curves.items():
        (line,) = axes.plot(curve.when, curve.returns.mean(axis=0), label=name)
        axes.fill_between(curve.when, *mean_interval(curve.returns), color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(title=title, xlabel=xlabel, ylabel="return, mean over seeds and 95 % interval")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
    _pyplot().close(figure)


def _pyplot() -> Any:
    require("plot", "plots need")
    import matplotlib

    matplotlib.use("agg")  # files only, also where there is no screen
    from matplotlib import pyplot

    return pyplot
