"""The drawings of the report as inline SVG. Colours are classes, so the page's light and dark sheets decide them.

Two kinds: learning curves in a fixed box, and strips that stretch with the cell of a table (x in percent).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atari_dqn.published.aggregates import Estimate
from atari_dqn.published.curves import PublishedCurve, Source
from atari_dqn.report.curves import Curve
from atari_dqn.report.formatting import percent, score
from atari_dqn.report.markup import Markup, element, join
from atari_dqn.report.scales import BentScale, LinearScale, LogScale, short

WIDTH, HEIGHT = 360, 244
LEFT, RIGHT, TOP, BOTTOM = 46, 352, 22, 206  # of the box between the axes
BAR, GAP, PAD = 9, 2, 5  # pixels: height of a bar, between bars, above and below all
NAMES: dict[Source, str] = {
    "nnabla_rl": "nnabla-rl", "dopamine": "Dopamine", "rl_zoo": "RL Zoo", "dqn_zoo": "DQN Zoo",
}  # fmt: skip
COLOURS = 8  # series beyond the eighth take the first colours again
NARROW, ROOMY = 230, 400  # pixels of a strip: the least in report.css, and from where on an axis names more numbers
CHARACTER, AIR = 7, 5  # pixels: of an axis' numbers, on average at most, and between two of them


def colour(index: int) -> str:
    """Class of the series number `index`."""
    return f"series{index % COLOURS}"


def name_of(line: PublishedCurve) -> str:
    """Who published a curve, and of which recipe unless it is DQN."""
    return NAMES[line.source] + ("" if line.recipe == "dqn" else f", {line.recipe}")


def curve_chart(
    title: str,
    curves: Sequence[tuple[int, Curve]],
    published: Sequence[PublishedCurve],
    paper: tuple[int, float] | None,
    frames: tuple[float, float],
    height: str = "score",
) -> Markup:
    """Learning curves of one game over emulator frames; report.js says the values at the pointer.

    Args:
      title:     what the picture shows, in words; a screen reader says it.
      curves:    (number of the series, its curve).
      published: curves to lie below ours; their points and the range of their seeds.
      paper:     (frames, raw score) of the paper's table.
      frames:    (first, last) of the x-axis, shared by all games.
      height:    what the y-axis shows.
    """
    values = [np.concatenate([edge for edge in (c.mean, c.low, c.high) if edge is not None]) for _, c in curves]
    values += [np.array([[point.low, point.high] for point in line.points]).ravel() for line in published]
    values += [np.array([paper[1]])] if paper else []
    together = np.concatenate(values)
    x = LogScale(*frames, LEFT, RIGHT)
    y = LinearScale(float(together.min()), float(together.max()), BOTTOM, TOP)
    return element(
        "svg",
        _axes(x, y),
        *_axis_titles([curve for _, curve in curves], height),
        *(_published(line, x, y) for line in published),
        None if paper is None else _diamond(x(paper[0]), y(paper[1]), paper[1]),
        *(_ours(number, curve, x, y) for number, curve in curves),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=title,
        class_="chart",
    )


def _axis_titles(curves: Sequence[Curve], height: str) -> list[Markup]:
    skips = {curve.skip for curve in curves}
    frames = "emulator frames" + (f", {min(skips)} an agent step" if len(skips) == 1 else "")
    across = "agent steps" if skips == {1} else frames
    return [
        element("text", height, x=2, y=11),
        element("text", across, x=(LEFT + RIGHT) / 2, y=HEIGHT - 4, text_anchor="middle"),
    ]


def _axes(x: LogScale, y: LinearScale) -> Markup:
    parts = []
    for value in y.ticks():
        at = y(value)
        parts += [
            straight(LEFT, at, RIGHT, at, "grid"),
            element("text", short(value), x=LEFT - 6, y=at + 4, text_anchor="end"),
        ]
    named_right = -1e9
    for value in x.ticks():
        at = x(value)
        decade = f"{value:.0e}"[0] == "1"
        parts.append(straight(at, BOTTOM, at, BOTTOM + (5 if decade else 3), "axis"))
        # a decade is always named, the numbers between where there is room
        if decade or (at - named_right > 34 and _room_before_decade(x, value, at)):
            parts.append(element("text", short(value), x=at, y=BOTTOM + 17, text_anchor="middle"))
            named_right = at
    parts.append(straight(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"))
    return element("g", *parts, class_="axes", aria_hidden="true")


def _room_before_decade(x: LogScale, value: float, at: float) -> bool:
    decade = 10.0 ** (int(np.floor(np.log10(value) + 1e-9)) + 1)
    return decade > x.high or x(decade) - at > 34


def _ours(number: int, curve: Curve, x: LogScale, y: LinearScale) -> Markup:
    across = [x(float(frame)) for frame in curve.frames]
    line = element("polyline", points=_points(across, [y(value) for value in curve.mean]))
    band = None
    if curve.low is not None and curve.high is not None:
        edge = [
            *zip(across, map(y, curve.low), strict=True),
            *reversed([*zip(across, map(y, curve.high), strict=True)]),
        ]
        band = element("polygon", points=_points([a for a, _ in edge], [b for _, b in edge]))
    end = f"{curve.series}, {curve.kind}: {score(curve.mean[-1])} at {short(curve.frames[-1])} {curve.clock}"
    dot = element("circle", element("title", end), cx=across[-1], cy=y(curve.mean[-1]), r=3.5)
    training = "training" if curve.kind == "training return" else None
    classes = " ".join(filter(None, ["ours", colour(number), training]))
    values = [score(value) for value in curve.mean]
    if curve.low is not None and curve.high is not None:
        values = [_ranged(*edges) for edges in zip(values, curve.low, curve.high, strict=True)]
    hover = _hover(curve.series, [float(frame) for frame in curve.frames], curve.clock, values)
    return element("g", band, line, dot, class_=classes, **hover)


def _ranged(value: str, low: float, high: float) -> str:
    return f"{value} ({score(low)} to {score(high)})"


def _hover(name: str, frames: Sequence[float], clock: str, values: Sequence[str]) -> dict[str, object]:
    """What report.js says of each point of a line."""
    places = ";".join(f"{short(frame)} {clock}" for frame in frames)
    return {"data_name": name, "data_places": places, "data_values": ";".join(values)}


def _published(line: PublishedCurve, x: LogScale, y: LinearScale) -> Markup:
    points = [point for point in line.points if x.low <= point.frames <= x.high]
    across, up = [x(point.frames) for point in points], [y(point.mean) for point in points]
    marks = []
    for point, left, top in zip(points, across, up, strict=True):
        said = f"{name_of(line)}: {_ranged(score(point.mean), point.low, point.high)} at {short(point.frames)}"
        whisker = straight(left, y(point.low), left, y(point.high), None)
        marks.append(join(whisker, element("circle", element("title", f"{said} frames"), cx=left, cy=top, r=2.6)))
    hover = _hover(
        name_of(line),
        [point.frames for point in points],
        "frames",
        [_ranged(score(point.mean), point.low, point.high) for point in points],
    )
    drawn = element("polyline", points=_points(across, up))
    member = None if line.recipe == "dqn" else "member"
    return element("g", drawn, *marks, class_=" ".join(filter(None, ["published", line.source, member])), **hover)


def _diamond(x: float, y: float, score: float) -> Markup:
    said = element("title", f"Mnih et al. 2015, best network: {score:,.1f}")
    return element("path", said, d=f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5-5z", class_="paper")


def straight(x1: object, y1: float, x2: object, y2: float, kind: str | None) -> Markup:
    """A straight line; x in pixels or as "12%"."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _points(across: Sequence[float], up: Sequence[float]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))


