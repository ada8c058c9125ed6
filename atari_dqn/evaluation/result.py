"""The result of an evaluation: one record for training, `evaluate`, suite and report, kept as JSON.

Knows numbers and words only, neither networks nor emulators, so that the report reads it without torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from atari_dqn.published.scores import Pair, human_normalized, published
from atari_dqn.safe_files import LARGEST

SMALL, NOTHING = 0.1, 1e-5  # between them, one digit after the point would show little of a score, or none of it


@dataclass(frozen=True)
class EvaluationResult:
    """Mean and spread of the raw scores of some episodes, how they were played, and by whom."""

    game: str
    protocol: str
    """nature, sticky, monitor or greedy."""
    human_pair: Pair
    """Random and human that the mean may be compared with, by the time limit; see `scores.human_pair`."""
    episodes: int
    mean: float
    """Of the raw scores."""
    std: float
    """Over the episodes, divided by n."""
    min: float | None = None
    max: float | None = None
    mean_length: float | None = None
    """Agent steps."""
    max_episode_steps: int | None = None
    """Time limit of an episode, agent steps; None in files of older versions."""
    epsilon: float | None = None
    """Chance of a random action."""
    scores: tuple[float, ...] = ()
    """Raw scores in the order of the episodes; empty where only their mean was kept."""
    seed: int | None = None
    """Root of the episodes' seeds."""
    policy: str = "network"
    checkpoint: str | None = None
    """Where the network was read from; None for a policy without one, and in training."""
    step: int | None = None
    """Agent step of the network."""
    preset: str | None = None
    run_seed: int | None = None

    @property
    def human_normalized(self) -> float | None:
        """The mean where 0 is random play and 1 the human of `human_pair`; None if there is none."""
        return human_normalized(self.mean, self.game, pair=self.human_pair)

    def corrected(self, pair: Pair) -> EvaluationResult:
        """With the `human_pair` of its time limit, where an older version wrote `zoo` for every limit but 5 minutes."""
        of_old = self.max_episode_steps is None and self.human_pair == "zoo" and published(self.game) is not None
        return dataclasses.replace(self, human_pair=pair) if of_old else self

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of an evaluation's file."""
        return {
            **dataclasses.asdict(self),
            "scores": list(self.scores),
            "human_normalized": self.human_normalized,
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> EvaluationResult:
        """Read what `to_dict` wrote; an older version left some fields out, and what follows from others is not read.

        Raises:
          ValueError: naming the field that is missing or wrong.
        """
        known = {field.name: table[field.name] for field in dataclasses.fields(cls) if field.name in table}
        for field in dataclasses.fields(cls):
            if field.default is dataclasses.MISSING and field.name not in known:
                raise ValueError(f"lacks {field.name}")
        for name, value in known.items():
            rule, good = RULES[name]
            if not good(value):
                raise ValueError(f"{name} is {str(value)[:80]!r}, not {rule}")
        result = cls(**known | {"scores": tuple(known.get("scores", ()))})
        return result.corrected("none") if result.protocol == "nature" else result  # its own limit is 5 minutes


def score_told(value: float, group: str = ",") -> str:
    """A raw score in words: `1,234.5`, and two digits of a small one, `0.048`; `group` stands between thousands."""
    digits = 1 - math.floor(math.log10(abs(value))) if NOTHING <= abs(value) < SMALL else 1
    return format(value, f"{group}.{digits}f")


def edge_told(value: float) -> str:
    """The least or largest of some scores: without a point where it is whole, as in most games."""
    return f"{value:,.0f}" if float(value).is_integer() else score_told(value)


def game_title(game: str) -> str:
    """A ROM id for reading: `ms_pacman` is Ms Pacman."""
    return game.removeprefix("gym:") if ":" in game else game.replace("_", " ").title()


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= LARGEST  # NaN is not


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST


def _word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _or_none(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or good(value)


RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("game", "protocol", "policy"), ("a word", _word)),
    **dict.fromkeys(("checkpoint", "preset"), ("a word or null", _or_none(_word))),
    "mean": ("a finite number", _number),
    **dict.fromkeys(("min", "max", "mean_length", "epsilon"), ("a finite number or null", _or_none(_number))),
    **dict.fromkeys(("seed", "step", "run_seed", "max_episode_steps"), ("a whole number or null", _or_none(_count))),
    "std": ("a number >= 0", lambda value: _number(value) and value >= 0),
    "episodes": ("a whole number >= 1", lambda value: _count(value) and value >= 1),
    "human_pair": ("nature, zoo or none", lambda value: value in get_args(Pair)),
    "scores": ("a list of numbers", lambda value: isinstance(value, list) and all(map(_number, value))),
}
