"""Checkpoints of a run, written while it goes on.

What changes from update to update (networks, moments, counters) is copied at once; the frames, most of the bytes, are
written by a thread from the ring itself, since rows that are written once stand still until the ring comes round.

    save:  copy the small state -> thread: new segment of frames -> checkpoint -> delete what is no longer needed
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch

from atari_dqn.replay.frames import FrameRing
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments
from atari_dqn.storage.schema import CheckpointError
from atari_dqn.storage.steps import list_steps, step_directory

CHECKPOINTS_KEPT = 2  # the newest ones; the best is kept besides


class Saver:
    """Writes the checkpoints of one run, one at a time.

    Args:
      folder:      where they go.
      ring:        frames that go with them.
      store:       where its frames are; those it holds already are not written again.
      save_frames: no: checkpoints without the replay.
      check:       raises a UsageError if the folder is no longer ours to write to.

    Attributes:
      written: checkpoints that have become whole, for whoever takes them out; the newest ones only.
    """

    def __init__(
        self,
        folder: Path,
        ring: FrameRing,
        store: FrameSegments,
        *,
        save_frames: bool = True,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.ring, self.store = folder, ring, store
        self.save_frames, self.check = save_frames, check
        self.written: deque[Path] = deque(maxlen=CHECKPOINTS_KEPT)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="saver")
        self._writing: Future[None] | None = None
        self._reads_from = 0  # time of the oldest frame that the thread still reads

    def save(self, step: int, state: Mapping[str, Any], meta: Mapping[str, Any], *, best_step: int) -> None:
        """Begin to write the checkpoint of an agent step; then delete older ones.

        Args:
          step:      of the checkpoint.
          state:     copied before this returns.
          meta:      see `checkpoint.save`.
          best_step: its checkpoint is kept; -1 for none.

        Raises:
          UsageError: the disk refused the save before this one, which is waited for.
        """
        self.wait()
        times = self.ring.times
        self._reads_from = max(times[0], self.store.written_until + 1)
        self._writing = self._thread.submit(
            self._write,
            step,
            checkpoint.snapshot(state),
            {**meta, "best_step": best_step},
            times,
            self._after_play_so_far(),
        )

    def _after_play_so_far(self) -> AbstractContextManager[Any]:
        """Work within sees the frames as the GPU has them now; on the host they simply are there."""
        if self.ring.device.type != "cuda":
            return nullcontext()
        stream = torch.cuda.Stream(self.ring.device)
        stream.wait_stream(torch.cuda.current_stream(self.ring.device))
        return torch.cuda.stream(stream)

    def _write(
        self,
        step: int,
        snapshot: checkpoint.Snapshot,
        meta: dict[str, Any],
        times: tuple[int, int],
        after_play_so_far: AbstractContextManager[Any],
    ) -> None:
        self.check()
        with after_play_so_far:
            meta["frames"] = self.store.write(self.ring, times, step) if self.save_frames else []
        directory = step_directory(self.folder, step)
        checkpoint.write(directory, snapshot, meta)
        newest = list_steps(self.folder)[-CHECKPOINTS_KEPT:]
        # should the newest be damaged, the one before it is gone on from: its best one must be there, too
        checkpoint.prune(self.folder, keep=CHECKPOINTS_KEPT, protect=set(map(_best, newest)))
        self.store.prune(newest)
        self.written.append(directory)

    def close(self) -> None:
        """End the thread, after the save in progress."""
        self._thread.shutdown()

    def before_add(self) -> None:
        """To be called before the replay takes the next frames: they must not replace any that are being written.

        Raises:
          UsageError: the disk refused the save in progress.
        """
        if self._writing is None:
            return
        replaced = self.ring.time + 1 - self.ring.num_times
        if self._writing.done() or (self.save_frames and replaced >= self._reads_from):
            self.wait()

    def wait(self) -> None:
        """Return when the save in progress, if any, is on the disk.

        Raises:
          UsageError: the disk refused it; older checkpoints are untouched.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


def _best(directory: Path) -> Path:
    """The best checkpoint at the time of this one; a damaged one needs none."""
    with suppress(CheckpointError):
        return step_directory(directory.parent, checkpoint.read_meta(directory).get("best_step", -1))
    return directory
