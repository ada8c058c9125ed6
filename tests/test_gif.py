"""GIFs written picture by picture read back as what was added, for as long as it was shown."""

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from atari_dqn.video.writers import Gif, changed_rectangle


def read_back(content):
    """Pictures and their durations in ms."""
    image = Image.open(io.BytesIO(content))
    frames = []
    for index in range(image.n_frames):
        image.seek(index)
        frames.append((np.array(image.convert("RGB")), image.info["duration"]))
    assert image.info["loop"] == 0
    return frames


def write(pictures, seconds):
    file = io.BytesIO()
    gif = Gif(file, seconds)
    for picture in pictures:
        gif.add(picture)
    gif.close()
    return file.getvalue()


@pytest.mark.parametrize("seed", range(4))
def test_every_picture_comes_back(seed):
    draw = np.random.default_rng(seed)
    picture = draw.integers(0, 256, (20, 30, 3), np.uint8) // 64 * 64  # 64 colours
    pictures = []
    for _ in range(12):
        picture = picture.copy()
        top, left = draw.integers(0, 18), draw.integers(0, 28)
        if draw.random() < 0.7:
            picture[top : top + draw.integers(1, 9), left : left + draw.integers(1, 9)] = draw.integers(0, 256, 3)
        pictures.append(picture)
    frames = read_back(write(pictures, Fraction(1, 15)))
    shown = [pictures[0]]
    shown += [after for before, after in zip(pictures, pictures[1:], strict=False) if (before != after).any()]
    assert len(frames) == len(shown)
    for (frame, _), wanted in zip(frames, shown, strict=True):
        assert (frame == wanted).all()
    assert sum(duration for _, duration in frames) == 800  # 12 pictures of 1/15 s


def test_hundredths_that_rounding_takes_come_back():
    pictures = [np.full((4, 4, 3), value, np.uint8) for value in range(6)]
    durations = [duration for _, duration in read_back(write(pictures, Fraction(1, 30)))]
    assert durations == [30, 40, 30, 30, 40, 30]  # ends at 3.33, 6.67, 10, ... hundredths: 3, 7, 10, 13, 17, 20


def test_the_rectangle_that_changed_by_hand():
    before = np.zeros((5, 6, 3), np.uint8)
    after = before.copy()
    assert changed_rectangle(before, after) is None
    after[1, 4, 2], after[3, 2, 0] = 1, 1
    assert changed_rectangle(before, after) == (slice(1, 4), slice(2, 5))


def test_no_picture_no_file():
    assert write([], Fraction(1, 30)) == b""
