"""The chapters of the page that are about all games together; those about single games are in `game_chapters`."""

from __future__ import annotations

from collections.abc import Callable

from atari_dqn.evaluation.result import game_title
from atari_dqn.published.aggregates import METRICS, RESAMPLES
from atari_dqn.published.scores import nature_49
from atari_dqn.report.contents import Contents
from atari_dqn.report.figures import colour, interval_strip
from atari_dqn.report.formatting import DASH, METRIC_NAMES, count, few, hours_told, interval, percent, played
from atari_dqn.report.game_chapters import curves, normalised, table
from atari_dqn.report.machines import Machine
from atari_dqn.report.markup import Markup, element, join
from atari_dqn.report.tables import Aggregate, Improvement
from atari_dqn.report.widgets import chapter, data_table, heading, note, number_cell

MOST_COMPARISONS = 12  # that the page shows at once; more are folded up
LINKS = [
    ("overview", "Overview"),
    ("normalised", "Bars"),
    ("table", "Table"),
    ("curves", "Curves"),
    ("speed", "Speed"),
    ("missing", "Missing"),
    ("method", "Method"),
]


def overview(contents: Contents) -> Markup:
    """A few large numbers, and the aggregates behind them."""
    in_paper = sum(game in nature_49() for game in contents.games)
    finished = sum(run.finished for run in contents.runs)
    tiles = [
        _tile("Games of the paper's 49", str(in_paper), "with a score or a curve"),
        _tile("Runs", str(len(contents.runs)), f"{finished} finished"),
    ]
    for one in contents.series:
        row = next((row for row in contents.aggregates if row.runs and row.group.series == one.name), None)
        if row is None:
            tiles.append(_tile(f"{one.name}: median, % of human", DASH, "no score that a human's may stand beside"))
            continue
        median = row.estimates["median"]
        small = f"{interval(median)}; {count(row.games, 'game')}; {played(row.group)}"
        name = f"{one.name}: median, % of human"
        tiles.append(_tile(name, percent(median.value), small, colour(contents.number(one.name))))
    return chapter(
        "overview", "Overview", element("dl", *tiles, class_="tiles"), _aggregates(contents), _improvements(contents)
    )


def _tile(name: str, value: str, small: str, classes: str = "") -> Markup:
    said = element("dd", element("strong", value), element("small", small))
    return element("div", element("dt", name), said, class_=f"tile {classes}".strip())


def _aggregates(contents: Contents) -> Markup | None:
    """One row per group and published column, one column per metric."""
    if not contents.aggregates:
        return None
    edges = {metric: _edges(contents.aggregates, metric) for metric in METRICS}
    headers = [heading("Runs", sortable=False)]
    headers += [heading(METRIC_NAMES[metric], sortable=False, number=True) for metric in METRICS]
    rows = [_aggregate_row(contents, row, edges) for row in contents.aggregates]
    text = note(
        "Human-normalised scores: 0 % is random play, 100 % the human named in each row. Lines are 95 % intervals of a "
        f"stratified bootstrap over seeds ({RESAMPLES:,} draws); a game with one seed cannot vary in it. Of the "
        "optimality gap, less is better. Published columns are aggregated over the very games of the row above, one "
        "number a game."
    )
    return join(
        element("h3", "Over all games"),
        data_table("Aggregates over games and seeds", headers, rows, classes="stack"),
        text,
    )


def _aggregate_row(contents: Contents, row: Aggregate, edges: dict[str, tuple[float, float]]) -> Markup:
    ours = row.runs is not None
    classes = colour(contents.number(row.group.series)) if ours else "reference"
    games = count(row.games, "game")
    said = played(row.group) if ours else f"published; normalised by the {played(row.group).rsplit(', ', 1)[1]}"
    seeds = f"{games}, {count(row.runs, 'run')}" if row.runs is not None else games
    if ours and 0 < row.single < row.games:
        seeds += f", {row.single} with a single seed"
    label = element("th", row.label, element("small", said), element("small", seeds), scope="row", class_=classes)
    cells = []
    for metric, estimate in row.estimates.items():
        spread = element("small", interval(estimate)) if ours else None
        strip = interval_strip(estimate, *edges[metric], classes)
        label_of = METRIC_NAMES[metric]
        cells.append(number_cell(percent(estimate.value), spread, strip, value=estimate.value, label=label_of))
    return element("tr", label, *cells)


def _edges(rows: list[Aggregate], metric: str) -> tuple[float, float]:
    """Ends of the axis that all rows of a column share."""
    estimates = [row.estimates[metric] for row in rows]
    values = [value for estimate in estimates for value in estimate if value is not None]
    return min([0.0, *values]), max([1.0, *values])


def _improvements(contents: Contents) -> Markup | None:
    """Which of two series is better, by how likely a run of one beats a run of the other."""
    if not contents.improvements:
        return None
    headers = [
        heading("Comparison", sortable=False),
        heading("Probability of improvement", sortable=False, number=True),
    ]
    rows = [_improvement_row(contents, found) for found in contents.improvements]
    text = note(
        "The chance that a run of the first beats a run of the second in a game drawn at random from those that both "
        "played; ties count one half, 50 % is no difference. Interval: stratified bootstrap, 95 %."
    )
    drawn = data_table("Probability of improvement", headers, rows)
    if len(rows) > MOST_COMPARISONS:
        drawn = element("details", element("summary", count(len(rows), "comparison")), drawn)
    return join(element("h3", "One against the other"), drawn, text)


