"""Where the frames of a replay lie: rows around a ring, one per environment and vector step, on a GPU or the host.

Time counts what is written at once: a vector step of all N environments, or of one group, where groups take turns.

They lie side by side, or as tiles, each different one once (`tiles.py`).

row = (time modulo the times that fit) * environments at once + environment of those

so the next frame of an environment lies N rows further, whatever the groups.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from atari_dqn.cuda_graph import Upload
from atari_dqn.errors import UsageError
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.replay.pages import blank
from atari_dqn.replay.screens import Shrinker
from atari_dqn.replay.tiles import TiledFrames

MEAN_AT_ONCE = 256  # frames that are summed in one pass: few enough for a copy in int64


class PlainFrames:
    """Rows of frames side by side.

    Args:
      rows:   how many; all are blank at first.
      shape:  of a frame.
      dtype:  of its numbers.
      device: where they are kept.
    """

    def __init__(self, rows: int, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | str) -> None:
        size = (rows, *shape)
        on_host = torch.device(device).type == "cpu"
        self.pixels = blank(size, dtype) if on_host else torch.zeros(size, dtype=dtype, device=device)
        self.shape, self.dtype, self.device = shape, dtype, self.pixels.device
        self._upload = Upload(self.device)

    def clear(self) -> None:
        """Rows may be written in any order; what is written over is never read."""

    def put(self, first: int, frames: Tensor) -> None:
        """Write [n, *shape], from the host or where the rows are, to the rows from `first` on."""
        self._upload(frames, self.pixels[first : first + len(frames)])

    def fill(self, first: int, frames: Tensor) -> None:
        """The same of many frames, which nobody waits for."""
        self.pixels[first : first + len(frames)].copy_(frames)

    def gather(self, rows: Tensor) -> Tensor:
        """[M] row numbers on the rows' device -> [M, *shape] there."""
        return self.pixels.index_select(0, rows)

    def span(self, first: int, count: int) -> Tensor:
        """The frames of `count` rows from `first` on, [count, *shape], no copy."""
        return self.pixels[first : first + count]


class FrameRing:
    """The newest frames of N environments.

    Args:
      layout: how many, of what.
      device: where they are kept.
    """

    def __init__(self, layout: ReplayLayout, device: torch.device | str) -> None:
        self.num_envs, self.frame_shape = layout.num_envs, layout.frame_shape
        self.envs_at_once = layout.envs_at_once
        self.num_times = layout.rows_per_env * layout.groups  # that fit
        self.num_rows = layout.rows_per_env * layout.num_envs
        # the last row stays blank: it stands in for frames before an episode's first
        self.blank_row = self.num_rows
        self.frames = self._place(layout, device)
        self.device = self.frames.device
        # of the frames of one time
        self.bytes_at_once = math.prod(self.frame_shape) * self.frames.dtype.itemsize * self.envs_at_once
        self.time = -1  # the newest written; -1 means empty
        self._shrink = Shrinker(layout.screens, self.frame_shape, self.device) if layout.screens else None

    def _place(self, layout: ReplayLayout, device: torch.device | str) -> PlainFrames | TiledFrames:
        if not layout.tiles:
            return PlainFrames(self.num_rows + 1, self.frame_shape, getattr(torch, layout.frame_dtype), device)
        if torch.device(device).type != "cpu":
            raise UsageError(f"replay_tiles is on, but the replay is on {device}; use --replay-device cpu")
        sizes = {"num_envs": self.num_envs, "num_rows": self.num_rows, "at_once": self.envs_at_once}
        return TiledFrames(self.num_rows + 1, self.frame_shape, **sizes)

    @property
    def times(self) -> tuple[int, int]:
        """Oldest and newest time whose frames are in the ring."""
        return max(0, self.time - self.num_times + 1), self.time

    def append(self, frame: Tensor) -> None:
        """Write the frames of the next time over the oldest, from the host.

        Args:
          frame: [envs_at_once, *frame_shape], or the layout's screens, [envs_at_once, 2, H, W].
        """
        self.time += 1
        first = self.rows_at(self.time).start
        self.frames.put(first, self._shrink(frame) if self._shrink and frame.dim() == 4 else frame)

    def clear(self) -> None:
        """Empty, as at the start."""
        self.time = -1
        self.frames.clear()

    def gather(self, rows: Tensor) -> Tensor:
        """[B, K] row numbers on the ring's device -> [B, K, *frame_shape] there."""
        return self.frames.gather(rows.flatten()).view(*rows.shape, *self.frame_shape)

    def rows_at(self, time: int) -> slice:
        """Rows written at a time, in the order of the environments."""
        first = time % self.num_times * self.envs_at_once
        return slice(first, first + self.envs_at_once)

    def window(self, rows: np.ndarray, back: int, ahead: int) -> np.ndarray:
        """Rows of the same environments, `back` vector steps earlier to `ahead` later: [B] -> [B, back + 1 + ahead].

        The window is at most once around the ring, and few reach over its seam.
        """
        window = rows[:, None] + np.arange(-back, ahead + 1) * self.num_envs
        if rows.min() < back * self.num_envs or rows.max() >= self.num_rows - ahead * self.num_envs:
            window %= self.num_rows
        return window

    def mean_frame(self) -> Tensor:
        """Mean over the frames that are in the ring, float32 [*frame_shape] on its device."""
        oldest, newest = self.times
        count = (newest - oldest + 1) * self.envs_at_once
        total = torch.zeros(self.frame_shape, dtype=torch.int64, device=self.device)
        for first in range(0, count, MEAN_AT_ONCE):
            some = self.frames.span(first, min(MEAN_AT_ONCE, count - first))
            total += some.sum(dim=0, dtype=torch.int64)
        return (total.cpu().double() / count).float().to(self.device)  # on the host: GPUs of Apple's have no float64

    # --- blocks of times that lie side by side, for the disk

    def block_shape(self, count: int) -> tuple[int, ...]:
        """Shape of the frames of `count` times, [T, envs_at_once, *frame_shape]."""
        return (count, self.envs_at_once, *self.frame_shape)

    def read(self, time: int, count: int) -> Tensor:
        """Frames of `count` times from `time`, [T, envs_at_once, *frame_shape] on the host, before the wrap."""
        first = self.rows_at(time).start
        return self.frames.span(first, count * self.envs_at_once).cpu().view(self.block_shape(count))

    def write(self, time: int, frames: Tensor) -> None:
        """The other way round."""
        first = self.rows_at(time).start
        self.frames.fill(first, frames.flatten(0, 1))
