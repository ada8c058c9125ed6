"""The chapters of the page that show each game: bars, table, learning curves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from atari_dqn.evaluation.result import game_title
from atari_dqn.published.curves import (
    PROTOCOLS,
    PublishedCurve,
    Source,
    curve_beside,
    published_curve,
    series_of,
    verdicts,
)
from atari_dqn.published.scores import Pair, human_normalized, nature_49, published
from atari_dqn.report.contents import Contents
from atari_dqn.report.curves import Curve
from atari_dqn.report.figures import bar_axis, bar_strip, colour, curve_chart, name_of, swatch
from atari_dqn.report.formatting import DASH, HUMANS, NBSP, count, percent, score
from atari_dqn.report.markup import Markup, element, join
from atari_dqn.report.scales import BentScale, short
from atari_dqn.report.tables import LAST_FRAME, Cell, Group, reference
from atari_dqn.report.widgets import chapter, data_table, game_attributes, heading, note, number_cell

EPISODES = {"nature": 30, "sticky": 100, "greedy": 100}  # of each seed, by protocol
WELL_KNOWN: tuple[Source, ...] = ("nnabla_rl", "dopamine")
FIRST_FRAME = 100_000  # the x-axis of learning curves begins here, unless all of ours begin later


def normalised(contents: Contents) -> Markup | None:
    """The paper's figure 3: bars of normalised scores, one figure per published column that ours may stand beside."""
    beside: dict[tuple[str, Pair], list[Group]] = {}
    for group, table_of_games in contents.cells.items():
        if any(cell.normalized for cell in table_of_games.values()):
            beside.setdefault((reference(group)[0], group.pair), []).append(group)
    if not beside:
        return None
    figures = [_bars(contents, label, groups) for (label, _), groups in beside.items()]
    text = note(
        "As the paper's figure 3, sorted by the published score. The axis is linear up to 100 %, the human, and "
        f"logarithmic above; bars end at {percent(-1.0)}. Each figure has one human column."
    )
    return chapter("normalised", "Normalised scores", *figures, text)


def _bars(contents: Contents, label: str, groups: Sequence[Group]) -> Markup:
    """One figure: a row of bars for each game that the published column or one of ours has."""
    pair, score_of = groups[0].pair, reference(groups[0])[1]
    rows: dict[str, list[float | None]] = {}
    for game in sorted({*nature_49(), *(game for group in groups for game in contents.cells[group])}):
        raw = score_of(game)
        theirs = None if raw is None else human_normalized(raw, game, pair=pair)
        cells = [contents.cells[group].get(game) for group in groups]
        values = [*(None if cell is None else cell.human for cell in cells), theirs]
        if any(value is not None for value in values):
            rows[game] = values
    scale = BentScale([value for values in rows.values() for value in values if value is not None])
    classes = [f"{colour(contents.number(group.series))} {group.checkpoint}" for group in groups] + ["reference"]
    names = [f"{group.series}: {group.protocol} protocol, {group.checkpoint} network" for group in groups] + [label]
    legend = [element("li", swatch(kind), " ", name) for kind, name in zip(classes, names, strict=True)]
    axis = element(
        "th", element("span", "Score, % of human", class_="hidden"), bar_axis(scale), scope="col", class_="bars"
    )
    headers = [heading("Game"), axis, *(_bar_heading(name, kind) for name, kind in zip(names, classes, strict=True))]
    made = [
        element(
            "tr",
            element("th", game_title(game), scope="row"),
            element("td", bar_strip(list(zip(classes, values, strict=True)), scale), class_="bars"),
            *(number_cell(DASH if v is None else percent(v), value=v) for v in values),
            **game_attributes(game, any(value is not None for value in values[:-1])),
        )
        for game, values in sorted(rows.items(), key=lambda row: -_or_least(row[1][-1]))
    ]
    return join(
        element("h3", f"Percent of the {HUMANS[pair]}"),
        element("ul", *legend, class_="legend"),
        data_table(f"Scores as percent of the {HUMANS[pair]}", headers, made, classes="bars"),
    )


def _bar_heading(name: str, classes: str) -> Markup:
    words = (element("span", swatch(classes), class_="name"), element("span", name, class_="hidden"))
    return element(
        "th", element("button", *words, type="button", title=f"Sort by {name}"), scope="col", class_="number"
    )


def _or_least(value: float | None) -> float:
    return float("-inf") if value is None else value


