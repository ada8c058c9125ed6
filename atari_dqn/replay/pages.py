"""Many gigabytes of memory, whose pages the kernel provides while other work goes on.

The first touch is what a large block of memory costs: seconds, for which the start of a run would stand still.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
from threading import Thread

import torch
from torch import Tensor

MADV_POPULATE_WRITE = 23  # Linux 5.14: provides pages, and leaves what is in them
PIECE = 2**24  # bytes of one call, whole pages; who asks for memory meanwhile does not wait for long


def blank(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros on the host: [*shape] of `dtype`, at once.

    All pages are touched, so that too little memory shows now, not an hour into the run: on Linux by a thread,
    elsewhere before this returns.

    Raises:
      MemoryError: there are not as many addresses (`ulimit -v`).
    """
    size = math.prod(shape) * dtype.itemsize
    if size < PIECE or not sys.platform.startswith("linux"):
        return torch.zeros(shape, dtype=dtype)
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes: {error.strerror}") from error
    pixels = torch.frombuffer(memory, dtype=dtype).view(shape)
    Thread(target=_touch, args=(pixels,), name="pages", daemon=True).start()
    return pixels


def _touch(memory: Tensor) -> None:
    """Have the kernel provide every page; an older kernel provides them when they are written to."""
    madvise = ctypes.CDLL(None).madvise  # mmap's own one keeps Python's lock
    address, size = memory.data_ptr(), memory.nbytes
    for begin in range(0, size, PIECE):
        if madvise(ctypes.c_void_p(address + begin), ctypes.c_size_t(min(PIECE, size - begin)), MADV_POPULATE_WRITE):
            return
