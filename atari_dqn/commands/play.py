"""`atari-dqn play GAME`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import tyro

from atari_dqn.commands import parse
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.result import game_title
from atari_dqn.extras import require


@dataclass(frozen=True)
class Play:
    """Play a game of Atari yourself, with the keyboard, at 60 frames per second.

    Arrows or W A S D move, space fires; P pauses, N opens a new game, Esc ends.
    """

    game: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GAME")]
    """ROM id such as pong or ms_pacman."""
    seed: int = 0
    """Seed of the first episode; each later one has the next number."""
    sticky_probability: float = 0.0
    """Chance that a frame repeats the previous action, as agents meet it with preset `sticky`: 0.25."""


def run(words: Sequence[str]) -> int:
    """Let a person play; returns the exit code."""
    command = parse(Play, words, prog="atari-dqn play")
    if not 0 <= command.seed < 2**31:
        raise UsageError(f"seed is {command.seed}; it must lie in [0, 2**31)")
    from atari_dqn.envs.games import check_rom, is_vector_game, known_game

    game = known_game(command.game)
    if is_vector_game(game):
        raise UsageError(f"{game} is no game of Atari; a person can play those only, such as pong")
    check_rom(game)
    require("play", "a window needs")
    from atari_dqn.presets import nature
    from atari_dqn.video.by_hand import ScoreBoard, play_games
    from atari_dqn.video.camera import FRAMES_PER_SECOND, AtariCamera
    from atari_dqn.video.window import Window

    title = game_title(game)
    config = nature(game).replace(
        frame_skip=1, noop_max=0, action_set="full", sticky_probability=command.sticky_probability
    )
    with closing(Window(title, FRAMES_PER_SECOND)) as window, closing(AtariCamera(config)) as camera:
        board = ScoreBoard(title, [*_others(game), *_used(game)])
        play_games(camera, window, board, seed=command.seed, told=print)
    return 0


def _used(game: str) -> list[str]:
    """Which parts of the joystick do something, where not all of them do: in Pong right is up, and up is nothing."""
    from atari_dqn.envs import spec_of
    from atari_dqn.presets import nature
    from atari_dqn.video.by_hand import PARTS

    names = spec_of(nature(game).replace(action_set="minimal")).action_names
    used = [part for part in PARTS if any(part in name for name in names)]
    return [] if len(used) == len(PARTS) else ["", f"the game knows: {', '.join(used)}"]


def _others(game: str) -> list[str]:
    """Whom a person can compare with, a line each."""
    from atari_dqn.published.scores import published

    scores = published(game)
    if scores is None or scores.dqn_nature is None:
        return []
    return [
        "in 5 minutes of play (Mnih et al. 2015):",
        f"human tester {scores.human_nature:,.0f}, DQN {scores.dqn_nature:,.0f}, random {scores.random_nature:,.0f}",
    ]
