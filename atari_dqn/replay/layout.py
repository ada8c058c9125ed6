"""What a replay is to hold and what that costs, known before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atari_dqn.errors import UsageError
from atari_dqn.types import Screens

OLDEST_AGE = 255  # ages of rows saturate here; stacks are shorter
TILE = 12  # pixels of a side; see `tiles.py`
TILED_FRAME_BYTES = 1_800  # expected at most, of a tiled frame: 12 games of the Arcade Learning Environment took fewer


@dataclass(frozen=True)
class ReplayLayout:
    """Sizes of a replay: rows, and bytes of memory."""

    capacity: int
    """Transitions kept, all environments together (rounded up to a multiple of `num_envs`)."""
    num_envs: int
    frame_shape: tuple[int, ...]
    frame_dtype: str
    """numpy name of the frame's type."""
    frame_stack: int
    """K, frames in an observation, in [1, 255]."""
    n_step: int = 1
    """Rewards between an observation and its bootstrap."""
    groups: int = 1
    """Groups of environments that are written in turns (see `envs/in_turns.py`); they divide `num_envs`."""
    repeat_first_frame: bool = False
    """Planes of a stack before an episode's first frame show that frame; else they are blank."""
    tiles: bool = False
    """Frames lie as tiles, each different one once; see `tiles.py`."""
    screens: Screens | None = None
    """What arrives, if not frames: pairs of screens, to be made into frames here."""

    def __post_init__(self) -> None:
        if not 1 <= self.frame_stack <= OLDEST_AGE:
            raise UsageError(f"frame_stack is {self.frame_stack}; it must lie in [1, {OLDEST_AGE}]")
        pictures = self.frame_dtype == "uint8" and len(self.frame_shape) == 2
        if self.tiles and not (pictures and all(side % TILE == 0 for side in self.frame_shape)):
            raise UsageError(
                f"replay_tiles is on, but frames are {self.frame_shape} of {self.frame_dtype}: tiles are of pictures "
                f"whose sides are multiples of {TILE}; use --no-replay-tiles"
            )

    @property
    def usable_per_env(self) -> int:
        return math.ceil(self.capacity / self.num_envs)

    @property
    def rows_per_env(self) -> int:
        # the oldest rows only complete stacks, the newest wait for what follows
        return self.usable_per_env + (self.frame_stack - 1) + self.n_step

    @property
    def envs_at_once(self) -> int:
        return self.num_envs // self.groups

    @property
    def frame_bytes(self) -> int:
        """Of all frames; of tiles what is expected at most."""
        if self.tiles:
            return (self.rows_per_env * self.num_envs + 1) * TILED_FRAME_BYTES
        one = math.prod(self.frame_shape) * np.dtype(self.frame_dtype).itemsize
        return (self.rows_per_env * self.num_envs + 1) * one

    @property
    def host_bytes(self) -> int:
        return 11 * self.rows_per_env * self.num_envs


def refuse_other_sizes(owner: object, arrays: Sequence[str], state: Mapping[str, Any]) -> None:
    """Compare stored arrays with the attributes of `owner` that they are to fill.

    Raises:
      UsageError: the shapes differ.
    """
    for name in arrays:
        mine, theirs = getattr(owner, name).shape, tuple(state[name].shape)
        if mine != theirs:
            raise UsageError(f"the stored replay's {name} is {theirs}, this run's is {mine}: use the same config")
