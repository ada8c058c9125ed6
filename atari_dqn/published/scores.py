"""Published scores, each with the protocol it was measured by. A number without its protocol is a rumour.

`data/SOURCES.md` says where every column comes from and how it was checked.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

Pair = Literal["nature", "zoo", "none"]
FIVE_MINUTES, THIRTY_MINUTES = 18_000, 108_000  # time limits, frames at 60 a second
NO_HUMAN = "the time limit is not the 5 or 30 minutes of humans"


@dataclass(frozen=True)
class PublishedScores:
    """Raw scores of one game; None where nothing was published."""

    game: str
    random_nature: float | None
    """Random play at 10 Hz, games of 5 minutes (Mnih et al. 2015, extended data table 2)."""
    human_nature: float | None
    """Professional tester, games of 5 minutes (same table)."""
    dqn_nature: float | None
    """DQN, best network of 200 million frames, 30 episodes of 5 minutes, epsilon 0.05 (same table)."""
    dqn_nature_std: float | None
    """Standard deviation over those 30 episodes."""
    random_zoo: float | None
    """Random play, games of 30 minutes (DQN Zoo, Wang et al. 2016)."""
    human_zoo: float | None
    """Human, episodes of 30 minutes (same sources); differs from human_nature in 33 of 49 games."""


@cache
def _table() -> dict[str, dict[str, str]]:
    text = (files("atari_dqn") / "data" / "atari_reference_scores.csv").read_text(encoding="utf-8")
    return {row["game"]: row for row in csv.DictReader(text.splitlines())}


def nature_49() -> tuple[str, ...]:
    """ROM ids of the 49 games of Mnih et al. 2015."""
    return tuple(game for game, row in _table().items() if row["in_nature_49"] == "true")


def atari_57() -> tuple[str, ...]:
    """ROM ids of the 57 games that later work reports."""
    return tuple(game for game, row in _table().items() if row["in_zoo_57"] == "true")


def atari_10() -> tuple[str, ...]:
    """ROM ids of the ten games whose scores best predict the median of the 57.

    Source: Aitchison et al. 2022, Atari-5: Distilling the Arcade Learning Environment down to Five Games.
    """
    games = "amidar battle_zone bowling double_dunk frostbite kung_fu_master name_this_game phoenix qbert riverraid"
    return tuple(games.split())


GAME_SETS = {"atari49": nature_49, "atari57": atari_57, "atari10": atari_10}
"""By the names that commands take."""


def published(game: str) -> PublishedScores | None:
    """What was published about a game (ROM id), or None if nothing was."""
    row = _table().get(game)
    if row is None:
        return None

    def number(column: str) -> float | None:
        return float(row[column]) if row[column] else None

    return PublishedScores(
        game=game,
        random_nature=number("random_nature"),
        human_nature=number("human_nature"),
        dqn_nature=number("dqn_nature"),
        dqn_nature_std=number("dqn_nature_std"),
        random_zoo=number("random_zoo"),
        human_zoo=number("human_zoo"),
    )


@cache
def published_ablation(game: str) -> dict[str, float] | None:
    """The paper's scores with and without its two ideas, or None if it has none for this game (ROM id).

    Returns:
      Best evaluation within 10 million agent steps, by "replay and target", "replay only", "target only", "neither".
    """
    text = (files("atari_dqn") / "data" / "nature_ablation.csv").read_text(encoding="utf-8")
    rows = {row.pop("game"): row for row in csv.DictReader(text.splitlines())}
    return {name: float(score) for name, score in rows[game].items()} if game in rows else None


def game_label(game: str, mode: int | None = None, difficulty: int | None = None) -> str:
    """What scores of a game are listed under; another mode or difficulty is a game of which none is published.

    Returns:
      `pong`, or `pong_mode1`, `pong_mode1_difficulty2`, `pong_difficulty2`.
    """
    return game + "".join(
        f"_{name}{value}" for name, value in (("mode", mode), ("difficulty", difficulty)) if value is not None
    )


def human_pair(game: str, max_episode_steps: int, frames_per_step: int) -> Pair:
    """Random and human that play with this time limit may be compared with; the only place where that is decided.

    Args:
      game:              ROM id, or what its scores are listed under.
      max_episode_steps: time limit, agent steps.
      frames_per_step:   frames of an agent step.

    Returns:
      "nature" where the limit is the 5 minutes of Mnih et al. 2015 (rounded to whole agent steps), "zoo" where it is
      30 minutes or no human of the game was published, else "none": no human played games cut like these.
    """
    if max_episode_steps == FIVE_MINUTES // frames_per_step:
        return "nature"
    return "zoo" if max_episode_steps == THIRTY_MINUTES // frames_per_step or published(game) is None else "none"


def human_normalized(score: float, game: str, *, pair: Pair) -> float | None:
    """A raw score on the scale where 0 is random play and 1 is the human.

    Args:
      score: raw score.
      game:  ROM id.
      pair:  which random and human: "nature" for games of 5 minutes, "zoo" for 30 minutes, "none". Never mixed.

    Returns:
      (score - random) / (human - random), or None where the pair was not published.

    Source: Mnih et al. 2015, figure 3.
    """
    scores = published(game)
    if scores is None or pair == "none":
        return None
    if pair == "nature":
        random, human = scores.random_nature, scores.human_nature
    else:
        random, human = scores.random_zoo, scores.human_zoo
    if random is None or human is None:
        return None
    return (score - random) / (human - random)
