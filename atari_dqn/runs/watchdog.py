"""Ends a process that no longer moves, and shows where it stood."""

from __future__ import annotations

import faulthandler
import sys
import time

REARM_SECONDS = 1.0  # between renewals: one costs a thread


class Watchdog:
    """Unless `alive` is called again in time, the stacks of all threads go to stderr and the process exits with 1.

    It works while an emulator or a kernel holds Python still; nothing can be saved then, so `--resume` goes on from the
    newest checkpoint.

    Args:
      seconds: how long nothing may move.
    """

    def __init__(self, seconds: float) -> None:
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
