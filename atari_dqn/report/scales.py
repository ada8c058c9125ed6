"""Where a number lies on an axis, and which numbers the axis names."""

from __future__ import annotations

import math

FLOOR = -1.0  # of normalised scores: what is worse than this far below random play is drawn here
PERCENT_TICKS = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0)


def bent(score: float) -> float:
    """A normalised score on the axis of the bars: itself up to 1 (the human), 1 + ln(score) above. Smooth at 1."""
    return max(score, FLOOR) if score <= 1.0 else 1.0 + math.log(score)


class BentScale:
    """Normalised scores -> percent of the width of a bar."""

    def __init__(self, scores: list[float]) -> None:
        self.low, self.high = bent(min([0.0, *scores])), bent(max([1.0, *scores]) * 1.05)

    def __call__(self, score: float) -> float:
        return 100 * (bent(score) - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """The scores that are named on the axis."""
        return [tick for tick in PERCENT_TICKS if self.low - 1e-9 <= bent(tick) <= self.high]


class LinearScale:
    """Numbers from [low, high], with a little air on both sides -> pixels from `start` to `end`.

    There is so much air that no two ticks are the same in `short`: a curve may be flat.
    """

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        size = 1.1 * max(abs(low), abs(high))
        least = 6 * 10.0 ** (math.floor(math.log10(size)) - 2) if size else 1.0
        air = max(0.04 * (high - low), (least - (high - low)) / 2)
        self.low, self.high, self.start, self.end = low - air, high + air, start, end

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Three to six round numbers."""
        step = _round_step((self.high - self.low) / 6)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [index * step for index in range(first, last + 1)]


class LogScale:
    """Numbers > 0 from [low, high] -> pixels from `start` to `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + (self.end - self.start) * share

    def ticks(self) -> list[float]:
        """1, 2, 5, 10, 20, 50, ...; both ends where less than two of these lie between them."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        numbers = [digit * 10.0**power for power in range(first, last + 1) for digit in (1, 2, 5)]
        within = [number for number in numbers if self.low * (1 - 1e-9) <= number <= self.high * (1 + 1e-9)]
        return within if len(within) > 1 else [self.low, self.high]


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, ... that is at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))


def short(number: float) -> str:
    """A number in few characters: 250k, 50M, 1.5M, 0.25."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"
