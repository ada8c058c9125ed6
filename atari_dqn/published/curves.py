"""Published learning curves of DQN, each with its protocol; `data/SOURCES.md` says where they come from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

Source = Literal["nnabla_rl", "dopamine_tf", "dqn_zoo"]

PROTOCOLS: dict[Source, str] = {
    "nnabla_rl": "nnabla-rl: the paper's settings, evaluations of 125,000 steps, epsilon 0.05, 3 seeds",
    "dopamine_tf": "Dopamine: sticky actions 0.25, training returns, epsilon 0.01, 5 seeds",
}


class PublishedPoint(NamedTuple):
    """Mean over seeds, the lowest and highest seed, and the standard deviation over seeds, of raw scores."""

    frames: int
    mean: float
    low: float
    high: float
    std: float | None = None  # not known of medians


@dataclass(frozen=True)
class PublishedCurve:
    """One game as one group of authors measured it."""

    source: Source
    points: tuple[PublishedPoint, ...]

    def at(self, frames: int) -> float | None:
        """The mean at exactly this frame, or None."""
        return next((point.mean for point in self.points if point.frames == frames), None)


ZOO_MILLIONS = (1, 2, 5, 10, 20, 50, 100, 200)


@cache
def _curves() -> dict[tuple[str, str], PublishedCurve]:
    text = (files("atari_dqn") / "data" / "dqn_learning_curves.csv").read_text(encoding="utf-8")
    points: dict[tuple[str, Source], list[PublishedPoint]] = {}
    for row in csv.DictReader(text.splitlines()):
        for source in PROTOCOLS:
            if row["source"] == source:
                point = PublishedPoint(
                    int(row["frames"]),
                    *(float(row[column]) for column in ("mean", "seed_min", "seed_max", "std")),
                )
                points.setdefault((row["game"], source), []).append(point)
    return {key: PublishedCurve(key[1], tuple(sorted(found))) for key, found in points.items()}


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
    return PublishedCurve("dqn_zoo", tuple(points))


def published_curve(game: str, source: Source) -> PublishedCurve | None:
    """The curve of a game (ROM id), at 1, 2, 5, ... 200 million frames; None where it was not published."""
    return _curves().get((game, source))
