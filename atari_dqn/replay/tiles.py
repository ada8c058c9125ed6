"""Frames of a replay as tiles of 12 x 12 pixels, each different one kept once: most of a game's picture stands still.

    frame    84 x 84 pixels -> 7 x 7 tiles -> 49 numbers        196 bytes, and what it shows for the first time
    pool     number -> 144 pixels; found again by a hash of the pixels

    write    tiles that are as in the environment's frame before have its numbers; the others are looked for
    expire   the newest frame that shows a tile takes it along when it is written over

Nothing is lost and nothing is rounded: what is read is what was written, bit for bit. The pool's addresses are reserved
for the worst case, in which no tile is seen twice; memory is taken as tiles come.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import torch
from torch import Tensor

from atari_dqn import host
from atari_dqn.errors import MachineRefused
from atari_dqn.replay.layout import TILE

WORDS = TILE * TILE // 4  # of 4 bytes in a tile
ASKED_EVERY = 2**16  # new tiles (9 MB) between two looks at the memory that is left
LEFT_ALONE = 2**28  # bytes of memory that the pool leaves free
EMPTY, GONE = -1, -2  # places of the hash table
FULLEST = 0.6  # share of its places that are not empty
# odd, and without a pattern: powers of the golden ratio's first 64 bits
FACTORS = np.array([pow(0x9E3779B97F4A7C15, power, 2**64) for power in range(1, WORDS // 2 + 1)], np.uint64)


class TiledFrames:
    """Rows of frames on the host, as `PlainFrames` has them.

    Args:
      rows:       of frames; all are blank at first.
      shape:      (H, W) of a frame of bytes, multiples of 12.
      num_envs:   the frame before one of the same environment lies so many rows back, around the ring.
      num_rows:   of that ring.
      at_once:    rows that are written by one `put`; it divides `num_rows`.
    """

    def __init__(self, rows: int, shape: tuple[int, ...], *, num_envs: int, num_rows: int, at_once: int) -> None:
        self.shape, self.dtype, self.device = shape, torch.uint8, torch.device("cpu")
        self.num_envs, self.num_rows, self.at_once = num_envs, num_rows, at_once
        self.grid = (shape[0] // TILE, shape[1] // TILE)
        each = self.grid[0] * self.grid[1]
        self.numbers = np.zeros((rows, each), np.int32)  # of tiles; number 0 is the blank one
        self.put_at = np.zeros(num_rows // at_once, np.int64)  # clock when these rows were written; 0: never
        self.clear()  # touches every page: too little memory shows now, not an hour into the run

    def clear(self) -> None:
        """Make all rows blank; to be called before they are written in another order than around the ring."""
        self.numbers.fill(0)
        self.put_at.fill(0)
        self.clock = 0  # calls of `put`
        self.pool = TilePool(self.num_rows * self.numbers.shape[1] + 1)

    def put(self, first: int, frames: Tensor) -> None:
        """Write [at_once, H, W] bytes to the rows from `first` on."""
        rows = slice(first, first + self.at_once)
        expired = self.numbers[rows]
        self.pool.expire(expired, int(self.put_at[first // self.at_once]))
        self.clock += 1
        tiles = self._cut(np.ascontiguousarray(frames.numpy()))
        before = (np.arange(rows.start, rows.stop) - self.num_envs) % self.num_rows
        numbers = self.numbers[before]
        new = (self.pool.pixels[numbers] != tiles).any(axis=2)
        numbers[new] = self.pool.find(tiles[new])
        self.numbers[rows] = numbers
        self.pool.shown[numbers] = self.clock
        self.put_at[first // self.at_once] = self.clock

    def fill(self, first: int, frames: Tensor) -> None:
        """Write [n, H, W], n a multiple of `at_once`, to the rows from `first` on."""
        for k in range(0, len(frames), self.at_once):
            self.put(first + k, frames[k : k + self.at_once])

    def gather(self, rows: Tensor) -> Tensor:
        """[M] row numbers -> [M, H, W]."""
        numbers = torch.from_numpy(self.numbers).index_select(0, rows).flatten()
        tiles = torch.from_numpy(self.pool.pixels).index_select(0, numbers)
        high, wide = self.grid
        frames = tiles.view(-1, high, wide, TILE, TILE // 4).transpose(2, 3).contiguous()
        return frames.view(torch.uint8).view(-1, *self.shape)

    def span(self, first: int, count: int) -> Tensor:
        """The frames of `count` rows from `first` on, a copy."""
        return self.gather(torch.arange(first, first + count))

    @property
    def used_bytes(self) -> int:
        """Memory that is taken so far."""
        return self.numbers.nbytes + self.put_at.nbytes + self.pool.used_bytes

    def _cut(self, frames: np.ndarray) -> np.ndarray:
        """[n, H, W] uint8 -> [n, tiles of a frame, WORDS] int32."""
        high, wide = self.grid
        words = frames.view(np.int32).reshape(-1, high, TILE, wide, TILE // 4)
        return words.transpose(0, 1, 3, 2, 4).reshape(len(frames), high * wide, WORDS)


class TilePool:
    """Different tiles by number; number 0 is the blank tile, and stays.

    Args:
      most:   tiles that can be there at once.
      places: of the hash table at first; it grows.
    """

    def __init__(self, most: int, places: int = 2**12) -> None:
        self.pixels = _reserve((most, WORDS), np.int32)
        self.shown = _reserve((most,), np.int32)  # clock of the newest frame that shows a tile
        self._free = _reserve((most,), np.int32)  # numbers given back
        self._free_count = 0
        self._begun = 1  # numbers ever given out
        self._places = np.full(places, EMPTY, np.int32)  # hash table: numbers
        self._taken = 0  # places that are not empty
        self._enter(np.zeros(1, np.int32))

    def __len__(self) -> int:
        """Different tiles that are there."""
        return self._begun - self._free_count

    @property
    def used_bytes(self) -> int:
        """Memory that is taken: of numbers that were ever given out, and of the hash table."""
        one = self.pixels[0].nbytes + self.shown.itemsize
        return self._begun * one + self._free_count * self._free.itemsize + self._places.nbytes

    def find(self, tiles: np.ndarray) -> np.ndarray:
        """Numbers of [k, WORDS] tiles: [k] int32; those that are not there yet are added.

        Raises:
          MachineRefused: there is no memory for more.
        """
        self._make_room(len(tiles))
        numbers = np.full(len(tiles), EMPTY, np.int32)
        pending, place = np.arange(len(tiles)), self._home(tiles)
        while len(pending):
            found = self._places[place]
            free = found == EMPTY
            won = self._claim(place[free])
            winners = pending[free][won]
            numbers[winners] = self._add(tiles[winners], place[free][won])
            same = (found >= 0) & (self.pixels[np.maximum(found, 0)] == tiles[pending]).all(axis=1)
            numbers[pending[same]] = found[same]
            place = np.where(free | same, place, (place + 1) % len(self._places))  # who lost a place looks again
            left = numbers[pending] == EMPTY
            pending, place = pending[left], place[left]
        return numbers

    def expire(self, numbers: np.ndarray, clock: int) -> None:
        """Give back those of these tiles that no frame newer than `clock` shows."""
        last = numbers[self.shown[numbers] == clock]
        if clock == 0 or not len(last):
            return
        dead = np.unique(last)
        dead = dead[dead > 0]
        pending, place = dead, self._home(self.pixels[dead])
        while len(pending):
            found = self._places[place] == pending
            self._places[place[found]] = GONE
            pending, place = pending[~found], (place[~found] + 1) % len(self._places)
        self._free[self._free_count : self._free_count + len(dead)] = dead
        self._free_count += len(dead)

    def _home(self, tiles: np.ndarray) -> np.ndarray:
        """Where the hash table is looked at first: [k] int64."""
        words = np.ascontiguousarray(tiles).view(np.uint64)
        mixed = (words * FACTORS).sum(axis=1, dtype=np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * FACTORS[0]
        return (mixed >> np.uint64(33)).astype(np.int64) % len(self._places)

    def _claim(self, place: np.ndarray) -> np.ndarray:
        """Of several that want one empty place, which has it: [k] bool."""
        names = GONE - 1 - np.arange(len(place), dtype=np.int32)
        self._places[place] = names  # the last one stays
        won: np.ndarray = self._places[place] == names
        return won

    def _add(self, tiles: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Numbers for new tiles, which have these places of the hash table."""
        again = min(len(tiles), self._free_count)
        used = self._free[self._free_count - again : self._free_count]
        fresh = np.arange(self._begun, self._begun + len(tiles) - again, dtype=np.int32)
        numbers = np.concatenate([used, fresh])
        self._free_count -= again
        self._begun += len(fresh)
        self.pixels[numbers] = tiles
        self._places[place] = numbers
        self._taken += len(numbers)
        return numbers

    def _make_room(self, count: int) -> None:
        """See that `count` new tiles can be added."""
        fresh = max(0, count - self._free_count)
        if self._begun // ASKED_EVERY != (self._begun + fresh) // ASKED_EVERY and host.free_memory() < LEFT_ALONE:
            raise MachineRefused(
                f"{len(self):,} different tiles of the replay fill the memory ({host.free_memory() / 2**30:.2f} GiB "
                "are free); older checkpoints are intact. Go on from them with --resume on a machine with more, or "
                "start again with a lower --capacity"
            )
        if self._taken + count > FULLEST * len(self._places):
            there = self._places[self._places >= 0]
            size = len(self._places)
            while len(there) + count > FULLEST / 2 * size:
                size *= 2
            self._places = np.full(size, EMPTY, np.int32)
            self._taken = 0
            for first in range(0, len(there), ASKED_EVERY):
                self._enter(there[first : first + ASKED_EVERY])

    def _enter(self, numbers: np.ndarray) -> None:
        """Put tiles that differ from all others into the hash table."""
        self._taken += len(numbers)
        place = self._home(self.pixels[numbers])
        while len(numbers):
            free = np.flatnonzero(self._places[place] == EMPTY)
            entered = free[self._claim(place[free])]
            self._places[place[entered]] = numbers[entered]
            left = np.ones(len(numbers), bool)
            left[entered] = False
            numbers, place = numbers[left], (place[left] + 1) % len(self._places)


def _reserve(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Zeros whose memory is taken when they are first written to, as far as the system lets one have it so."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    lazily = getattr(mmap, "MAP_NORESERVE", None)  # Linux
    flags = {} if lazily is None else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | lazily}
    return np.frombuffer(mmap.mmap(-1, size, **flags), dtype).reshape(shape)
