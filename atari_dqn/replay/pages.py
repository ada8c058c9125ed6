"""Many gigabytes of memory, whose pages the kernel provides while other work goes on.

The first touch is what a large block of memory costs: seconds, for which the start of a run would stand still.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
import time
import weakref
from threading import Thread

import torch
from torch import Tensor

MADV_POPULATE_WRITE = 23  # Linux 5.14: provides pages, and leaves what is in them
SMALL = 2**24  # bytes that are touched at once
PIECE = 2**20  # bytes of one call, whole pages: a third of a millisecond, for which who asks for memory waits
PAUSE = 0.005  # seconds between two calls: 200 MB/s, faster than frames come, and a tenth of a core at most


def blank(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros on the host: [*shape] of `dtype`, at once.

    All pages are touched, so that too little memory shows now, not an hour into the run: on Linux by a thread,
    elsewhere before this returns.

    Raises:
      MemoryError: there are not as many addresses (`ulimit -v`).
    """
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL or not sys.platform.startswith("linux"):
        return torch.zeros(shape, dtype=dtype)
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes: {error.strerror}") from error
    pixels = torch.frombuffer(memory, dtype=dtype).view(shape)
    Thread(target=_touch, args=(weakref.ref(pixels), pixels.data_ptr(), size), name="pages", daemon=True).start()
    return pixels


def _touch(pixels: weakref.ref[Tensor], address: int, size: int) -> None:
    """Have the kernel provide every page while there are `pixels`; an older one provides them when they are written to.

    Not as fast as it can: two cores have emulators and a network to start, and an evaluation beside this one took two
    and a half times as long.
    """
    madvise = ctypes.CDLL(None).madvise  # mmap's own one keeps Python's lock
    for begin in range(0, size, PIECE):
        if pixels() is None:
            return
        if madvise(ctypes.c_void_p(address + begin), ctypes.c_size_t(min(PIECE, size - begin)), MADV_POPULATE_WRITE):
            return
        time.sleep(PAUSE)
