"""Gymnasium games that show pictures: luminance, then 84 x 84 by areas, as `reference.py` does for Atari."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from atari_dqn.envs.atari import SIZE
from atari_dqn.envs.checked_game import CheckedGame


class PictureGame:
    """A game that shows 84 x 84 planes of gray instead of its pictures.

    Args:
      game: whose observations are pictures, see `CheckedGame`.
    """

    def __init__(self, game: CheckedGame) -> None:
        self.game = game

    def reset(self, *, seed: int | None = None) -> tuple[np.ndarray, Mapping[str, Any]]:
        """Open an episode: its first plane, [84, 84] uint8, and its info."""
        picture, info = self.game.reset(seed=seed)
        return plane_of(picture), info

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, Mapping[str, Any]]:
        """Play one agent step; the observation is a plane, [84, 84] uint8."""
        picture, reward, terminated, truncated, info = self.game.step(action)
        return plane_of(picture), reward, terminated, truncated, info

    def close(self) -> None:
        """Close the game."""
        self.game.close()


def plane_of(picture: np.ndarray) -> np.ndarray:
    """The luminance of a picture ([H, W], [H, W, 1] or [H, W, 3] uint8) as [84, 84] uint8."""
    import cv2

    gray = (
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.shape[2:] == (3,) else picture.reshape(picture.shape[:2])
    )
    return np.asarray(cv2.resize(gray, (SIZE, SIZE), interpolation=cv2.INTER_AREA))
