"""A small study: variants of one run, each with the same seeds and budget; curves, a table and a plot of them.

out/runs/<variant>/seed<k>/   runs of `atari-dqn train`, each a process; finished ones are not run again
out/curves.csv                variant, seed, agent step (or games), mean return of an evaluation
out/table.csv                 one row a variant, with 95 % intervals
out/curves.png                means over seeds and their intervals
out/hardware.json             versions, commit and machine
"""

from __future__ import annotations

import csv
import io
import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from atari_dqn.errors import UsageError
from atari_dqn.published.aggregates import mean_interval
from atari_dqn.runs.provenance import hardware
from atari_dqn.safe_files import LOG_BYTES, TABLE_BYTES, read_json, read_text, replacing, write_text

log = logging.getLogger(__name__)

SHORTEST = 2_000  # agent steps: the preset `cartpole` begins to learn after 1,000
EVALUATIONS = 10


@dataclass(frozen=True)
class Study:
    """What is compared."""

    title: str
    game: str
    variants: Mapping[str, Sequence[str]]
    """Flags of `atari-dqn train` by the name of the variant."""
    seeds: Sequence[int]
    out: Path
    """Folder of all files."""
    eval_period_episodes: int = 0
    """Games between evaluations, where those are counted in games and so come at steps that differ from run to run."""

    def __post_init__(self) -> None:
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise UsageError(f"seeds are {list(self.seeds)}; give one or more different numbers >= 0")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(f"{self.out} is a file; choose another --out")

    def run_dir(self, variant: str, seed: int) -> Path:
        return self.out / "runs" / variant.replace(" ", "_") / f"seed{seed}"


class Curve(NamedTuple):
    """Evaluations of one variant."""

    when: np.ndarray  # [T] int64, agent steps or games
    returns: np.ndarray  # [seeds, T] float64, mean return of an evaluation


def budget(steps: int) -> list[str]:
    """Flags of a CartPole run of so many agent steps, evaluated ten times.

    Raises:
      UsageError: it would end before it has learned.
    """
    if steps < SHORTEST:
        raise UsageError(f"steps is {steps}; learning begins after 1,000, so give at least {SHORTEST:,}")
    return ["--total-steps", str(steps), "--eval-period", str(steps // EVALUATIONS)]


def run_study(study: Study, *, jobs: int) -> list[str]:
    """Train what is missing, write the files of a study, and return its table in lines.

    Raises:
      UsageError: matplotlib is missing; the folder holds another study; a run failed.
    """
    _pyplot()  # now, not after the training
    train_all(study, jobs=jobs)
    curves = {
        variant: read_curve([study.run_dir(variant, seed) for seed in study.seeds], study.eval_period_episodes)
        for variant in study.variants
    }
    unit = "games" if study.eval_period_episodes else "step"
    rows = [table_row(variant, curve.returns) for variant, curve in curves.items()]
    write_csv(study.out / "table.csv", rows)
    points = [
        {"variant": variant, "seed": seed, unit: when, "return": round(value, 2)}
        for variant, curve in curves.items()
        for seed, values in zip(study.seeds, curve.returns.tolist(), strict=True)
        for when, value in zip(curve.when.tolist(), values, strict=True)
    ]
    write_csv(study.out / "curves.csv", points)
    plot(study.out / "curves.png", curves, title=study.title, xlabel="games" if unit == "games" else "agent steps")
    write_text(study.out / "hardware.json", json.dumps(hardware(), indent=2) + "\n")
    log.info(f"wrote curves.csv, table.csv and curves.png into {study.out}")
    return in_columns(rows)


def train_all(study: Study, *, jobs: int) -> None:
    """Run every variant with every seed, `jobs` processes at a time.

    Raises:
      UsageError: a folder holds another run, or a run failed; the message is the run's own.
    """
    missing = [
        (variant, seed) for seed in study.seeds for variant in study.variants if not _is_done(study, variant, seed)
    ]
    if missing:
        total = len(study.seeds) * len(study.variants)
        log.info(f"{study.title}: {len(missing)} of {total} runs to do, {jobs} at a time, in {study.out / 'runs'}")
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for (variant, seed), error in zip(missing, pool.map(lambda job: _train(study, *job), missing), strict=True):
                if error:
                    raise UsageError(f"{variant}, seed {seed}: {error}")
                log.info(f"{variant}, seed {seed}: done")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _command(study: Study, variant: str, seed: int) -> list[str]:
    folder = str(study.run_dir(variant, seed))
    return ["train", study.game, *study.variants[variant], "--seed", str(seed), "--run-dir", folder]


def _is_done(study: Study, variant: str, seed: int) -> bool:
    folder = study.run_dir(variant, seed)
    if not (folder / "meta.json").exists():
        return False
    try:
        begun = list(map(str, read_json(folder / "meta.json", TABLE_BYTES)["command"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder / 'meta.json'} is damaged ({error!r}); delete {folder} to do it again") from error
    if begun[1:-1] != _command(study, variant, seed)[:-1]:  # but the folder, which may have been moved
        raise UsageError(f"{folder} holds another run ({' '.join(begun)}); choose another --out")
    return (folder / "DONE").exists()


def _train(study: Study, variant: str, seed: int) -> str | None:
    """Train one run to its end; returns what went wrong."""
    resume = ["--resume"] if (study.run_dir(variant, seed) / "config.json").exists() else []
    command = [sys.executable, "-m", "atari_dqn", *_command(study, variant, seed), *resume]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1].removeprefix("atari-dqn: ")


def read_curve(folders: Sequence[Path], eval_period_episodes: int = 0) -> Curve:
    """The evaluations of runs that differ in their seed only.

    Args:
      folders:              of the runs.
      eval_period_episodes: games between evaluations, if those are counted in games.

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


def table_row(variant: str, returns: np.ndarray) -> dict[str, Any]:
    """What a variant reached, over its seeds.

    Args:
      variant: its name.
      returns: [seeds, T], mean return of each evaluation.

    Returns:
      Means over seeds with their intervals: of the last evaluation, of the best one, and of all.
    """
    numbers = {"last": returns[:, -1], "best": returns.max(axis=1), "all": returns.mean(axis=1)}
    row: dict[str, Any] = {"variant": variant, "seeds": len(returns)}
    for name, values in numbers.items():
        low, high = mean_interval(values[:, None])
        row |= {name: round(float(values.mean()), 1)}
        row |= {f"{name}_low": round(float(low[0]), 1), f"{name}_high": round(float(high[0]), 1)}
    return row


def in_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table for people: mean [low, high] over seeds of the last, the best and all evaluations."""
    shown = [["variant", "seeds", "last evaluation", "best evaluation", "mean of all"]]
    for row in rows:
        cells = [_with_interval(row, name) for name in ("last", "best", "all")]
        shown.append([row["variant"], str(row["seeds"]), *cells])
    widths = [max(len(line[column]) for line in shown) for column in range(len(shown[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in shown]


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    return f"{row[name]:.1f} [{row[name + '_low']:.1f}, {row[name + '_high']:.1f}]"


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
    try:
        import matplotlib
    except ImportError as error:
        raise UsageError("plots need the 'plot' extra: pip install 'atari-dqn[plot]'") from error
    matplotlib.use("agg")  # files only, also where there is no screen
    from matplotlib import pyplot

    return pyplot
