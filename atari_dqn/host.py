"""What the host gives this process: cores, memory and threads within the limits of its container and shell, a display.

                 version 2                          version 1
    memory       memory.max - memory.current        memory/memory.limit_in_bytes - memory.usage_in_bytes
    cores        cpu.max: quota period              cpu/cpu.cfs_quota_us, cpu.cfs_period_us

A limit may stand in the process's own group or in any group above it. Pages that only cache files count as used there,
and are given back when memory is asked for; `memory.stat` says how many they are.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from atari_dqn.errors import UsageError

OWN_GROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
TORCH_BYTES = 720 * 2**20  # of addresses: 583 MiB torch alone, and a run of CartPole ends well from here on
CACHES = ("active_file", "inactive_file", "slab_reclaimable")  # of memory.stat; version 1 writes total_ before them


def cores() -> int:
    """Cores that this process may keep busy, at least one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *(int(share) for group in _groups("cpu") for share in _cpu_quota(group))]))


def free_memory() -> int:
    """Bytes that can still be allocated."""
    return min([psutil.virtual_memory().available, *(left for group in _groups("memory") for left in _memory(group))])


def refuse_little_address_space() -> None:
    """Ask whether torch can be loaded, before that is tried: where it cannot, its C++ ends the process with a signal.

    Raises:
      UsageError: the addresses of this process are limited to too few bytes.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < TORCH_BYTES:
        raise UsageError(
            f"the memory of this process is limited to {limit // 1024:,} kB, and torch with a small network needs "
            f"{TORCH_BYTES // 1024:,}; raise the limit (ulimit -v)"
        )


def refuse_few_threads(needed: int) -> None:
    """Ask whether so many threads can be had, by starting them: libraries that get none crash, hang or exit.

    Raises:
      UsageError: a limit of the shell (ulimit -u) or of the container leaves fewer.
    """
    started: list[threading.Thread] = []
    end = threading.Event()
    try:
        for _ in range(needed):
            thread = threading.Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise UsageError(
            f"about {needed} threads and processes are needed, and no more than {len(started)} can be started; raise "
            "the limit (ulimit -u, or pids of the container), or lower --env-threads and --torch-threads"
        ) from error
    finally:
        end.set()
        for thread in started:
            thread.join()


def may_have_cuda() -> bool:
    """Ask for the driver of a GPU, which torch needs for one, without torch, which takes seconds; False is certain."""
    if sys.platform == "darwin":
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()  # torch calls AMD's GPUs cuda, too
    return True


def has_display() -> bool:
    """Can a window be opened here, or did the user choose where SDL, the library of windows, draws?"""
    chosen = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")
    return sys.platform != "linux" or any(os.environ.get(name) for name in chosen)


def used_memory() -> int:
    """Bytes of memory that this process holds, without its worker processes."""
    return int(psutil.Process().memory_info().rss)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that this process is in, its own first, then those above it."""
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = GROUPS / controller if controllers else GROUPS
        yield from (root / part for part in _upwards(path))


def _upwards(path: str) -> Iterator[str]:
    """`/a/b` -> a/b, a, and the root; one that leads out of a container's own view is the root alone."""
    parts = [part for part in path.split("/") if part]
    for length in range(0 if ".." in parts else len(parts), -1, -1):
        yield "/".join(parts[:length])


def _memory(group: Path) -> Iterator[int]:
    """What a group leaves, if it has a limit; nothing otherwise."""
    for limit, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        with suppress(ValueError):  # no such file, or the word max
            most, now = int(_text(group / limit)), int(_text(group / used))
            yield max(0, most - now + _cached(group))


def _cached(group: Path) -> int:
    lines = (line.split() for line in _text(group / "memory.stat").splitlines())
    table = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdecimal()}
    return sum(table.get(f"total_{name}", table.get(name, 0)) for name in CACHES)


def _cpu_quota(group: Path) -> Iterator[float]:
    """Cores' worth of time that a group may use; nothing where there is no limit."""
    version_1 = f"{_text(group / 'cpu.cfs_quota_us')} {_text(group / 'cpu.cfs_period_us')}"
    for text in (_text(group / "cpu.max"), version_1):
        with suppress(ValueError, ZeroDivisionError):  # no such file, or the word max
            quota, period = map(int, text.split())
            if quota > 0:  # -1: no limit
                yield quota / period


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
