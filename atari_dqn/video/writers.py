"""Where the pictures of a game go: H.264 for everything that plays video, GIF for pages, PNG for one picture.

Pictures are handed on as they come; none is kept but the newest, so the length of a game costs no memory.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

from atari_dqn.errors import UsageError
from atari_dqn.extras import require

COLOURS = 256  # of the palette of a GIF
GIF_SHRINK = 2  # a GIF is so many times smaller, in height and width, than a video
# Without a word on colours a player guesses which matrix made them, and many guess wrong at this size.
BT709 = "scale=out_color_matrix=bt709:out_range=tv,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709"
H264 = f"-c:v libx264 -pix_fmt yuv420p -vf {BT709} -crf 18 -preset veryfast -movflags +faststart"


class Film(Protocol):
    """Takes the pictures of 60 frames per second, one after the other."""

    def add(self, picture: np.ndarray) -> None:
        """[H, W, 3] uint8 RGB, all of one size, H and W even."""
        ...

    def close(self) -> None: ...


@contextmanager
def filming(paths: Iterable[Path], fps: int) -> Iterator[list[Film]]:
    """Films whose kinds are the endings of their paths, to be filled within; folders are made.

    A film appears at its path when all is done; if something goes wrong, what stood there stays.

    Raises:
      UsageError: another ending than KINDS, a package that is missing, or a place that cannot be written.
    """
    targets = {path: path.with_name(f"{path.stem}.partial{path.suffix}") for path in paths}
    try:
        with ExitStack() as clean_up:
            films: list[Film] = []
            for path, partial in targets.items():
                kind = kind_of_film(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                partial.unlink(missing_ok=True)  # of a killed process; a link is not followed
                clean_up.callback(partial.unlink, missing_ok=True)
                films.append(kind(partial, fps))
                clean_up.callback(films[-1].close)
            yield films
            for film, (path, partial) in zip(films, targets.items(), strict=True):
                film.close()
                os.replace(partial, path)
    except OSError as error:  # also of the clean-up
        reason = error.strerror or str(error).splitlines()[0]
        raise UsageError(f"cannot write {', '.join(map(str, targets))} ({reason}); choose another --out") from error


def kind_of_film(path: Path) -> Callable[[Path, int], Film]:
    """What writes a film into a file of this ending.

    Raises:
      UsageError: nothing does.
    """
    kinds: dict[str, Callable[[Path, int], Film]] = {".mp4": Mp4, ".gif": GifFilm, ".png": Photo}
    if path.suffix not in kinds:
        raise UsageError(f"{path} must end in {' or '.join(kinds)}")
    return kinds[path.suffix]


class Mp4:
    """H.264 in 4:2:0, every frame, by the ffmpeg of the package imageio-ffmpeg."""

    def __init__(self, path: Path, fps: int) -> None:
        require("video", "an .mp4 needs", " (a .gif does without)")
        from imageio_ffmpeg import get_ffmpeg_exe

        self.path, self.fps, self._program = path, fps, get_ffmpeg_exe()
        self._ffmpeg: subprocess.Popen[bytes] | None = None

    def add(self, picture: np.ndarray) -> None:
        if self._ffmpeg is None:
            height, width, _ = picture.shape
            pictures = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {self.fps} -i -"
            self._ffmpeg = subprocess.Popen(
                [self._program, "-y", "-v", "error", *pictures.split(), *H264.split(), str(self.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,  # a Ctrl-C is ours to handle
            )
        assert self._ffmpeg.stdin
        try:
            self._ffmpeg.stdin.write(np.ascontiguousarray(picture).data)
        except BrokenPipeError:
            self.close()  # says why

    def close(self) -> None:
        """Finish the file.

        Raises:
          UsageError: ffmpeg could not write it, with its reason.
        """
        ffmpeg, self._ffmpeg = self._ffmpeg, None
        if ffmpeg is None:
            return
        with suppress(BrokenPipeError):
            _, told = ffmpeg.communicate()
        if ffmpeg.returncode:
            reason = told.decode(errors="replace").strip().splitlines()
            raise UsageError(f"cannot write {self.path}: ffmpeg says {reason[-1] if reason else ffmpeg.returncode}")


class Gif:
    """A GIF that plays for ever, written picture by picture: nothing but the newest one is held.

    header | loop for ever | picture | rectangle that changed | rectangle that changed | ... | trailer

    Each rectangle has a palette of its own, at most 256 colours, so a screen of an Atari keeps its colours exactly. A
    picture that changes nothing makes the one before it longer. Pillow compresses; it could also write the whole file,
    but it would hold all pictures until the end.

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
    height, width, channels = after.shape
    differs = (before != after).reshape(height, width * channels)
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return None
    places = np.flatnonzero(differs[rows[0] : rows[-1] + 1].any(axis=0))
    columns = int(places[0]) // channels, int(places[-1]) // channels
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(columns[0], columns[1] + 1)


class GifFilm:
    """Half the frames, half the size. Two frames become their brighter pixels, as for the network: sprites flicker."""

    def __init__(self, path: Path, fps: int) -> None:
        self.file = path.open("wb")
        self._gif = Gif(self.file, Fraction(2, fps))
        self._first: np.ndarray | None = None  # of two frames

    def add(self, picture: np.ndarray) -> None:
        import cv2

        if self._first is None:
            self._first = picture
            return
        both, self._first = np.maximum(self._first, picture), None
        height, width, _ = both.shape
        size = (width // GIF_SHRINK, height // GIF_SHRINK)
        self._gif.add(np.asarray(cv2.resize(both, size, interpolation=cv2.INTER_AREA)))

    def close(self) -> None:
        if self._first is not None:
            self.add(self._first)
        if not self.file.closed:
            with self.file:
                self._gif.close()


class Photo:
    """The last frame, without loss."""

    def __init__(self, path: Path, fps: int) -> None:
        self.path = path
        self._last: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> None:
        self._last = picture

    def close(self) -> None:
        if self._last is not None:
            Image.fromarray(self._last).save(self.path, optimize=True)