def bar_strip(bars: Sequence[tuple[str, float | None]], scale: BentScale) -> Markup:
    """Horizontal bars from 0, one below the other, for a cell of a table whose numbers stand beside it.

    Args:
      bars:  (classes, normalised score); None leaves the place of a bar empty.
      scale: shared by all rows.
    """
    height = strip_height(len(bars))
    parts = [straight(f"{scale(tick):.2f}%", 0, f"{scale(tick):.2f}%", height, _line(tick)) for tick in scale.ticks()]
    for index, (classes, share) in enumerate(bars):
        if share is not None:
            left, right = sorted((scale(0.0), scale(share)))
            top = PAD + index * (BAR + GAP)
            # a bar of nearly nothing is still to be seen
            width = f"{max(right - left, 0.4):.2f}%"
            parts.append(element("rect", x=f"{left:.2f}%", y=top, width=width, height=BAR, class_=classes))
    return element("svg", *parts, width="100%", height=height, class_="strip", aria_hidden="true")


def strip_height(bars: int) -> int:
    """Pixels of a strip of so many bars."""
    return 2 * PAD + bars * BAR + (bars - 1) * GAP


def bar_axis(scale: BentScale) -> Markup:
    """The numbers above the bars: the human, random play, then from the right as many as there is room for."""
    always = _that_fit(scale, NARROW, [1.0, 0.0, *reversed(scale.ticks())])
    texts = [
        element(
            "text",
            percent(tick),
            x=f"{scale(tick):.2f}%",
            y=12,
            text_anchor=_anchor(scale(tick)),
            class_=None if tick in always else "roomy",
        )
        for tick in sorted(_that_fit(scale, ROOMY, [*always, *reversed(scale.ticks())]))
    ]
    drawn = element("svg", *texts, width="100%", height=16, class_="strip", aria_hidden="true")
    return element("div", drawn, class_="axis")