def _improvement_row(contents: Contents, found: Improvement) -> Markup:
    how = f"{found.left.protocol} protocol, {found.left.checkpoint} network; {count(len(found.games), 'game')}"
    label = element("th", f"{found.left.series} over {found.right.series}", element("small", how), scope="row")
    strip = interval_strip(found.probability, 0.0, 1.0, colour(contents.number(found.left.series)))
    small = element("small", interval(found.probability))
    cell = number_cell(percent(found.probability.value), small, strip, value=found.probability.value)
    return element("tr", label, cell)


def speed(contents: Contents) -> Markup:
    """Frames a second, and the machines behind them."""
    headers = [heading("Runs"), heading("Games")]
    headers += [heading(name, number=True) for name in ("Frames a second", "Agent steps", "Hours")]
    headers += [heading(name) for name in ("Machine", "Settings", "Versions")]
    rows = [_speed_row(row, colour(contents.number(row.series))) for row in contents.machines]
    text = note(
        "Emulator frames a second while a run plays and learns, evaluations left out: of each run the median over its "
        "log points, here the median, lowest and highest run. Without an emulator, as in CartPole, a frame is an agent "
        "step. Agent steps and hours are those of all runs together."
    )
    return chapter(
        "speed", "Speed and hardware", data_table("Speed and hardware", headers, rows, classes="stack"), text
    )


def _speed_row(row: Machine, classes: str) -> Markup:
    lowest, middle, highest = row.frames_per_second or (None, None, None)
    spread = None
    if row.runs > 1 and lowest is not None and highest is not None:
        spread = element("small", f"{lowest:,.0f} to {highest:,.0f}")
    frames = DASH if middle is None else f"{middle:,.0f}"
    hours = DASH if row.hours is None else hours_told(row.hours)
    return element(
        "tr",
        element("th", row.series, element("small", count(row.runs, "run")), scope="row", class_=classes),
        element("td", few([game_title(game) for game in row.games]), title=", ".join(map(game_title, row.games))),
        number_cell(frames, spread, value=middle, label="Frames a second"),
        number_cell(f"{row.steps:,}", value=row.steps, label="Agent steps"),
        number_cell(hours, value=row.hours, label="Hours"),
        *(element("td", text) for text in (row.hardware, row.settings, row.versions)),
    )


def missing(contents: Contents) -> Markup:
    """Every gap, with where it was found."""
    if not contents.gaps:
        games = "all 49 games, " if set(nature_49()) <= set(contents.games) else ""
        return chapter("missing", "What is missing", note(f"Nothing: {games}all runs finished and evaluated."))
    parts: list[Markup] = []
    for gap in contents.gaps:
        items = [element("li", element("b", found.where), ": ", found.what) for found in gap.found]
        head = element("summary", gap.title, element("span", f" ({len(items)})"), element("small", gap.meaning))
        parts.append(element("details", head, element("ul", *items), open=len(items) <= 6))
    return chapter("missing", "What is missing", *parts)


METHOD = {
    "nature protocol": "30 episodes of at most 5 minutes, epsilon 0.05, up to 30 no-ops before: the paper's table.",
    "sticky protocol": "100 episodes of at most 30 minutes, epsilon 0.01, sticky actions 0.25 (Machado et al. 2018).",
    "monitor protocol": "Evaluations during training: the episodes that fit into a number of steps, with the preset's "
    "eval_epsilon, 0.05 in nature.",
    "greedy protocol": "100 episodes without random actions.",
    "best, last network": "The network with the best evaluation during training, as in the paper, or that of its end. "
    "The best of many noisy evaluations is an optimistic choice: published medians differ by 25 to 35 points.",
    "human column": "Normalised scores are (score \N{MINUS SIGN} random) / (human \N{MINUS SIGN} random). Episodes of "
    "at most 5 minutes are compared with the paper's humans, of at most 30 with those of Wang et al. 2016; the two "
    "differ in 33 of 49 games and are never mixed. Episodes of another time limit are compared with nobody.",
    "\N{PLUS-MINUS SIGN}": "Standard deviation over all episodes of all seeds, as the paper prints it for its 30 "
    "episodes. The deviation over seeds is in table.csv.",
    "interquartile mean": "The mean of the middle half of all runs (Agarwal et al. 2021, as the next two).",
    "optimality gap": "The mean distance of the runs below 100 %; better play counts as 100 %.",
    "intervals": "Runs are drawn again within each game; 95 % of the draws lie inside.",
    "published numbers": "Mnih et al. 2015, extended data table 2; curves of nnabla-rl and Dopamine. Where they come "
    "from and how they were checked: atari_dqn/data/SOURCES.md.",
}


def method(contents: Contents) -> Markup:
    """What the words mean."""
    entries = [join(element("dt", name), element("dd", text)) for name, text in METHOD.items()]
    return chapter("method", "Method", element("dl", *entries, class_="method"))


ALL: tuple[Callable[[Contents], Markup | None], ...] = (overview, normalised, table, curves, speed, missing, method)
