"""The tables of the report as CSV files. Normalised scores are fractions: 0 random play, 1 the human."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from atari_dqn.published.scores import human_normalized, nature_49, published
from atari_dqn.report.tables import Aggregate, Cells, Improvement, Series

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet computes."""


def scores_csv(series: Sequence[Series]) -> str:
    """A row per run and evaluation."""
    header = (
        "series,game,preset,seed,protocol,checkpoint,step,episodes,mean,std,human_normalized,human_pair,epsilon,"
        "finished,steps_trained,frames_per_second,source,run"
    )
    return _text(header.split(","), _score_rows(series))


def _score_rows(series: Sequence[Series]) -> Iterable[Sequence[object]]:
    for one in series:
        for run in one.runs:
            for found in run.evaluations:
                result = found.result
                yield (
                    one.name, run.game, run.preset, run.seed, result.protocol, found.checkpoint, result.step,
                    result.episodes, result.mean, result.std, result.human_normalized,
                    None if result.human_normalized is None else result.human_pair,
                    result.epsilon, run.finished, run.steps, run.frames_per_second, found.source, run.path,
                )  # fmt: skip


def table_csv(cells: Cells) -> str:
    """A row per game: the paper's table, then the columns of each group."""
    header = ["game", "random_nature", "human_nature", "dqn_nature", "dqn_nature_std", "dqn_nature_normalized"]
    for group in cells:
        name = f"{group.series}/{group.protocol}/{group.checkpoint}"
        header += [f"{name}/{what}" for what in ("mean", "std", "std_over_seeds", "seeds", "episodes")]
        header.append(f"{name}/human_normalized_{group.pair}")
    games = sorted({*nature_49(), *(game for table in cells.values() for game in table)})
    return _text(header, (_game_row(game, cells) for game in games))


def _game_row(game: str, cells: Cells) -> list[object]:
    row: list[object] = [game, *[None] * 5]
    if (scores := published(game)) is not None:
        dqn = scores.dqn_nature
        row[1:5] = scores.random_nature, scores.human_nature, dqn, scores.dqn_nature_std
        row[5] = None if dqn is None else human_normalized(dqn, game, pair="nature")
    for table in cells.values():
        cell = table.get(game)
        row += [None] * 6 if cell is None else [
            cell.mean, cell.std, cell.seed_std, cell.seeds, cell.episodes, cell.human,
        ]  # fmt: skip
    return row


def aggregates_csv(aggregates: Sequence[Aggregate], improvements: Sequence[Improvement]) -> str:
    """A row per group and metric; then a row per comparison of two groups."""
    header = "label,protocol,checkpoint,human_pair,games,runs,games_with_one_run,metric,value,low,high"
    rows: list[Sequence[object]] = [
        (row.label, *row.group[1:], row.games, row.runs, row.single, metric, *estimate)
        for row in aggregates
        for metric, estimate in row.estimates.items()
    ]
    for found in improvements:
        label = f"{found.left.series} > {found.right.series}"
        rows.append(
            (label, *found.left[1:], len(found.games), None, None, "probability_of_improvement", *found.probability)
        )
    return _text(header.split(","), rows)


def _text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in (header, *rows))
    return output.getvalue()


def _cell(value: object) -> object:
    """A value as a spreadsheet reads it: what a run calls itself is no formula, so an apostrophe stands before it."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
