"""Bounds and unit of a setting, and when it may change: what stands beside its type.

num_envs: Annotated[int, Range(1, 4_096, "environments", "each is an emulator with memory of its own")] = 64
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any

LONGEST = 2**40  # agent steps
YEAR = "at 35,000 steps a second that is a year"


@dataclass(frozen=True)
class Range:
    """Bounds of a number, or of each number of a list; beyond them is no setting, but a mistake or a stranger's trap.

    Args:
      least: the smallest value.
      most:  the largest.
      unit:  in few words.
      why:   the reason why there is no more than `most`.
      above: `least` itself is too small.
      below: `most` itself is too large.
      items: longest list.
    """

    least: float
    most: float
    unit: str = ""
    why: str = ""
    above: bool = False
    below: bool = False
    items: int = 0

    def complaint(self, value: Any) -> str:
        """What a value must do that it does not, "" if it is good; None always is."""
        if self.items:
            good = len(value) <= self.items and all(self.least <= item <= self.most for item in value)
            return "" if good else f"hold at most {self.items:,} numbers in [{self.least}, {self.most}]"
        if value is None or (
            (self.least < value if self.above else self.least <= value)
            and (value < self.most if self.below else value <= self.most)
        ):
            return ""
        if not self.why:
            return f"lie in {'(' if self.above else '['}{self.least:g}, {self.most:g}{')' if self.below else ']'}"
        if value > self.most:
            return f"be at most {self.most:,}: {self.why}"
        return "be a positive number" if self.above else f"be at least {self.least:g}"


@dataclass(frozen=True)
class Word:
    """Bounds of a text."""

    longest: int

    unit = ""

    def complaint(self, value: Any) -> str:
        """What a text must do that it does not, "" if it is good."""
        good = value.isprintable() and 1 <= len(value) <= self.longest
        return "" if good else f"have 1 to {self.longest} printable characters"


class JsonObject(Word):
    """Bounds of a text that is a JSON object, or empty."""

    def complaint(self, value: Any) -> str:
        """See `Word`."""
        try:
            good = value == "" or (len(value) <= self.longest and isinstance(json.loads(value), dict))
        except (ValueError, RecursionError):
            good = False
        return "" if good else 'be a JSON object such as {"continuous": false}'


class Device(Word):
    """Bounds of a text that names a device; whether it is to be had, torch says at the start of a run."""

    def complaint(self, value: Any) -> str:
        """See `Word`."""
        named = len(value) <= self.longest and re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value)
        return "" if named else "be auto, cpu, cuda, cuda:0 or mps"


class Function(Word):
    """Bounds of a text that names a function of Python, or is empty."""

    def complaint(self, value: Any) -> str:
        """See `Word`."""
        named = len(value) <= self.longest and re.fullmatch(r"[^\W\d][\w.]*:[^\W\d]\w*", value)
        return "" if value == "" or named else "be MODULE:FUNCTION, such as gymnasium.wrappers:FlattenObservation"


@dataclass(frozen=True)
class May:
    """What may become of a setting.

    Args:
      change: a resumed run may have another value than it began with.
      differ: runs of one series of a report may have different values.
    """

    change: bool
    differ: bool


FIXED, FREE = May(change=False, differ=False), May(change=True, differ=True)

Name = Annotated[str, Word(100)]
Steps = Annotated[int, Range(1, LONGEST, "agent steps", YEAR)]
Period = Annotated[int, Range(0, LONGEST, "agent steps, 0 = none", YEAR)]
StepsOrNone = Annotated[int | None, Range(1, LONGEST, "agent steps", YEAR)]
StepList = Annotated[tuple[int, ...], Range(0, LONGEST, "agent steps", items=1_000)]
EpisodesOrNone = Annotated[int | None, Range(1, LONGEST, "episodes", YEAR)]
Rewards = Annotated[int, Range(1, 1_000, "agent steps", "so many rewards are read for each transition")]
Probability = Annotated[float, Range(0, 1, "probability")]
Environments = Annotated[int, Range(1, 4_096, "environments", "each is an emulator with memory of its own")]
ModeOrNone = Annotated[int | None, Range(0, 255, "none = the game's own", "a cartridge counts them in a byte")]
Threads = Annotated[int, Range(0, 1_024, "threads, 0 = cores", "no machine has more cores")]
ROUNDED = "the numbers of a network end at 3e38"
Positive = Annotated[float, Range(0, 1e30, "", ROUNDED, above=True)]
