"""Animated GIFs, written picture by picture: nothing but the newest picture is held.

    header | loop for ever | picture | rectangle that changed | rectangle that changed | ... | trailer

Each rectangle has a palette of its own, at most 256 colours, so a screen of an Atari keeps its colours exactly. A
picture that changes nothing makes the one before it longer. Pillow compresses; it could also write the whole file, but
it would hold all pictures until the end.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

COLOURS = 256  # of a palette


class Gif:
    """A GIF that plays for ever.

    Args:
      file:    where the bytes go; stays open.
      seconds: of each picture. GIF counts in 1/100 s: what a picture loses to rounding, the next one gets.
    """

    def __init__(self, file: BinaryIO, seconds: Fraction) -> None:
        self.file, self.seconds = file, seconds
        self._shown: np.ndarray | None = None
        self._pending: tuple[np.ndarray, tuple[int, int]] | None = None  # (rectangle, its corner) not yet written
        self._pictures = 0  # added so far
        self._written = 0  # 1/100 s so far

    def add(self, picture: np.ndarray) -> None:
        """The next picture, [H, W, 3] uint8 RGB, as large as the first."""
        if self._shown is None:
            height, width, _ = picture.shape
            self.file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))  # no palette for all
            self.file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", 0, 0))  # again and again
            changed: tuple[slice, slice] | None = (slice(0, height), slice(0, width))
        else:
            changed = changed_rectangle(self._shown, picture)
        if changed is not None:
            self._write_pending()
            rows, columns = changed
            self._pending = picture[changed].copy(), (columns.start, rows.start)
            self._shown = picture
        self._pictures += 1

    def close(self) -> None:
        """Write the last picture and the end."""
        self._write_pending()
        if self._pictures:
            self.file.write(b";")

    def _write_pending(self) -> None:
        if self._pending is None:
            return
        rectangle, corner = self._pending
        until = round(100 * self._pictures * self.seconds)
        image = Image.fromarray(rectangle).quantize(COLOURS, dither=Image.Dither.NONE)
        blocks = getdata(image, corner, duration=10 * (until - self._written), include_color_table=True)
        self.file.write(b"".join(blocks))
        self._written, self._pending = until, None


def changed_rectangle(before: np.ndarray, after: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns of the smallest rectangle outside of which two [H, W, 3] pictures agree; None if they all do."""
    differs = (before != after).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
