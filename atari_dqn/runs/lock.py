"""Who may write in a run folder: one process at a time, and only into files that are the folder's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from atari_dqn.errors import UsageError
from atari_dqn.safe_files import open_to_append, refuse_kind

PID_LENGTH = 20
WRITTEN = ("lock", "metrics.jsonl", "evals.csv", "checkpoints", "evaluations", "videos", "suite.log", "wandb")
"""What a run, its evaluations and its suite write in a run folder, besides files that are replaced as a whole."""


@contextmanager
def lock(path: Path) -> Iterator[Callable[[], None]]:
    """Keep other processes from training in a run folder; the lock of a dead process is void.

    Yields:
      Raises a UsageError if the folder at this path is no longer the one that was locked.

    Raises:
      UsageError: another process is training here, or a link would lead what is written elsewhere.
    """
    refuse_links(path)
    with open_to_append(path / "lock") as file:
        if not lock_descriptor(file.fileno(), blocking=False):
            raise UsageError(_taken(path, _holder(file)))
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()

        def check() -> None:
            with suppress(OSError):
                if os.path.samestat(os.stat(path / "lock"), os.fstat(file.fileno())):
                    return
            raise UsageError(
                f"{path} was deleted or moved while this process trained there, so nothing more is written; "
                "move it back and go on from its newest checkpoint with --resume, or start again"
            )

        try:
            yield check
        except (OSError, UsageError):
            check()  # if that is why, it says so
            raise


def in_use(path: Path) -> str | None:
    """The number of the process that trains in a run folder; None if there is none."""
    try:
        if (path / "lock").exists():
            with open_to_append(path / "lock") as file:
                return None if lock_descriptor(file.fileno(), blocking=False) else _holder(file)
    except OSError:  # none that could be locked
        pass
    return None


def refuse_in_use(path: Path) -> None:
    """Raises UsageError if another process trains in a run folder; only a `lock` keeps that from changing."""
    if (holder := in_use(path)) is not None:
        raise UsageError(_taken(path, holder))


def _taken(path: Path, holder: str) -> str:
    return f"process {holder} is training in {path}; wait for it, stop it, or choose another --run-dir"


def _holder(lock: IO[str]) -> str:
    """The number that the process which holds a lock wrote into it."""
    try:
        lock.seek(0)
        return lock.read(PID_LENGTH).strip() or "unknown"
    except (OSError, UnicodeDecodeError):  # Windows lets nobody else read what is locked
        return "unknown"


def refuse_links(path: Path) -> None:
    """Refuse to write into a run folder in which a link, a pipe or a device stands where a run writes.

    Raises:
      UsageError: naming it.
    """
    checkpoints = path / "checkpoints"
    inside = [
        entry for folder in (checkpoints, checkpoints / "frames") if folder.is_dir() for entry in folder.iterdir()
    ]
    for entry in [*(path / name for name in WRITTEN), *inside]:
        try:
            refuse_kind(entry, os.lstat(entry))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UsageError(
                f"{entry} {error.strerror}, and nothing is written through it: remove it, or choose another folder"
            ) from error