def table(contents: Contents) -> Markup:
    """The paper's extended data table 2 with our columns."""
    groups = list(contents.cells)
    games = sorted({*nature_49(), *contents.games})
    headers = [
        heading("Game"),
        heading("Random", "5 min", number=True, classes="wide"),
        heading("Human", "5 min", number=True, classes="wide"),
        heading("DQN, Mnih et al.", "nature protocol, best network", number=True),
    ]
    for group in groups:
        how = f"{group.protocol} protocol, {group.checkpoint} network"
        if any(cell.human is not None for cell in contents.cells[group].values()):  # else no human was published
            how += f", human of {'5' if group.pair == 'nature' else '30'} min"
        elif group.pair == "none":
            how += f", {HUMANS['none']}"
        headers.append(heading(group.series, how, number=True, classes=colour(contents.number(group.series))))
    rows = [_table_row(contents, game, groups) for game in games]
    text = note(
        "Mean \N{PLUS-MINUS SIGN} standard deviation over episodes; below it the percentage of the human and how many "
        "seeds, and how many episodes where that is another number than the protocol says. Columns are sorted by the "
        "percentage. Three deviations in the paper's column (Amidar, Bank Heist, Bowling) look like lost decimal "
        "points and are shown as printed."
    )
    return chapter("table", "Scores by game", data_table("Scores by game", headers, rows, classes="scores"), text)


def _table_row(contents: Contents, game: str, groups: Sequence[Group]) -> Markup:
    scores = published(game)
    random, human = (None, None) if scores is None else (scores.random_nature, scores.human_nature)
    cells = [
        number_cell(DASH if value is None else score(value), value=value, classes="wide") for value in (random, human)
    ]
    dqn = None if scores is None else scores.dqn_nature
    if scores is None or dqn is None:
        cells.append(number_cell(DASH, value=None))
    else:
        share = human_normalized(dqn, game, pair="nature")
        cells.append(_score_cell(dqn, scores.dqn_nature_std, share, "30 episodes"))
    for group in groups:
        cell = contents.cells[group].get(game)
        if cell is None:
            cells.append(number_cell(DASH, value=None))
        else:
            cells.append(_score_cell(cell.mean, cell.std, cell.human, _plays(group, cell)))
    label = element("th", game_title(game), scope="row")
    return element("tr", label, *cells, **game_attributes(game, game in contents.games))


def _score_cell(mean: float, std: float | None, human: float | None, plays: str) -> Markup:
    text = score(mean) if std is None else f"{score(mean)} \N{PLUS-MINUS SIGN} {score(std)}"
    small = (plays if human is None else f"{percent(human)}, {plays}").replace(" ", NBSP).replace(f",{NBSP}", ", ")
    return number_cell(text, element("small", small), value=human)


def _plays(group: Group, cell: Cell) -> str:
    """How many seeds, and how many episodes where that is not what the protocol says."""
    seeds = count(cell.seeds, "seed")
    usual = cell.episodes == cell.seeds * EPISODES.get(group.protocol, 0)
    return seeds if usual else f"{seeds}, {count(cell.episodes, 'episode')}"


def curves(contents: Contents) -> Markup | None:
    """A picture per game: our seeds over the published points."""
    if not contents.curves:
        return None
    begin = _begin([curve for lines in contents.curves.values() for curve in lines])
    cards = [_curve_card(contents, game, lines, begin) for game, lines in contents.curves.items()]
    legend = [
        element("li", swatch(f"line {colour(number)}"), " ", one.name) for number, one in enumerate(contents.series)
    ]
    drawn = {(curve.source, curve.recipe): curve for game in contents.curves for curve in _beside(contents, game)}
    sources = {source for source, _ in drawn}
    legend += [element("li", swatch(f"line {key}"), " ", text) for key, text in PROTOCOLS.items() if key in sources]
    legend += [
        element("li", swatch(f"line member {source}"), " ", name_of(curve))
        for (source, recipe), curve in drawn.items()
        if recipe != "dqn"
    ]
    if any(_paper(game) for game in contents.curves):
        legend.append(element("li", swatch("diamond paper"), " ", "Mnih et al. 2015: best network, nature protocol"))
    text = note(
        "Raw score over emulator frames, or agent steps of games without an emulator, on a logarithmic axis; the "
        "pointer shows values. Whiskers of published points: lowest and highest seed. "
        "A dashed line of ours is the return of the last 20 episodes in training, with its exploration, where a run "
        "was not evaluated on the way; published points are another measurement then."
    )
    return chapter(
        "curves",
        "Learning curves",
        *_median_card(contents),
        element("ul", *legend, class_="legend"),
        element("div", *cards, class_="cards"),
        text,
    )


