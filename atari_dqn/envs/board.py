"""Memory that a run shares with its worker processes: what is to be done, what came of it, and who sleeps.

Memory without a name, handed on as a file descriptor: it goes with its processes, whatever ends them, and needs no room
in /dev/shm. Every word of the control block has one writer and a cache line of its own.

    run     writes  orders of a group (so far), the order itself, actions, seeds     then rings sleeping workers
    worker  writes  pictures, rewards, flags                                         then its count of orders done
"""

from __future__ import annotations

import mmap
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LINE = 64  # bytes of a cache line
PAGE = 4096
TERMINATED, TRUNCATED, STARTED, FINISHED = 1, 2, 4, 8  # bits of a game's flags
RESET, PLAY, SAVE, LOAD = range(4)  # orders

_lock = threading.Lock()


def fence() -> None:
    """What this process wrote before is seen by others before what it writes next, and read next is read after."""
    with _lock:
        pass


@dataclass(frozen=True)
class BoardLayout:
    """Sizes of a board."""

    num_envs: int
    """Of all groups."""
    groups: int
    """Groups of environments that take turns; they divide `num_envs`."""
    workers: int
    picture_shape: tuple[int, ...]
    """Of one environment: a frame, or two screens."""
    buffers: int
    """Pictures kept of each environment: with 2, those of a step stay while the next is played."""
    saved_bytes: int
    """Room for the state of a game."""
    spin_seconds: float = 0.0
    """How long who waits looks on before sleeping."""

    @property
    def raw(self) -> bool:
        """Are pictures screens, to become frames elsewhere?"""
        return len(self.picture_shape) == 3


class Board:
    """The shared memory as arrays.

    Args:
      layout: sizes; the same for all who share it.
      file:   descriptor of the memory; None makes new memory, zeros.

    Attributes:
      orders:   [groups] how many orders a group has been given.
      order:    [groups] the newest of them.
      buffer:   [groups] which buffer its pictures go to.
      done:     [workers * groups] how many of a group's orders a worker has carried out.
      asleep:   [workers] is the worker about to wait for its bell?
      waited:   [1] number of the group that the run sleeps for, plus 1; 0 while it is awake.
      action:   [N] uint8.
      seed:     [N] int64, of the next episode's stream; -1: the stream goes on.
      reward:   [N] int64.
      flags:    [N] uint8.
      pictures: [buffers, N, *picture_shape] uint8.
      saved:    [N, saved_bytes] uint8, with `saved_length` [N] int64.
    """

    def __init__(self, layout: BoardLayout, file: int | None = None) -> None:
        self.layout = layout
        n, groups, workers = layout.num_envs, layout.groups, layout.workers
        words = 3 * groups + workers * groups + workers + 1
        parts: dict[str, tuple[tuple[int, ...], type]] = {
            "_control": ((words, LINE // 8), np.int64),
            "action": ((n,), np.uint8),
            "seed": ((n,), np.int64),
            "reward": ((n,), np.int64),
            "flags": ((n,), np.uint8),
            "saved_length": ((n,), np.int64),
            "saved": ((n, layout.saved_bytes), np.uint8),
            "pictures": ((layout.buffers, n, *layout.picture_shape), np.uint8),
        }
        begins, size = {}, 0
        for name, (shape, dtype) in parts.items():
            begins[name] = size
            size += -(-int(np.prod(shape)) * np.dtype(dtype).itemsize // PAGE) * PAGE
        self.file = _new_memory(size) if file is None else file
        self.memory = mmap.mmap(self.file, size)
        for name, (shape, dtype) in parts.items():
            array: np.ndarray = np.ndarray(shape, dtype, self.memory, begins[name])
            setattr(self, name, array)
        first = 0
        counts = {"orders": groups, "order": groups, "buffer": groups, "done": workers * groups, "asleep": workers}
        for name, count in (counts | {"waited": 1}).items():
            setattr(self, name, Words(self.memory, first, count))
            first += count

    # for the type checker: what the loops above set
    action: np.ndarray
    seed: np.ndarray
    reward: np.ndarray
    flags: np.ndarray
    saved: np.ndarray
    saved_length: np.ndarray
    pictures: np.ndarray
    orders: Words
    order: Words
    buffer: Words
    done: Words
    asleep: Words
    waited: Words

    def all_done(self, group: int) -> bool:
        """Have all workers carried out all orders of a group?"""
        wanted, groups = self.orders[group], self.layout.groups
        return all(self.done[place] == wanted for place in range(group, self.layout.workers * groups, groups))

    def games_of(self, worker: int, group: int) -> range:
        """The environments of a group that a worker plays: dealt out in turns, so that no worker has two more."""
        size = self.layout.num_envs // self.layout.groups
        first = group * size
        return range(first + (worker - first) % self.layout.workers, first + size, self.layout.workers)


class Words:
    """Whole numbers, each on a cache line of its own. Faster than an array, for one number at a time."""

    def __init__(self, memory: mmap.mmap, first: int, count: int) -> None:
        self._words = memoryview(memory).cast("q")[first * LINE // 8 : (first + count) * LINE // 8]

    def __getitem__(self, index: int) -> int:
        return self._words[index * LINE // 8]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index * LINE // 8] = value


def spin_until(ready: Callable[[], bool], seconds: float) -> bool:
    """Look for a moment whether something has happened, letting others have the core in between."""
    end = time.perf_counter() + seconds
    while not ready():
        if time.perf_counter() >= end:
            return False
        os.sched_yield()
    return True


def _new_memory(size: int) -> int:
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("atari_dqn")
    else:
        with tempfile.TemporaryFile() as whole:
            file = os.dup(whole.fileno())
    os.ftruncate(file, size)
    return file
