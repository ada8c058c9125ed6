"""Good ends of a run: a signal or a broken game makes it save; a process that hangs is ended."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from atari_dqn.dqn.trainer import Trainer
from atari_dqn.errors import GameError

HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
HANG_SECONDS = 600.0  # without a vector step, even for the slowest disk to take a checkpoint
TELL_SECONDS = 1.0  # between signs of life


class Watchdog:
    """Unless `alive` is called again in time, the stacks of all threads go to stderr and the process is killed.

    A process beside this one sees to it, see watcher.py: it works while an emulator or a kernel holds Python still.
    Nothing can be saved then, so `--resume` goes on from the newest checkpoint.

    It watches from its first `alive` to its `close`.

    Args:
      seconds: how long nothing may move, while the process is not stopped.
    """

    def __init__(self, seconds: float = HANG_SECONDS) -> None:
        self.seconds = seconds
        self._watcher: subprocess.Popen[bytes] | None = None
        self._told_at = -TELL_SECONDS

    def alive(self) -> None:
        """The process moves; cheap enough for every step."""
        now = time.monotonic()
        if now - self._told_at < TELL_SECONDS:
            return
        self._told_at = now
        if not hasattr(faulthandler, "register"):  # Windows, where nothing stops a process and lets it go on
            faulthandler.dump_traceback_later(self.seconds, exit=True, file=sys.__stderr__ or 2)
            return
        self._watcher = self._watcher or self._start()
        assert self._watcher.stdin
        with suppress(BlockingIOError, BrokenPipeError):  # it is stopped, or was killed
            os.write(self._watcher.stdin.fileno(), b".")

    def _start(self) -> subprocess.Popen[bytes]:
        faulthandler.register(signal.SIGURG, file=sys.__stderr__ or 2, all_threads=True)
        watcher = Path(__file__).with_name("watcher.py")
        started = subprocess.Popen(
            [sys.executable, "-I", "-S", str(watcher), str(os.getpid()), str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the run
        )
        assert started.stdin
        os.set_blocking(started.stdin.fileno(), False)
        return started

    def close(self) -> None:
        """Stop watching."""
        watcher, self._watcher, self._told_at = self._watcher, None, -TELL_SECONDS
        if watcher is not None:
            watcher.communicate()  # closes the pipe, which ends it
            faulthandler.unregister(signal.SIGURG)
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def stopped_by_signals(trainer: Trainer) -> Iterator[list[int]]:
    """First Ctrl-C, SIGTERM or SIGHUP: end after this vector step and save. Second: stop at once.

    A terminal that is closed may send SIGHUP twice, so the second one of these is nothing. A signal that was ignored
    stays so: `nohup` ignores SIGHUP.

    Only the main thread of a process may handle signals; elsewhere they stay as they are.
    """
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def request_stop(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        trainer.stop_requested = True
        signal.signal(number, signal.SIG_IGN if number == HANG_UP else signal.SIG_DFL)

    before = {number: signal.signal(number, request_stop) for number in not_ignored()}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def saved_where_a_game_breaks(trainer: Trainer) -> Iterator[None]:
    """A game that fails ends the run and costs none of it: all but the game is sound, and saved.

    In training the run is saved within its vector step, whose actions are played again by a resume. Where groups take
    turns, others may be within theirs, and the newest checkpoint is what remains.

    Raises:
      GameError: as it was raised within, and where the run goes on.
    """
    try:
        yield
    except GameError as error:
        if trainer.saver is None or trainer.replay.is_empty or not trainer.turns.can_be_saved:
            raise
        trainer.save()
        trainer.saver.wait()
        raise GameError(
            f"{error}. The run is saved at step {trainer.step:,}: mend the game, then go on with --resume"
        ) from error


def not_ignored() -> list[signal.Signals]:
    """The signals that ask a process to end, but for those that whoever started it had it ignore."""
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, HANG_UP) if number is not None]
    return [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
