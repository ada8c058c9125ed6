"""Run folders -> plain records. Reads files only; whatever cannot be read becomes a `Problem`, never a traceback.

A run is a folder with a config.json. It may come from an older version, be unfinished, cut off or damaged: every file
but the config is optional here, and every value is checked before it is believed.
"""

from __future__ import annotations

import csv
import dataclasses
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from atari_dqn.errors import UsageError
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.published.curves import Metric
from atari_dqn.published.scores import THIRTY_MINUTES, Pair, game_label, human_pair
from atari_dqn.report.parsing import Problem, printable, read_object, read_text
from atari_dqn.safe_files import integer, number, parse_json
from atari_dqn.settings.from_file import flattened

NOT_RUNS = {"checkpoints", "evaluations", "videos"}  # folders inside of a run
EVALUATION_NAME = re.compile(r"(?P<protocol>\w+)_(?P<checkpoint>last|best)\.json")
AS_LONG_AS_TRAINING = ("monitor", "greedy")  # protocols whose episodes have the time limit of the run
MILLION = 1_000_000
FOLDERS_MOST = 20_000  # to look into for runs: a second or two; `report /` would take hours


@dataclass(frozen=True)
class Evaluation:
    """One score of one run, and where it stands."""

    result: EvaluationResult
    checkpoint: str
    """`best` or `last`: which network of the run played."""
    source: str
    """File inside the run folder."""


class Point(NamedTuple):
    """A point of a learning curve: frames are agent steps times the frames of a step."""

    frames: int
    value: float


class EvalRow(NamedTuple):
    """An evaluation during training: a row of evals.csv."""

    step: int
    episodes: int
    mean: float
    std: float
    epsilon: float | None


@dataclass(frozen=True)
class Run:
    """What the files of one run say."""

    path: Path
    game: str
    preset: str
    seed: int
    config: Mapping[str, Any]
    meta: Mapping[str, Any]
    finished: bool
    steps: int
    """Agent steps reached, as far as files tell."""
    evaluations: tuple[Evaluation, ...]
    monitored: tuple[Point, ...]
    """Mean scores of the evaluations during training."""
    trained: tuple[Point, ...]
    """Mean return of the last episodes in training."""
    trained_by_million: Mapping[int, float]
    """Mean return of the episodes that ended within each million frames of training, by the frame that ends it."""
    frames_per_second: float | None
    """Median over the log points at which the network learned."""
    hours: float | None
    """Of training, without evaluations."""

    def scores_like(self, metric: Metric) -> dict[int, float]:
        """Scores by frames, measured as a published curve is."""
        if metric == "evaluation":
            return {point.frames: point.value for point in self.monitored}
        return dict(self.trained_by_million)

    @property
    def total_steps(self) -> int | None:
        return integer(self.config.get("total_steps"))


@dataclass
class Records:
    """All runs below some folders, and what could not be read there."""

    runs: list[Run] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_runs(roots: Sequence[Path]) -> Records:
    """Every run in `roots` and below, in the order of their paths; a folder that is reached twice counts once."""
    records = Records()
    for folder in sorted(
        {folder.resolve(): folder for root in roots for folder in _run_folders(root, records.problems)}.values()
    ):
        run = read_run(folder, records.problems)
        if run is not None:
            records.runs.append(run)
    return records


def read_run(folder: Path, problems: list[Problem]) -> Run | None:
    """One run; None, and a problem, where the config does not say what it is."""
    table = read_object(folder / "config.json", problems)
    if table is None:
        return None
    config = flattened(table)
    game, preset, seed = config.get("game"), config.get("preset"), integer(config.get("seed"))
    if not (isinstance(game, str) and game and isinstance(preset, str) and seed is not None):
        problems.append(Problem(str(folder), "config.json does not say game, preset and seed"))
        return None
    config["game"] = game = game_label(game, *(integer(config.get(name)) for name in ("game_mode", "difficulty")))
    meta = read_object(folder / "meta.json", problems, missing="hardware and commit are unknown") or {}
    done = read_object(folder / "DONE", problems) if (folder / "DONE").exists() else None
    metrics = list(_read_lines(folder / "metrics.jsonl", problems))
    rows = _read_evals(folder / "evals.csv", problems)
    skip = frames_per_step(config)
    steps = [record["step"] for record in metrics] + [row.step for row in rows]
    speed, hours = _speed(metrics)
    return Run(
        path=folder,
        game=printable(game),
        preset=printable(preset),
        seed=seed,
        config=config,
        meta=meta,
        finished=done is not None,
        steps=max([integer((done or {}).get("steps")) or 0, *steps]),
        evaluations=_evaluations(folder, config, rows, problems),
        monitored=tuple(Point(row.step * skip, row.mean) for row in rows),
        trained=tuple(
            Point(record["step"] * skip, value)
            for record in metrics
            if (value := number(record.get("train/episode_return"))) is not None
        ),
        trained_by_million=_by_million(metrics, skip),
        frames_per_second=speed,
        hours=hours,
    )


def _run_folders(root: Path, problems: list[Problem]) -> Iterator[Path]:
    """Folders with a config.json, `root` itself or below.

    Raises:
      UsageError: it has too many folders to be one of runs.
    """

    def tell(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"cannot be read ({error.strerror})"))

    for looked_into, (name, folders, files) in enumerate(os.walk(root, onerror=tell)):
        if looked_into > FOLDERS_MOST:
            raise UsageError(f"{root} holds more than {FOLDERS_MOST:,} folders; name one nearer to the runs")
        if "config.json" in files:
            yield Path(name)  # and on: whoever trains in `runs` itself has a run that holds the others
        folders[:] = sorted(set(folders) - NOT_RUNS)


