"""Learning curves: the seeds of a game as one mean with a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from atari_dqn.published.aggregates import mean_interval
from atari_dqn.published.scores import Pair
from atari_dqn.report.read_runs import Point, Run, frames_per_step, training_pair
from atari_dqn.report.tables import Series

MOST_POINTS = 120  # of a drawn curve: more cannot be told apart
SEEDS_FOR_AN_INTERVAL = 3

BANDS = {1: "one seed", 2: "2 seeds, band from the lower to the higher"}


@dataclass(frozen=True)
class Curve:
    """One game in one series."""

    series: str
    game: str
    kind: str
    """`evaluation` during training, or `training return` where there was none: the last 20 episodes, exploring."""
    pair: Pair
    """Which human its scores may be compared with."""
    seeds: int
    frames: np.ndarray
    """[points] emulator frames as float64, rising; up to where the shortest seed ends."""
    mean: np.ndarray
    """[points] raw score, mean over seeds."""
    low: np.ndarray | None
    """[points] lower edge of the band; None for one seed."""
    high: np.ndarray | None
    band: str
    """How many seeds, and what the band is, in words."""
    cut: int | None
    """Frames that the longest seed reached, where that is more than what is shown."""
    skip: int = 4
    """Emulator frames of an agent step; 1 where there is no emulator, and a frame is an agent step."""

    @property
    def clock(self) -> str:
        """What its frames are called."""
        return "agent steps" if self.skip == 1 else "frames"

    def since(self, frame: float) -> Curve:
        """The part from `frame` on."""
        kept = self.frames >= frame
        edges = [None if edge is None else edge[kept] for edge in (self.low, self.high)]
        return replace(self, frames=self.frames[kept], mean=self.mean[kept], low=edges[0], high=edges[1])


def make_curves(series: Sequence[Series]) -> dict[str, list[Curve]]:
    """The curves of each game; games without one are left out."""
    found: dict[str, list[Curve]] = {}
    for one in series:
        for game in sorted({run.game for run in one.runs}):
            curve = _curve(one.name, game, [run for run in one.runs if run.game == game])
            if curve is not None:
                found.setdefault(game, []).append(curve)
    return dict(sorted(found.items()))


def _curve(series: str, game: str, runs: Sequence[Run]) -> Curve | None:
    kind = "evaluation" if any(len(run.monitored) > 1 for run in runs) else "training return"
    seeds = [_unique(run.monitored if kind == "evaluation" else run.trained) for run in runs]
    seeds = [(frames, values) for frames, values in seeds if len(frames) > 1]
    if not seeds:
        return None
    grid = common_grid([frames for frames, _ in seeds])
    if len(grid) < 2:  # seeds that do not overlap: nothing that could be averaged
        return None
    # seeds of one config share their frames, and nothing is interpolated; others are joined by straight lines
    values = np.stack([np.interp(grid, frames, values) for frames, values in seeds])
    low, high = _band(values)
    longest = int(max(frames[-1] for frames, _ in seeds))
    return Curve(
        series=series,
        game=game,
        kind=kind,
        pair=training_pair(runs[0].config),
        seeds=len(seeds),
        frames=grid,
        mean=values.mean(axis=0),
        low=low,
        high=high,
        band=BANDS.get(len(seeds), f"{len(seeds)} seeds, band: 95 % bootstrap interval of their mean"),
        cut=longest if longest > grid[-1] else None,
        skip=frames_per_step(runs[0].config),
    )


def common_grid(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Frames of all curves where each of them has begun and none has ended, thinned; empty where there are none."""
    begin, end = max(frames[0] for frames in curves), min(frames[-1] for frames in curves)
    grid = np.unique(np.concatenate(curves))
    return _thinned(grid[(grid >= begin) & (grid <= end)])


def _band(values: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Edges of the band around the mean of [seeds, points]."""
    if len(values) == 1:
        return None, None
    if len(values) < SEEDS_FOR_AN_INTERVAL:
        return values.min(axis=0), values.max(axis=0)
    return mean_interval(values)


def _unique(points: Sequence[Point]) -> tuple[np.ndarray, np.ndarray]:
    """Frames, rising and > 0 for a logarithmic axis, and values; of a frame that stands twice the last counts."""
    table = {point.frames: point.value for point in points if point.frames > 0}
    frames = sorted(table)
    return np.array(frames, np.float64), np.array([table[frame] for frame in frames], np.float64)


def _thinned(grid: np.ndarray) -> np.ndarray:
    """At most MOST_POINTS of the frames, evenly spread on a logarithmic axis, both ends among them."""
    if len(grid) <= MOST_POINTS:
        return grid
    wanted = np.geomspace(grid[0], grid[-1], MOST_POINTS)
    return grid[np.unique(np.abs(np.log(grid)[None, :] - np.log(wanted)[:, None]).argmin(axis=1))]
