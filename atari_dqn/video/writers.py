"""Where the pictures of a game go: H.264 for everything that plays video, GIF for pages, PNG for one picture.

Pictures are handed on as they come; none is kept but the newest, so the length of a game costs no memory.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np

from atari_dqn.errors import UsageError
from atari_dqn.video.gif import Gif

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
    with ExitStack() as clean_up:
        try:
            films: list[Film] = []
            for path, partial in targets.items():
                kind = _kind(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                partial.unlink(missing_ok=True)  # of a killed process; a link is not followed
                clean_up.callback(partial.unlink, missing_ok=True)
                films.append(kind(partial, fps))
                clean_up.callback(films[-1].close)
            yield films
            for film, (path, partial) in zip(films, targets.items(), strict=True):
                film.close()
                os.replace(partial, path)
        except OSError as error:
            reason = error.strerror or str(error).splitlines()[0]
            raise UsageError(f"cannot write {', '.join(map(str, targets))} ({reason})") from error


def _kind(path: Path) -> Callable[[Path, int], Film]:
    kinds: dict[str, Callable[[Path, int], Film]] = {".mp4": Mp4, ".gif": GifFilm, ".png": Photo}
    if path.suffix not in kinds:
        raise UsageError(f"{path} must end in {' or '.join(kinds)}")
    return kinds[path.suffix]


class Mp4:
    """H.264 in 4:2:0, every frame, by the ffmpeg of the package imageio-ffmpeg."""

    def __init__(self, path: Path, fps: int) -> None:
        try:
            from imageio_ffmpeg import get_ffmpeg_exe
        except ImportError as error:
            raise UsageError(
                "an .mp4 needs the 'video' extra: pip install 'atari-dqn[video]' (a .gif does without)"
            ) from error
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


class GifFilm:
    """Half the frames, half the size. Two frames become their brighter pixels, as for the network: sprites flicker."""

    def __init__(self, path: Path, fps: int) -> None:
        self._file = path.open("wb")
        self._gif = Gif(self._file, Fraction(2, fps))
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
        if not self._file.closed:
            self._gif.close()
            self._file.close()


class Photo:
    """The last frame, without loss."""

    def __init__(self, path: Path, fps: int) -> None:
        self.path = path
        self._last: np.ndarray | None = None

    def add(self, picture: np.ndarray) -> None:
        self._last = picture

    def close(self) -> None:
        from PIL import Image

        if self._last is not None:
            Image.fromarray(self._last).save(self.path, optimize=True)
