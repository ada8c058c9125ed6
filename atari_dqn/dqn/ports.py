"""What the training loop needs of the rooms above it: who writes its numbers, and who measures its agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Evaluation(Protocol):
    """What the training loop reads of an evaluation; `evaluation.result.EvaluationResult` has more."""

    @property
    def step(self) -> int | None: ...
    @property
    def protocol(self) -> str: ...
    @property
    def episodes(self) -> int: ...
    @property
    def mean(self) -> float: ...
    @property
    def std(self) -> float: ...
    @property
    def min(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...
    @property
    def mean_length(self) -> float | None: ...
    @property
    def human_normalized(self) -> float | None: ...
    @property
    def epsilon(self) -> float | None: ...


@dataclass(frozen=True)
class Histogram:
    """To be logged as the distribution of its values, any shape."""

    values: np.ndarray


@dataclass(frozen=True)
class Image:
    """A picture to be logged: [H, W] or [H, W, 3] uint8."""

    pixels: np.ndarray


@dataclass(frozen=True)
class Animation:
    """A film to be logged among the pictures: a GIF file."""

    gif: bytes


Value = float | Histogram | Image | Animation


class Logger(Protocol):
    """What the training loop writes to."""

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """One point of each tag at an agent step: numbers make curves, all else is for whoever draws it."""
        ...

    def evaluation(self, result: Evaluation, best: bool) -> None:
        """An evaluation in training; `best`: better than all before it in this run."""
        ...

    def message(self, text: str) -> None:
        """One line for whoever watches."""
        ...

    def flush(self) -> None:
        """Everything written so far is where it cannot be lost when this returns."""
        ...

    def close(self) -> None: ...


class NullLogger:
    """Writes nothing."""

    def log(self, step: int, values: Mapping[str, Value]) -> None: ...
    def evaluation(self, result: Evaluation, best: bool) -> None: ...
    def message(self, text: str) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


def numbers_of(values: Mapping[str, Value]) -> dict[str, float]:
    """Those of the values that are points of curves."""
    return {tag: value for tag, value in values.items() if not isinstance(value, Histogram | Image | Animation)}


class Evaluator(Protocol):
    """Plays episodes with the agent of a run."""

    def evaluate(self, step: int, should_stop: Callable[[], bool]) -> Evaluation | None:
        """The evaluation at an agent step; None if it was given up, for which `should_stop` is asked often."""
        ...

    def show(self, tag: str, logger: Logger, step: int) -> None:
        """Log under a name what there is to see of the newest evaluation."""
        ...
