"""`atari-dqn games`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from atari_dqn.commands import parse
from atari_dqn.envs.games import atari_games, known_game
from atari_dqn.errors import UsageError
from atari_dqn.published.scores import GAME_SETS, published

NOTE = """
Scores of games of 5 minutes, DQN after 200 million frames (Mnih et al. 2015,
extended data table 2). Sets, as in `atari-dqn suite --games atari10`: the 49 of
the paper, the 57 of later work, the 10 of Aitchison et al. 2022. Beside these:
cartpole, and every gym:ID of vectors or pictures (presets pixels and minatar)
whose actions are numbered: gym:Acrobot-v1, gym:CarRacing-v3."""


@dataclass(frozen=True)
class Games:
    """List the games that can be played, with published scores."""

    part: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="[PART]")] = ""
    """Only games whose name contains this."""


def run(words: Sequence[str]) -> int:
    """Print the list; returns the exit code."""
    part = parse(Games, words, prog="atari-dqn games").part
    named = known_game(part)
    names = [game for game in atari_games() if part.lower() in game or game == named]
    if not names:
        raise UsageError(f"no game has {part!r} in its name; atari-dqn games lists all")
    # a pipe has no width, and a narrow terminal would cut numbers
    Console(width=80, highlight=False).print(table(names))
    print(NOTE)
    return 0


def table(names: Sequence[str]) -> Table:
    """Games (ROM ids), each with what was published about it."""
    grid = Table(box=None, header_style="bold", pad_edge=False)
    grid.add_column("game", no_wrap=True)
    for heading in ("random", "human", "DQN"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("sets", no_wrap=True)
    members = {name.removeprefix("atari"): set(games()) for name, games in GAME_SETS.items()}
    for game in names:
        scores = published(game)
        found = (scores.random_nature, scores.human_nature, scores.dqn_nature) if scores else (None, None, None)
        sets = " ".join(name if game in games else " " * len(name) for name, games in members.items())
        grid.add_row(game, *("" if value is None else f"{value:,.1f}" for value in found), sets)
    return grid
