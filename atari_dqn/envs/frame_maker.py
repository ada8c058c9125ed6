"""Screens of an emulator to frames, in a worker process: luminance, maximum of the last two, 84 x 84 by areas.

Most of a screen is what it was a step ago. 210 lines are 42 bands of 5 that become 2 lines of a frame each, and whose
pixels depend on nothing else: only bands that changed are made anew, those of all games at once, with the same result
to the last bit.
"""

from __future__ import annotations

import numpy as np

from atari_dqn.envs.atari import SIZE
from atari_dqn.envs.palette import luminance_table

WORD = 8  # bytes that are compared at once
BANDS = {210: 42}  # by the height of a screen: 2.5 lines to 1, a number that is exact in binary; else all at once


class FrameMaker:
    """The frames of some games.

    Args:
      games:   how many.
      height:  of a screen.
      width:   likewise; a multiple of WORD.
      colours: screens hold colours, not luminance.

    Attributes:
      screens: [games, 2, height, width] uint8, to be filled before each `finish`; another array after it.
    """

    def __init__(self, games: int, height: int, width: int, *, colours: bool) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._resize, self._area, self._look_up = cv2.resize, cv2.INTER_AREA, cv2.LUT
        self._luminance = luminance_table() if colours else np.arange(256, dtype=np.uint8)
        self._games, self._width, self._bands = games, width, BANDS.get(height, 1)
        bands, lines = games * self._bands, games * height
        # black at first, and so are the frames: what differs from the step before is all that has to be made
        self.screens, self._before = np.zeros((2, games, 2, height, width), np.uint8)
        self._frames = np.zeros((bands, SIZE // self._bands, SIZE), np.uint8)
        # for what comes in between: memory that is asked for anew at every step would have to be cleared each time
        self._differs = np.empty((games, 2, self._bands, height * width // self._bands // WORD), bool)
        self._taken, self._bright = np.empty((2, 2 * lines, width), np.uint8)
        self._made = np.empty_like(self._frames)

    def finish(self, out: np.ndarray) -> None:
        """Write the frames of `screens` to `out`, [games, 84, 84]."""
        bands = self._changed()
        # bands that are not exact in binary depend on where in a picture they lie: one picture each
        for some in [bands] if self._bands > 1 else np.split(bands, range(1, len(bands))):
            if len(some):
                self._make(some)
        out[:] = self._frames.reshape(out.shape)
        self.screens, self._before = self._before, self.screens

    def _changed(self) -> np.ndarray:
        """Numbers of the bands that differ from the step before, of all games."""
        now, before = (each.view(np.uint64).reshape(self._differs.shape) for each in (self.screens, self._before))
        differs = np.logical_or.reduce(np.not_equal(now, before, out=self._differs), axis=3)
        return np.flatnonzero(np.logical_or(differs[:, 0], differs[:, 1]))

    def _make(self, bands: np.ndarray) -> None:
        first = bands + bands // self._bands * self._bands  # a game's first screen, then its second
        rows = self.screens.reshape(self._games * 2 * self._bands, -1)
        lines = len(bands) * rows.shape[1] // self._width
        taken, bright, made = self._taken[: 2 * lines], self._bright[: 2 * lines], self._made[: len(bands)]
        both = np.concatenate([first, first + self._bands])
        rows.take(both, axis=0, out=taken.reshape(len(both), -1), mode="clip")
        self._look_up(taken, self._luminance, bright)
        np.maximum(bright[:lines], bright[lines:], out=bright[:lines])
        self._resize(bright[:lines], (SIZE, made.size // SIZE), made.reshape(-1, SIZE), interpolation=self._area)
        self._frames[bands] = made