def _that_fit(scale: BentScale, width: int, ticks: Sequence[float]) -> list[float]:
    """Those of `ticks` whose numbers do not touch those before them on a strip of so many pixels."""
    kept: dict[float, tuple[float, float]] = {}
    for tick in ticks:
        left, right = _edges(scale(tick), len(percent(tick)) * CHARACTER, width)
        if all(right + AIR <= other_left or other_right + AIR <= left for other_left, other_right in kept.values()):
            kept[tick] = (left, right)
    return list(kept)


def _edges(at: float, length: float, width: int) -> tuple[float, float]:
    """Left and right end, pixels, of a text of that length at `at` percent of the width."""
    left = at / 100 * width - {"start": 0.0, "middle": 0.5, "end": 1.0}[_anchor(at)] * length
    return left, left + length


def _anchor(percent: float) -> str:
    return "start" if percent < 6 else "end" if percent > 90 else "middle"


def _line(tick: float) -> str:
    return {0.0: "zero", 1.0: "human"}.get(tick, "grid")


def interval_strip(estimate: Estimate, low: float, high: float, classes: str) -> Markup:
    """A number as a dot and its interval as a line, on an axis from `low` to `high`."""

    def at(value: float) -> str:
        return f"{2 + 96 * (value - low) / max(high - low, 1e-9):.2f}%"

    return element(
        "svg",
        straight("0%", 6, "100%", 6, "grid"),
        None
        if estimate.low is None or estimate.high is None
        else straight(at(estimate.low), 6, at(estimate.high), 6, "interval"),
        element("circle", cx=at(estimate.value), cy=6, r=4),
        width="100%",
        height=12,
        class_=f"strip {classes}",
        aria_hidden="true",
    )


def swatch(classes: str) -> Markup:
    """The little picture beside a name in a legend."""
    if "line" in classes.split():
        drawn: Markup = join(straight(0, 7, 22, 7, None), element("circle", cx=11, cy=7, r=3))
    elif "diamond" in classes.split():
        drawn = element("path", d="M11 2l5 5l-5 5l-5-5z")
    else:
        drawn = element("rect", x=0, y=3, width=22, height=9)
    return element("svg", drawn, width=22, height=14, class_=f"swatch {classes}", aria_hidden="true")
