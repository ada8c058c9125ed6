"""Numbers and groups in words."""

from __future__ import annotations

from collections.abc import Sequence

from atari_dqn.evaluation.result import score_told
from atari_dqn.published.aggregates import Estimate
from atari_dqn.published.scores import Pair
from atari_dqn.report.tables import Group

HUMANS: dict[Pair, str] = {
    "nature": "human of 5-minute games",
    "zoo": "human of 30-minute games",
    "none": "no human of this time limit",
}

DASH = "\N{EN DASH}"  # where there is no number
NBSP = "\N{NO-BREAK SPACE}"
MOST_NAMES = 4  # listed in a row

METRIC_NAMES = {
    "iqm": "Interquartile mean",
    "median": "Median",
    "mean": "Mean",
    "optimality_gap": "Optimality gap",
}


def score(value: float) -> str:
    """A raw score: one digit after the point where it can matter."""
    return _minus(f"{value:,.0f}" if abs(value) >= 1000 else score_told(value))


def percent(value: float) -> str:
    """A fraction as a percentage."""
    return _minus(f"{100 * value:,.0f}{NBSP}%")


def interval(estimate: Estimate) -> str:
    """The edges of an interval of fractions."""
    if estimate.low is None or estimate.high is None:
        return "one seed, no interval"
    return _minus(f"{100 * estimate.low:,.0f} to {100 * estimate.high:,.0f}{NBSP}%")


def count(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def hours_told(hours: float) -> str:
    """Hours, in two digits where they are few."""
    return f"{hours:,.1f}" if hours >= 0.95 else f"{hours:.2g}" if hours >= 0.005 else "< 0.01"


def few(names: Sequence[str]) -> str:
    """Names as a sentence lists them, at most MOST_NAMES."""
    more = len(names) - MOST_NAMES
    if more > 0:
        return f"{', '.join(names[:MOST_NAMES])} and {more} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def played(group: Group) -> str:
    """How the numbers of a group came about."""
    return f"{group.protocol} protocol, {group.checkpoint} network, {HUMANS[group.pair]}"


def _minus(text: str) -> str:
    if text.startswith("-") and not any(digit in text for digit in "123456789"):
        text = text[1:]  # rounded to nothing
    return text.replace("-", "\N{MINUS SIGN}")
