"""A person plays a game of Atari: keys become actions of the emulator, sixty times a second."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from atari_dqn.envs.contract import SEED_LIMIT
from atari_dqn.video.camera import FRAMES_PER_SECOND, AtariCamera
from atari_dqn.video.panel import BACKGROUND, GREEDY, HEIGHT, MARGIN, PANEL_WIDTH, QUIET, TEXT
from atari_dqn.video.window import Window

REST_SECONDS = 1  # after a game, before a key opens the next one
PARTS = ("up", "down", "left", "right", "fire")
"""Of an action, in the order of the emulator's names."""
HELP = (
    "arrows or W A S D: move",
    "space, return or ctrl: fire",
    "P: pause     N: a new game     Esc: end",
)


def action_held(parts: Collection[str]) -> str:
    """The emulator's name of what is held down: `upright` for up and right, `noop` for nothing or for opposites."""
    down = {part for part in PARTS if part in parts}
    for opposites in ({"up", "down"}, {"left", "right"}):
        if opposites <= down:
            down -= opposites
    return "".join(part for part in PARTS if part in down) or "noop"


def play_games(
    camera: AtariCamera, window: Window, board: ScoreBoard, *, seed: int, told: Callable[[str], None]
) -> int:
    """Let a person play until the window is closed; returns the number of games that ended.

    Args:
      camera: of the game, with a frame skip of 1 and all actions.
      window: shows it, and says which keys are held.
      board:  is drawn beside it.
      seed:   of the first game; each later one has the next number.
      told:   gets a line for each game that ended.
    """
    numbers = {name: number for number, name in enumerate(camera.action_names)}
    ended = opened = 0
    while not window.closed:
        screen, score, frames, over = camera.open((seed + opened) % SEED_LIMIT), 0.0, 0, False
        opened += 1
        while not (over or window.closed or window.next_episode()):
            (shot,) = camera.play(numbers[action_held(window.held())])
            screen, score, frames, over = shot.screen, score + shot.reward, frames + 1, shot.over
            window.add(board.beside(camera.picture(screen, HEIGHT), score, frames, over=False))
        if over:
            ended += 1
            told(f"game {opened}: score {score:,.0f} after {_clock(frames)}")
            show_end(window, board.beside(camera.picture(screen, HEIGHT), score, frames, over=True))
    return ended


def show_end(window: Window, picture: np.ndarray) -> None:
    """Show the end of a game until fire is pressed anew."""
    waited, released = 0, False
    while not (window.closed or window.next_episode()):
        window.add(picture)
        waited += 1
        released = released or "fire" not in window.held()
        if waited > REST_SECONDS * FRAMES_PER_SECOND and released and "fire" in window.held():
            return


def _clock(frames: int) -> str:
    minutes, seconds = divmod(frames // FRAMES_PER_SECOND, 60)
    return f"{minutes}:{seconds:02}"


class ScoreBoard:
    """What a person sees beside the game.

    Args:
      title: first line.
      notes: further lines, such as the scores of others.
    """

    def __init__(self, title: str, notes: Sequence[str]) -> None:
        self.title, self.notes = title, notes
        self._shown: tuple[object, ...] = ()
        self._board = np.empty(0)

    def beside(self, picture: np.ndarray, score: float, frames: int, *, over: bool) -> np.ndarray:
        """The picture of a game, and the board to its right; drawn anew only where something has changed."""
        shows = score, _clock(frames), over
        if shows != self._shown:
            self._shown, self._board = shows, self._draw(*shows)
        return np.concatenate([picture, self._board], axis=1)

    def _draw(self, score: float, clock: str, over: bool) -> np.ndarray:
        from PIL import Image, ImageDraw, ImageFont

        image = Image.new("RGB", (PANEL_WIDTH, HEIGHT), BACKGROUND)
        draw = ImageDraw.Draw(image)

        def write(top: int, text: str, size: int, colour: Any) -> None:
            draw.text((MARGIN, top), text, colour, ImageFont.load_default(size))

        write(18, self.title, 26, TEXT)
        write(76, "score", 14, QUIET)
        write(96, f"{score:,.0f}", 48, TEXT)
        write(164, "time", 14, QUIET)
        write(184, clock, 26, TEXT)
        for index, note in enumerate(self.notes):
            write(250 + 24 * index, note, 15, QUIET)
        if over:
            write(400, "game over", 32, GREEDY)
            write(444, "fire: play again", 16, GREEDY)
        for index, line in enumerate(HELP):
            write(HEIGHT - 30 - 24 * (len(HELP) - index), line, 15, QUIET)
        return np.array(image)
