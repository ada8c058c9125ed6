"""How a run ends well: a signal asks it to save, and a process that no longer moves is ended."""

from __future__ import annotations

import faulthandler
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from atari_dqn.dqn.trainer import Trainer

HANG_SECONDS = 600.0  # without a vector step, even for the slowest disk to take a checkpoint
REARM_SECONDS = 1.0  # between renewals: one costs a thread


class Watchdog:
    """Unless `alive` is called again in time, the stacks of all threads go to stderr and the process exits with 1.

    It works while an emulator or a kernel holds Python still; nothing can be saved then, so `--resume` goes on from the
    newest checkpoint.

    It watches from its first `alive` to its `close`.

    Args:
      seconds: how long nothing may move.
    """

    def __init__(self, seconds: float = HANG_SECONDS) -> None:
        self.seconds = seconds
        self._armed_at = -REARM_SECONDS

    def alive(self) -> None:
        """The process moves; cheap enough for every step."""
        now = time.monotonic()
        if now - self._armed_at >= REARM_SECONDS:
            faulthandler.dump_traceback_later(self.seconds, exit=True, file=sys.__stderr__ or 2)
            self._armed_at = now

    def close(self) -> None:
        """Stop watching."""
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def stopped_by_signals(trainer: Trainer) -> Iterator[list[int]]:
    """First SIGINT or SIGTERM: end after this vector step and save. Second: stop at once.

    Only the main thread of a process may handle signals; elsewhere they stay as they are.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def request_stop(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        trainer.stop_requested = True
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
