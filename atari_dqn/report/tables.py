"""Records of runs -> the tables of the report: scores, one cell per game, aggregates, comparisons.

    runs of a folder --- by preset ---> series --- by protocol, checkpoint and human ---> groups, one cell per game

Numbers of two groups are never averaged together: a protocol, a way to choose the network and a human column belong to
every number here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import numpy as np

from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.published.aggregates import METRICS, Estimate, aggregate, probability_of_improvement
from atari_dqn.published.curves import Source, published_curve
from atari_dqn.published.scores import Pair, human_normalized, published
from atari_dqn.report.parsing import Problem
from atari_dqn.report.read_runs import Run

PROTOCOL_ORDER = ("nature", "sticky", "monitor", "greedy")
LAST_FRAME = 200_000_000


@dataclass
class Series:
    """Runs that differ in game and seed only."""

    name: str
    runs: list[Run] = field(default_factory=list)


class Group(NamedTuple):
    """What has to agree before numbers may be averaged."""

    series: str
    protocol: str
    checkpoint: str
    pair: Pair


@dataclass(frozen=True)
class Cell:
    """One game in one group: all its seeds."""

    mean: float
    """Over seeds, of the mean raw score."""
    std: float
    """Over all episodes of all seeds, divided by n; as the paper prints it for its 30 episodes."""
    seed_std: float | None
    """Over the means of the seeds, divided by n - 1; None for a single seed."""
    seeds: int
    episodes: int
    """Of all seeds together."""
    scores: tuple[float, ...]
    """Mean raw score of each seed."""
    normalized: tuple[float, ...]
    """The same, 0 for random play and 1 for the human of the group; empty where nothing was published."""

    @property
    def human(self) -> float | None:
        """Mean normalised score."""
        return float(np.mean(self.normalized)) if self.normalized else None


Cells = Mapping[Group, Mapping[str, Cell]]


@dataclass(frozen=True)
class Aggregate:
    """METRICS of a group, or of a published column on the same games."""

    label: str
    group: Group
    games: int
    runs: int | None
    """None for published columns."""
    single: int
    """Games with a single run, which an interval cannot see."""
    estimates: Mapping[str, Estimate]


@dataclass(frozen=True)
class Improvement:
    """Does `left` beat `right`, on the games that both played by the same protocol?"""

    left: Group
    right: Group
    games: tuple[str, ...]
    probability: Estimate


def make_series(suites: Sequence[tuple[str | None, Sequence[Run]]], problems: list[Problem]) -> list[Series]:
    """One series per suite and preset. Of two runs of the same game, preset and seed one counts; the other is named.

    Args:
      suites:   (name, runs) each; a name of None takes the presets' names.
      problems: grows by the runs that are left out.
    """
    found: list[Series] = []
    for name, runs in suites:
        presets = sorted({run.preset for run in runs})
        for preset in presets:
            label = preset if name is None else name if len(presets) == 1 else f"{name}: {preset}"
            chosen = _without_twins([run for run in runs if run.preset == preset], problems)
            found.append(Series(label, chosen))
    return found


def _without_twins(runs: Sequence[Run], problems: list[Problem]) -> list[Run]:
    """Keep, of runs with the same game and seed, the one that has been evaluated, has ended, is longest, is newest."""

    def worth(run: Run) -> tuple[bool, bool, int, str]:
        started = run.meta.get("started")
        return bool(run.evaluations), run.finished, run.steps, started if isinstance(started, str) else ""

    kept: dict[tuple[str, int], Run] = {}
    for run in sorted(runs, key=worth, reverse=True):
        twin = kept.setdefault((run.game, run.seed), run)
        if twin is not run:
            what = f"is another run of {run.game}, {run.preset}, seed {run.seed}; only {twin.path} counts"
            problems.append(Problem(str(run.path), what))
    return [run for run in runs if kept[run.game, run.seed] is run]


def make_cells(series: Sequence[Series]) -> dict[Group, dict[str, Cell]]:
    """All groups in the order in which they are shown, each with its games."""
    gathered: dict[Group, dict[str, list[EvaluationResult]]] = {}
    for one in series:
        for run in one.runs:
            for evaluation in run.evaluations:
                result = evaluation.result
                group = Group(one.name, result.protocol, evaluation.checkpoint, result.human_pair)
                gathered.setdefault(group, {}).setdefault(run.game, []).append(result)
    names = [one.name for one in series]
    return {
        group: {game: _cell(found) for game, found in sorted(gathered[group].items())}
        for group in sorted(gathered, key=lambda group: (_rank(group), names.index(group.series)))
    }


def _rank(group: Group) -> tuple[int, str, str, str]:
    known = group.protocol in PROTOCOL_ORDER
    place = PROTOCOL_ORDER.index(group.protocol) if known else len(PROTOCOL_ORDER)
    return place, group.protocol, group.pair, group.checkpoint


def _cell(results: Sequence[EvaluationResult]) -> Cell:
    means = np.array([result.mean for result in results])
    weights = np.array([result.episodes for result in results])
    center = np.average(means, weights=weights)
    squares = [result.std**2 + (result.mean - center) ** 2 for result in results]
    normalized = [result.human_normalized for result in results]
    return Cell(
        mean=float(means.mean()),
        # exactly the deviation of all episodes put together, from the mean and deviation of each seed
        std=float(np.sqrt(np.average(squares, weights=weights))),
        seed_std=float(means.std(ddof=1)) if len(means) > 1 else None,
        seeds=len(means),
        episodes=int(weights.sum()),
        scores=tuple(map(float, means)),
        normalized=tuple(score for score in normalized if score is not None),
    )


def reference(group: Group) -> tuple[str, Callable[[str], float | None]]:
    """The published column that a group may be laid beside: its name, and its raw score of a game.

    The paper's for its own protocol; for longer games those authors that come closest, after 200 million frames.
    """
    if group.pair == "nature":
        return "Mnih et al. 2015, best network", _paper
    if group.protocol == "sticky":
        return "Dopamine, sticky actions, training returns, last network", lambda game: _after_200m(game, "dopamine")
    return "nnabla-rl, settings near the paper's, last network", lambda game: _after_200m(game, "nnabla_rl")


def _paper(game: str) -> float | None:
    scores = published(game)
    return None if scores is None else scores.dqn_nature


def _after_200m(game: str, source: Source) -> float | None:
    curve = published_curve(game, source)
    return None if curve is None else curve.at(LAST_FRAME)


def make_aggregates(cells: Cells) -> list[Aggregate]:
    """Each group with a published game; after those of one protocol, their published column on the same games."""
    rows: list[Aggregate] = []
    shown: set[tuple[str, tuple[str, ...]]] = set()
    references: list[Aggregate] = []
    for group, games in cells.items():
        counted = {game: np.array(cell.normalized) for game, cell in games.items() if cell.normalized}
        if not counted:
            continue
        if references and references[-1].group.protocol != group.protocol:
            rows, references = [*rows, *references], []
        rows.append(_aggregate(group.series, group, counted, runs=sum(map(len, counted.values()))))
        label, score_of = reference(group)
        if (label, tuple(counted)) not in shown:
            shown.add((label, tuple(counted)))
            column = _normalized_column(score_of, counted, group.pair)
            if len(column) == len(counted):
                references.append(_aggregate(label, group, column, runs=None))
    return [*rows, *references]


def _normalized_column(
    score_of: Callable[[str], float | None], games: Mapping[str, object], pair: Pair
) -> dict[str, np.ndarray]:
    column = {}
    for game in games:
        score = score_of(game)
        value = None if score is None else human_normalized(score, game, pair=pair)
        if value is not None:
            column[game] = np.array([value])
    return column


def _aggregate(label: str, group: Group, games: Mapping[str, np.ndarray], *, runs: int | None) -> Aggregate:
    scores = list(games.values())
    return Aggregate(
        label=label,
        group=group,
        games=len(scores),
        runs=runs,
        single=sum(len(seeds) == 1 for seeds in scores),
        estimates={metric: aggregate(scores, metric) for metric in METRICS},
    )


def make_improvements(cells: Cells) -> list[Improvement]:
    """Each pair of series that played a game by the same protocol, with networks chosen in the same way."""
    found = []
    for left, right in combinations(cells, 2):
        games = tuple(game for game in cells[left] if game in cells[right])
        if left.series == right.series or left[1:] != right[1:] or not games:
            continue
        sides = [[np.array(cells[side][game].scores) for game in games] for side in (left, right)]
        found.append(Improvement(left, right, games, probability_of_improvement(*sides)))
    return found
