"""Films a game of gymnasium's: a second copy of it, seeded alike, that draws itself after each step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Real

import numpy as np

from atari_dqn.config import Config
from atari_dqn.envs.classic import gym_game, gymnasium_id, make_game
from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.host import has_display
from atari_dqn.video.camera import AtariCamera, Camera, Shot
from atari_dqn.video.panel import letterbox

USUAL_FPS = 30  # of games that do not say it
ACTION_NAMES = {
    "CarRacing": ("no action", "right", "left", "gas", "brake"),
    "CartPole": ("left", "right"),
    "Acrobot": ("torque -1", "no torque", "torque +1"),
    "MountainCar": ("left", "no push", "right"),
    "LunarLander": ("no engine", "left engine", "main engine", "right engine"),
}
"""Of games that pygame draws, by gymnasium's documentation."""


class GymCamera:
    """The pictures of one episode of a gymnasium game at a time, one for each agent step.

    Args:
      config: of the environments that play the game.

    Raises:
      UsageError: the game cannot be made, or not be drawn as an array.
    """

    frame_skip = 1
    why_it_strays = "its seed does not decide it alone, so it cannot be played again for a film"

    def __init__(self, config: Config) -> None:
        draw_without_a_screen()
        try:
            self._game = make_game(gym_game(config), render_mode="rgb_array")
            self._game.reset(seed=0)
            self._game.render()
        except UsageError as error:
            if "pygame is not installed" in str(error):
                raise UsageError(
                    f"a film of {config.game} needs the 'play' extra: pip install 'atari-dqn[play]'"
                ) from error
            raise UsageError(
                f"{config.game} cannot be filmed, it does not draw itself with render_mode='rgb_array' ({error})"
            ) from error
        metadata = self._game.metadata
        fps = metadata.get("render_fps") if isinstance(metadata, Mapping) else None
        self.fps = int(float(fps)) if isinstance(fps, Real) and 1 <= float(fps) <= 1_000 else USUAL_FPS
        count = int(self._game.action_space.n)
        known = ACTION_NAMES.get(_own_name(config.game), ())
        self.action_names = known if len(known) == count else tuple(f"action {number}" for number in range(count))

    def open(self, seed: int) -> np.ndarray:
        """See `Camera`."""
        self._game.reset(seed=seed)
        self._drawn = self._game.render()
        return self._drawn

    def play(self, action: int, *, draw: bool = True) -> list[Shot]:
        """See `Camera`."""
        _, reward, terminated, _, _ = self._game.step(action)
        if draw:
            self._drawn = self._game.render()
        return [Shot(self._drawn, float(np.float32(reward)), terminated)]

    def picture(self, screen: np.ndarray, height: int) -> np.ndarray:
        """See `Camera`."""
        return letterbox(screen, height)

    def close(self) -> None:
        """See `Camera`."""
        self._game.close()


def require_to_draw(config: Config) -> None:
    """Ask for the package that draws gymnasium's own games, before torch is loaded.

    Raises:
      UsageError: it is not installed.
    """
    if config.env.backend == "classic" and _own_name(config.game) in ACTION_NAMES:
        require("play", f"a film of {config.game} needs")


def _own_name(game: str) -> str:
    """`CartPole` for `cartpole` and `gym:CartPole-v1`."""
    return gymnasium_id(game).partition("-")[0]


def make_camera(config: Config) -> Camera:
    """The camera for the games of a config.

    Raises:
      UsageError: they cannot be filmed.
    """
    return GymCamera(config) if config.env.backend == "classic" else AtariCamera(config)


def draw_without_a_screen() -> None:
    """Where there is no display, let pygame draw into memory without complaints about that, and greet nobody."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    if not has_display():
        os.environ["SDL_VIDEODRIVER"] = "dummy"