def _median_card(contents: Contents) -> list[Markup]:
    """The median over games, where enough games were evaluated during training."""
    medians = contents.medians
    if not medians:
        return []
    lines = [found.curve for found in medians]
    beside = {curve.source: curve for found in medians for curve in found.published}
    first, last = _frame_axis(lines, _begin(lines), known=True)
    shown = [(contents.number(curve.series), curve.since(first)) for curve in lines]
    said = [_said(curve, [], " %") for curve in lines]
    if len(medians) > 1:
        beside.pop("nnabla_rl", None)  # of which games?
    names = {"nnabla_rl": "nnabla-rl on the same games", "dqn_zoo": "DQN Zoo: median of 57 games, 5 seeds"}
    legend = [element("li", swatch(f"line {colour(contents.number(c.series))}"), " ", c.series) for c in lines]
    legend += [element("li", swatch(f"line {source}"), " ", names[source]) for source in beside]
    chart = curve_chart(
        f"Median over games. {' '.join(said)}", shown, list(beside.values()), None, (first, last), "% of human"
    )
    words = (
        "Percent of the human of 30-minute games; evaluations during training, of each game the mean over its seeds."
    )
    caption = element("figcaption", *(element("p", text) for text in (*said, words)))
    return [
        element("h3", "Median over games"),
        element("ul", *legend, class_="legend"),
        element("figure", caption, chart, class_="median"),
        element("h3", "Game by game"),
    ]


def _curve_card(contents: Contents, game: str, lines: Sequence[Curve], begin: float) -> Markup:
    found = _beside(contents, game)
    paper = _paper(game)
    first, last = _frame_axis(lines, begin, known=bool(found or paper))
    shown = [(contents.number(curve.series), curve.since(first)) for curve in lines]
    said = [_said(curve, found) for curve in lines] + list(_held_against(contents, game))
    chart = curve_chart(f"Learning curve of {game_title(game)}. {' '.join(said)}", shown, found, paper, (first, last))
    caption = element("figcaption", element("h3", game_title(game)), *(element("p", text) for text in said))
    return element("figure", caption, chart, **game_attributes(game, True))


def _paper(game: str) -> tuple[int, float] | None:
    """(frames, raw score) of the paper's table."""
    scores = published(game)
    return None if scores is None or scores.dqn_nature is None else (LAST_FRAME, scores.dqn_nature)


def _beside(contents: Contents, game: str) -> list[PublishedCurve]:
    """The published curves that a card shows: of the recipes of its runs, and two of DQN that many know."""
    own = [curve_beside(run.preset, game) for run in contents.runs if run.game == game]
    known = [published_curve(game, source) for source in WELL_KNOWN]
    return list({(curve.source, curve.recipe): curve for curve in [*own, *known] if curve is not None}.values())


def _held_against(contents: Contents, game: str) -> Iterator[str]:
    """What came of each run whose settings have a published curve, in words."""
    for run in contents.runs:
        curve = series_of(run.preset, game) if run.game == game else None
        if curve is None or not (found := verdicts(run.scores_like(curve.metric), curve)):
            continue
        told = (
            f"{short(frames)}: {score(ours)} ({score(point.mean)}, {score(point.low)} to {score(point.high)}: "
            f"{'one seed' if inside is None else 'inside' if inside else 'outside'})"
            for frames, ours, point, inside in found
        )
        yield (
            f"{run.preset}, seed {run.seed}, beside its published curve ({curve.metric}, mean and range of "
            f"{curve.seeds} seed{'s' if curve.seeds != 1 else ''}): {'; '.join(told)}."
        )


def _begin(lines: Sequence[Curve]) -> float:
    """Where an axis for all these curves begins: with the first of them, between 100,000 and 1 million frames."""
    first = min(float(curve.frames[0]) for curve in lines)
    return min(max(first, FIRST_FRAME), 10 * FIRST_FRAME)


def _frame_axis(lines: Sequence[Curve], begin: float, *, known: bool) -> tuple[float, float]:
    """First and last frame of the x-axis: the same for all games, but for runs that ended before it begins."""
    ends = [float(curve.frames[-1]) for curve in lines]
    last = max([*ends, LAST_FRAME] if known else ends)
    return (begin if min(ends) > 2 * begin else min(float(curve.frames[0]) for curve in lines)), last


def _said(curve: Curve, found: Sequence[PublishedCurve], unit: str = "") -> str:
    """The end of a curve in words, beside the published point nearest below it."""
    end = int(curve.frames[-1])
    where = f"{short(end)} {curve.clock} ({curve.kind}, {curve.band})"
    text = f"{curve.series}: {score(float(curve.mean[-1]))}{unit} at {where}"
    if curve.cut is not None:
        text += f", to where the shortest ends; the longest reached {short(curve.cut)}"
    nnabla: Source = "nnabla_rl"
    line = next((line for line in found if (line.source, line.recipe) == (nnabla, "dqn")), None)
    points = [point for point in line.points if point.frames <= end] if line else []
    if points:
        text += f"; nnabla-rl {score(points[-1].mean)} at {short(points[-1].frames)}"
    return text + "."