def _evaluations(
    folder: Path, config: Mapping[str, Any], rows: Sequence[EvalRow], problems: list[Problem]
) -> tuple[Evaluation, ...]:
    """Those of evaluations/; where there are none, the best and the last one during training."""
    found = []
    for path in sorted((folder / "evaluations").glob("*.json")):
        if (name := EVALUATION_NAME.fullmatch(path.name)) is None:
            problems.append(Problem(str(path), "is not named <protocol>_<last|best>.json; left out"))
        elif (table := read_object(path, problems)) is not None:
            try:
                found.append(_evaluation(table, config, name["checkpoint"], f"evaluations/{path.name}"))
            except ValueError as error:
                problems.append(Problem(str(path), f"{error}; left out"))
    if found or not rows:
        return tuple(found)
    best = max(rows, key=lambda row: row.mean)
    return tuple(_monitored(row, config, which) for row, which in ((best, "best"), (rows[-1], "last")))


def _evaluation(table: Mapping[str, Any], config: Mapping[str, Any], checkpoint: str, source: str) -> Evaluation:
    """What `atari-dqn evaluate` wrote.

    Raises:
      ValueError: naming what is wrong.
    """
    if table.get("game") != config["game"]:
        raise ValueError(f"is of {table.get('game')!r}, the run's game is {config['game']!r}")
    result = EvaluationResult.from_dict(table)
    if result.protocol in AS_LONG_AS_TRAINING:
        result = result.corrected(training_pair(config))
    return Evaluation(dataclasses.replace(result, protocol=printable(result.protocol)), checkpoint, source)


def _monitored(row: EvalRow, config: Mapping[str, Any], checkpoint: str) -> Evaluation:
    """A row of evals.csv as a score."""
    result = EvaluationResult(config["game"], "monitor", training_pair(config), **row._asdict())
    return Evaluation(result, checkpoint, source="evals.csv")


def training_pair(config: Mapping[str, Any]) -> Pair:
    """The human that episodes of training may be compared with, and those of its evaluations, which are as long."""
    skip = frames_per_step(config)
    return human_pair(config["game"], integer(config.get("max_episode_steps")) or THIRTY_MINUTES // skip, skip)


def frames_per_step(config: Mapping[str, Any]) -> int:
    """Emulator frames of an agent step; 1 where there is no emulator."""
    return 1 if config.get("backend") == "classic" else integer(config.get("frame_skip")) or 4


def _read_evals(path: Path, problems: list[Problem]) -> list[EvalRow]:
    """The evaluations during training, by step; rows that were cut off are left out."""
    try:
        table = list(csv.DictReader((read_text(path, problems) or "").splitlines()))
    except csv.Error as error:
        problems.append(Problem(str(path), f"is not valid CSV ({error})"))
        return []
    rows = []
    for place, cells in enumerate(table, start=1):
        step, episodes = (integer(cells.get(name)) for name in ("step", "episodes"))
        mean, std, epsilon = (number(cells.get(name)) for name in ("mean", "std", "epsilon"))
        if step is None or not episodes or mean is None or std is None:
            problems.append(Problem(str(path), f"row {place} is damaged; left out"))
        else:
            rows.append(EvalRow(step, episodes, mean, std, epsilon))
    return sorted(rows, key=lambda row: row.step)


def _read_lines(path: Path, problems: list[Problem]) -> Iterator[dict[str, Any]]:
    """Records of metrics.jsonl with their agent step; the last line of a killed run may be half a line."""
    damaged = 0
    for line in (read_text(path, problems) or "").splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            record = None
        step = integer(record.get("step")) if isinstance(record, dict) else None
        if step is None:
            damaged += 1
        else:
            yield {**record, "step": step}
    if damaged:
        problems.append(Problem(str(path), f"{damaged} damaged line{'s' * (damaged > 1)} left out"))


def _by_million(metrics: Sequence[Mapping[str, Any]], frame_skip: int) -> dict[int, float]:
    """Mean returns in training by million frames, from the windows of the log; the last, unfinished one is left out."""
    total: dict[int, float] = {}
    games: dict[int, float] = {}
    before, frames = 0.0, 0
    for record in metrics:
        frames = record["step"] * frame_skip
        episodes, mean = number(record.get("train/episodes")), number(record.get("train/window_return"))
        if episodes is None:
            continue
        ended, before = episodes - before, episodes
        if mean is None or ended <= 0:
            continue
        million = math.ceil(frames / MILLION) * MILLION
        total[million] = total.get(million, 0.0) + ended * mean
        games[million] = games.get(million, 0.0) + ended
    return {million: total[million] / games[million] for million in total if million <= frames}


def _speed(metrics: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Median frames a second while learning, and hours of training: steps over steps per second, summed."""
    speeds, seconds, before = [], 0.0, 0
    for record in metrics:
        per_second = number(record.get("time/steps_per_second"))
        if not per_second or per_second < 0:
            continue
        seconds += max(record["step"] - before, 0) / per_second
        before = record["step"]
        frames = number(record.get("time/frames_per_second"))
        if frames and number(record.get("time/updates_per_second")):
            speeds.append(frames)
    return median(speeds) if speeds else None, seconds / 3600 if seconds else None
