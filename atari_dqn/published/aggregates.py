"""Aggregates over games and seeds with intervals, for normalised scores; pure functions on arrays.

Scores come as one 1-d array per game, with one number per run (seed) of that game; the arrays may differ in length:

    games = [array([0.9, 1.2, 1.1]),    # pong, three seeds
             array([0.1, 0.3])]         # seaquest, two seeds

Source: Agarwal et al. 2021, Deep Reinforcement Learning at the Edge of the Statistical Precipice, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Games = Sequence[np.ndarray]

RESAMPLES = 2_000
CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A number and its interval; `low` and `high` are None where no game has two runs to resample."""

    value: float
    low: float | None
    high: float | None


def iqm(*games: np.ndarray, axis: int = -1) -> Any:
    """Interquartile mean: the mean of the middle half of all runs of all games; a quarter is cut off at each end.

    Runs are pooled as in the source, so a game with more seeds weighs more. Cuts whole runs: of n, floor(n / 4) a side.
    """
    from scipy import stats  # it takes a second: a report may find no runs

    return stats.trim_mean(np.concatenate(games, axis=axis), 0.25, axis=axis)


def median(*games: np.ndarray, axis: int = -1) -> Any:
    """Median over games of the mean over seeds."""
    return np.median(_game_means(games, axis), axis=axis)


def mean(*games: np.ndarray, axis: int = -1) -> Any:
    """Mean over games of the mean over seeds."""
    return np.mean(_game_means(games, axis), axis=axis)


def optimality_gap(*games: np.ndarray, axis: int = -1) -> Any:
    """How far the runs stay below 1, the human, on average: 0 where every run reaches it. Better play counts as 1."""
    return np.mean(1.0 - _game_means([np.minimum(scores, 1.0) for scores in games], axis), axis=axis)


METRICS: dict[str, Callable[..., Any]] = {
    "iqm": iqm,
    "median": median,
    "mean": mean,
    "optimality_gap": optimality_gap,
}


def aggregate(games: Games, metric: str, *, seed: int = 0) -> Estimate:
    """One of METRICS over games and seeds, with its stratified bootstrap interval.

    Args:
      games:  one 1-d array per game, at least one game, no empty array.
      metric: a name of METRICS.
      seed:   of the resampling.

    Returns:
      The number and its 95 % percentile interval. Runs are drawn again within each game; a game with a single run is
      the same in every draw, so its part of the uncertainty is missing.
    """
    return _estimate(METRICS[metric], [_checked(scores) for scores in games], seed)


def probability_of_improvement(ours: Games, theirs: Games, *, seed: int = 0) -> Estimate:
    """Chance that a run of `ours` beats one of `theirs` in a game drawn at random; ties count one half.

    Args:
      ours:   one 1-d array per game.
      theirs: the same games in the same order.
      seed:   of the resampling.

    Returns:
      A number in [0, 1] with its 95 % interval; the runs of both sides are drawn again within each game.

    Raises:
      ValueError: not the same number of games.

    Source: as above, section 4.3: the mean over games of P(X > Y), the Mann-Whitney U statistic over N M.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} games against {len(theirs)}: both sides need the same games")
    pairs = [_checked(scores) for pair in zip(ours, theirs, strict=True) for scores in pair]
    return _estimate(_mean_win, pairs, seed)


def mean_interval(values: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """95 % bootstrap interval of the mean over seeds, at many points at once.

    Args:
      values: [seeds, points]; a draw takes whole seeds, the same at every point. One seed has an interval of no width.
      seed:   of the resampling.

    Returns:
      low, high: [points] each.
    """
    rows = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    # how often each seed was drawn, [RESAMPLES, seeds]: a product instead of a copy of the curves for every draw
    counts = np.stack([(rows == index).sum(axis=1) for index in range(len(values))], axis=1)
    means = counts @ values / len(values)
    edges = [100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2]
    low, high = np.percentile(means, edges, axis=0)
    return low, high


def _game_means(games: Games, axis: int) -> np.ndarray:
    return np.stack([scores.mean(axis=axis) for scores in games], axis=axis)


def _mean_win(*pairs: np.ndarray, axis: int = -1) -> Any:
    """Mean over games of the share of (ours, theirs) pairs that ours wins; `pairs` alternates the two sides."""
    shares = []
    for ours, theirs in zip(pairs[::2], pairs[1::2], strict=True):
        difference = ours[..., :, None] - theirs[..., None, :]
        shares.append(((np.sign(difference) + 1) / 2).mean(axis=(-2, -1)))
    return np.mean(shares, axis=0)


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores of a game must be a 1-d array of finite numbers, not {scores!r}")
    return scores


def _estimate(statistic: Callable[..., Any], samples: Games, seed: int) -> Estimate:
    if not samples:
        raise ValueError("no games to aggregate")
    value = float(statistic(*samples))
    drawn = [index for index, sample in enumerate(samples) if sample.size > 1]
    if not drawn:
        return Estimate(value, None, None)

    def with_single_runs(*resampled: np.ndarray, axis: int = -1) -> Any:
        batch = resampled[0].shape[:-1]
        every = [np.broadcast_to(sample, (*batch, sample.size)) for sample in samples]
        for index, sample in zip(drawn, resampled, strict=True):
            every[index] = sample
        return statistic(*every, axis=axis)

    from scipy import stats

    interval = stats.bootstrap(
        [samples[index] for index in drawn],
        with_single_runs,
        n_resamples=RESAMPLES,
        batch=200,
        vectorized=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return Estimate(value, float(interval.low), float(interval.high))
