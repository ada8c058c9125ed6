"""One learning curve for all games: the median over games of human-normalised evaluations during training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atari_dqn.published.curves import PublishedCurve, PublishedPoint, dqn_zoo_median, published_curve
from atari_dqn.published.scores import human_normalized, published
from atari_dqn.report.curves import Curve, common_grid
from atari_dqn.report.formatting import count

FEWEST_GAMES = 5  # the median of fewer says little


@dataclass(frozen=True)
class MedianCurve:
    """A series over the games that it evaluated, percent of the human of 30-minute games."""

    curve: Curve
    games: int
    published: tuple[PublishedCurve, ...]
    """nnabla-rl on the very same games where it has them all, and DQN Zoo on its own 57."""


def median_curve(series: str, curves: Sequence[Curve]) -> MedianCurve | None:
    """The median of a series; None where too few games were evaluated in the way that published ones were.

    Args:
      series: its name.
      curves: all games of all series.
    """
    lines = [
        curve
        for curve in curves
        if curve.series == series and curve.kind == "evaluation" and curve.pair == "zoo" and _known(curve.game)
    ]
    if len(lines) < FEWEST_GAMES:
        return None
    grid = common_grid([line.frames for line in lines])
    if len(grid) < 2:
        return None
    percent = [_percent(np.interp(grid, line.frames, line.mean), line.game) for line in lines]
    longest = int(max(line.frames[-1] for line in lines))
    seeds = [line.seeds for line in lines]
    curve = Curve(
        series=series,
        game="",
        kind=f"median of {len(lines)} games",
        pair="zoo",
        seeds=min(seeds),
        frames=grid,
        mean=np.median(percent, axis=0),
        low=None,
        high=None,
        band=f"{_least_to_most(seeds)} a game, no band",
        cut=longest if longest > grid[-1] else None,
    )
    beside = [_nnabla([line.game for line in lines]), dqn_zoo_median()]
    return MedianCurve(curve, len(lines), tuple(found for found in beside if found is not None))


def _least_to_most(seeds: Sequence[int]) -> str:
    least, most = min(seeds), max(seeds)
    return count(most, "seed") if least == most else f"{least} to {count(most, 'seed')}"


def _nnabla(games: Sequence[str]) -> PublishedCurve | None:
    found = [published_curve(game, "nnabla_rl") for game in games]
    curves = [curve for curve in found if curve is not None]
    if len(curves) < len(games):
        return None
    points = []
    for frame in (point.frames for point in curves[0].points):
        scores = [(curve.at(frame), game) for curve, game in zip(curves, games, strict=True)]
        middle = float(np.median([_percent(np.array([score]), game)[0] for score, game in scores if score is not None]))
        points.append(PublishedPoint(frame, middle, middle, middle))
    return PublishedCurve("nnabla_rl", tuple(points))


def _known(game: str) -> bool:
    scores = published(game)
    return scores is not None and scores.human_zoo is not None


def _percent(scores: np.ndarray, game: str) -> np.ndarray:
    """Raw scores of a game with a published human -> percent of the human of 30-minute games."""
    random, human = (human_normalized(raw, game, pair="zoo") for raw in (0.0, 1.0))
    assert random is not None
    assert human is not None
    return 100 * (random + (human - random) * scores)  # normalising is a straight line
