"""Published learning curves of DQN and its family, each with its protocol; `data/SOURCES.md` says where they are from.

A run can be held only against the curve of its own settings. `series_of` says which one that is: DQN of nnabla-rl, for
instance, is often taken for the paper's, but its gradient and its initial weights are others.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

Source = Literal["nnabla_rl", "dopamine", "rl_zoo", "dqn_zoo"]
Metric = Literal["evaluation", "training"]

PROTOCOLS: dict[Source, str] = {
    "nnabla_rl": "nnabla-rl: evaluations of 125,000 steps, no sticky actions; epsilon 0.05 for DQN and Double, 0 for "
    "Rainbow, else 0.001",
    "dopamine": "Dopamine (JAX): training returns of the last million frames, sticky actions 0.25, epsilon 0.01",
    "rl_zoo": "RL Zoo: training returns of the last million frames, no sticky actions, one seed",
}
METRICS: dict[Source, Metric] = {
    "nnabla_rl": "evaluation",
    "dopamine": "training",
    "rl_zoo": "training",
    "dqn_zoo": "evaluation",
}
MILESTONES = tuple(millions * 1_000_000 for millions in (1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 200))
"""Frames at which a run is compared with its curve."""
TOLERANCE = 0.02
"""An evaluation may lie so much later than the frame it stands for: a vector step of many games passes it."""


class Series(NamedTuple):
    """A recipe as one group of authors ran it."""

    source: Source
    recipe: str


SERIES_OF_PRESET = {
    "nnabla": Series("nnabla_rl", "dqn"),
    "rl_zoo": Series("rl_zoo", "dqn"),
    "sticky": Series("dopamine", "dqn"),
    "double": Series("nnabla_rl", "double"),
    "c51": Series("nnabla_rl", "c51"),
    "qr_dqn": Series("nnabla_rl", "qr_dqn"),
    "iqn": Series("nnabla_rl", "iqn"),
    "munchausen": Series("nnabla_rl", "munchausen"),
    "munchausen_iqn": Series("nnabla_rl", "munchausen_iqn"),
    "rainbow": Series("nnabla_rl", "rainbow"),
}
"""The series that a preset is held against; for the others no curve per game was published. Of the family, nnabla-rl's:
no sticky actions, settings near those of the papers, but initial weights of its own."""


class PublishedPoint(NamedTuple):
    """Mean over seeds, the lowest and the highest seed, of raw scores."""

    frames: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PublishedCurve:
    """One game as one group of authors measured it."""

    source: Source
    points: tuple[PublishedPoint, ...]
    recipe: str = "dqn"
    seeds: int | None = None

    @property
    def metric(self) -> Metric:
        """What its points are: evaluations with fixed networks, or returns of training, exploration included."""
        return METRICS[self.source]

    def point(self, frames: int) -> PublishedPoint | None:
        """The point at exactly this frame, or None."""
        return next((point for point in self.points if point.frames == frames), None)

    def at(self, frames: int) -> float | None:
        """The mean at exactly this frame, or None."""
        return None if (point := self.point(frames)) is None else point.mean


class Verdict(NamedTuple):
    """A run of ours beside the published point at the same number of frames."""

    frames: int
    ours: float
    published: PublishedPoint
    inside: bool | None
    """Is ours within the range of the published seeds? None where there was one seed, and so no range."""


def verdicts(ours: Mapping[int, float], curve: PublishedCurve) -> list[Verdict]:
    """Our scores beside a published curve, at each milestone that both have.

    Args:
      ours:  score by frames, of the curve's metric; a value may stand up to `TOLERANCE` after its milestone.
      curve: of the same game and settings.
    """
    found = []
    for frames in MILESTONES:
        point = curve.point(frames)
        near = [mine for mine in ours if frames <= mine <= (1 + TOLERANCE) * frames]
        if point is None or not near:
            continue
        score = ours[min(near)]
        inside = None if curve.seeds == 1 else point.low <= score <= point.high
        found.append(Verdict(frames, score, point, inside))
    return found


@cache
def _curves() -> dict[tuple[Source, str, str], PublishedCurve]:
    """By source, recipe and game."""
    packed = (files("atari_dqn") / "data" / "published_curves.csv.gz").read_bytes()
    points: dict[tuple[Source, str, str], list[PublishedPoint]] = {}
    seeds: dict[tuple[Source, str, str], int] = {}
    for source, recipe, game, millions, mean, low, high, count in csv.reader(
        gzip.decompress(packed).decode().splitlines()[1:]
    ):
        key = (next(name for name in PROTOCOLS if name == source), recipe, game)
        points.setdefault(key, []).append(
            PublishedPoint(int(millions) * 1_000_000, float(mean), float(low), float(high))
        )
        seeds[key] = int(count)
    return {key: PublishedCurve(key[0], tuple(sorted(found)), key[1], seeds[key]) for key, found in points.items()}


def published_curve(game: str, source: Source, recipe: str = "dqn") -> PublishedCurve | None:
    """The curve of a game (ROM id), at most every million frames up to 200; None where it was not published."""
    return _curves().get((source, recipe, game))


def series_of(preset: str, game: str) -> PublishedCurve | None:
    """The curve that a run of a preset is held against: of the same settings; None where none was published."""
    series = SERIES_OF_PRESET.get(preset)
    return None if series is None else published_curve(game, *series)


def curve_beside(preset: str, game: str) -> PublishedCurve | None:
    """The curve to draw beside a run of a preset: that of its settings, else Dopamine's of the same recipe.

    Dopamine has C51, QR-DQN, IQN and Rainbow on sixty games, with sticky actions: to look at, not to be held against.
    """
    series = SERIES_OF_PRESET.get(preset)
    return None if series is None else series_of(preset, game) or published_curve(game, "dopamine", series.recipe)


ZOO_MILLIONS = (1, 2, 5, 10, 20, 50, 100, 200)


@cache
def dqn_zoo_median() -> PublishedCurve:
    """DQN Zoo's median over 57 games, percent of the human of 30-minute games, with the range of its 5 seeds."""
    text = (files("atari_dqn") / "data" / "dqn_zoo_median_hns_curve.csv").read_text(encoding="utf-8")
    rows = {row["frames_millions"]: row for row in csv.DictReader(text.splitlines())}
    columns = ("dqn_median_hns_pct", "seed_band_low_pct", "seed_band_high_pct")
    points = (
        PublishedPoint(millions * 1_000_000, *(float(rows[str(millions)][name]) for name in columns))
        for millions in ZOO_MILLIONS
    )
    return PublishedCurve("dqn_zoo", tuple(points), seeds=5)
