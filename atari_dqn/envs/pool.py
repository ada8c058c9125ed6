"""Worker processes that play games for a run: started, told what to do, waited for, missed when they die, ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from atari_dqn.envs.atari import SIZE, AtariRules
from atari_dqn.envs.board import Board, BoardLayout, fence, spin_until
from atari_dqn.envs.emulator import EmulatorSettings, emulator_of
from atari_dqn.envs.palette import has_ntsc_colours, luminance_table
from atari_dqn.errors import UsageError
from atari_dqn.host import cores
from atari_dqn.types import Screens

LOOK_SECONDS = 0.1  # between looks at whether the workers still live, while nothing comes
HANG_LOOKS = 3000  # of those in a row without any answer: a worker hangs
STATE_SLACK = 4096  # bytes for what is saved besides the emulator, and for states that grow
SPIN_SECONDS = 5e-5  # about what a wake-up takes
MANY_CORES = 8  # from so many on: where there are few, looking takes them from those who play (6 % on two cores)
END_SECONDS = 5.0  # for a worker to end by itself


class WorkerPool:
    """Worker processes that play N games, in groups that take turns.

    Args:
      rules:       how they are played.
      num_envs:    N, of all groups.
      groups:      G; they divide N.
      num_workers: processes, 0 for one per core.
      raw:         hand out pairs of screens as they are (see `EnvSpec.screens`), not frames.

    Raises:
      UsageError: this system cannot hand open files to a process (Windows), or the game has no such mode.
    """

    def __init__(
        self, rules: AtariRules, num_envs: int, *, groups: int = 1, num_workers: int = 0, raw: bool = False
    ) -> None:
        if sys.platform == "win32":
            raise UsageError("backend is 'workers', which Windows cannot have; use native")
        probe = emulator_of(rules)
        height, width = probe.getScreenDims()
        actions = probe.getLegalActionSet() if rules.action_set == "full" else probe.getMinimalActionSet()
        names = tuple(action.name.lower() for action in actions)
        chosen = tuple(int(actions[number].value) for number in rules.chosen_actions(names).tolist())
        settings = EmulatorSettings(**dataclasses.asdict(rules), actions=chosen, colours=has_ntsc_colours(probe))
        table = luminance_table() if settings.colours else np.arange(256)
        self.spec = rules.spec(names, screens=Screens(height, width, tuple(table.tolist())) if raw else None)
        layout = BoardLayout(
            num_envs=num_envs,
            groups=groups,
            workers=min(num_workers or cores(), num_envs),
            picture_shape=(2, height, width) if raw else (SIZE, SIZE),
            buffers=2 if raw else 1,
            spin_seconds=SPIN_SECONDS if cores() >= MANY_CORES else 0.0,
            saved_bytes=len(probe.cloneState().serialize()) + STATE_SLACK,
        )
        self.board = Board(layout)
        self.board.seed[:] = -1
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # what workers say on their way out
        self._pinned = _pin(self.board.pictures) if raw else 0
        self._bell, bell = os.pipe()
        try:
            self.workers = [self._start(number, settings, bell) for number in range(layout.workers)]
        finally:
            os.close(bell)
        self._looks = 0

    def _start(self, number: int, settings: EmulatorSettings, bell: int) -> subprocess.Popen[bytes]:
        """A fresh interpreter that imports what this one would, in a session of its own: Ctrl-C is not for it."""
        job: dict[str, Any] = {"number": number, "memory": self.board.file, "bell": bell}
        job |= {"settings": dataclasses.asdict(settings), "layout": dataclasses.asdict(self.board.layout)}
        paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
        return subprocess.Popen(
            [sys.executable, "-m", "atari_dqn.envs.worker", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            pass_fds=(self.board.file, bell),
            bufsize=0,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"},
        )

    def order(self, group: int, order: int) -> None:
        """Have all workers do something with the games of a group; returns at once."""
        board = self.board
        board.order[group] = order
        fence()
        board.orders[group] += 1
        fence()
        for number, worker in enumerate(self.workers):
            if board.asleep[number]:
                assert worker.stdin is not None
                try:
                    worker.stdin.write(b"1")
                except BrokenPipeError:
                    self._refuse_dead()

    def wait(self, group: int) -> None:
        """Return when that is done.

        Raises:
          UsageError: a worker has died, or hangs.
        """
        board, self._looks = self.board, 0
        if spin_until(lambda: board.all_done(group), board.layout.spin_seconds):
            fence()
            return
        board.waited[0] = group + 1
        fence()
        while not board.all_done(group):
            if not select.select([self._bell], [], [], LOOK_SECONDS)[0]:
                self._refuse_dead()
                self._refuse_hanging()
            elif not os.read(self._bell, 4096):  # nobody is left to ring it
                self.workers[0].wait(END_SECONDS)
                self._refuse_dead()
        board.waited[0] = 0
        fence()

    def _refuse_dead(self) -> None:
        for number, worker in enumerate(self.workers):
            if (code := worker.poll()) is not None:
                self.errors.seek(0)
                told = self.errors.read().decode(errors="replace").strip().splitlines()
                reason = ": ".join([f"signal {-code}" if code < 0 else f"exit code {code}", *told[-1:]])
                raise UsageError(
                    f"worker {number} of {len(self.workers)}, which plays {self.spec.game}, has died ({reason}); "
                    "checkpoints written so far are intact: go on with --resume, or with --backend native"
                )

    def _refuse_hanging(self) -> None:
        self._looks += 1
        if self._looks >= HANG_LOOKS:
            raise UsageError(
                f"a worker that plays {self.spec.game} has not answered for {HANG_LOOKS * LOOK_SECONDS:.0f} s; "
                "checkpoints written so far are intact: go on with --resume"
            )

    def close(self) -> None:
        """End the workers."""
        for worker in self.workers:
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in self.workers:
            try:
                worker.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        self.errors.close()
        if self._bell >= 0:
            _unpin(self._pinned)
            os.close(self._bell)
            os.close(self.board.file)
            self._bell = -1


def _pin(pictures: np.ndarray) -> int:
    """Let a GPU, if there is one, read them without a copy; returns their address, 0 without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return 0
    address = pictures.ctypes.data
    if error := int(torch.cuda.cudart().cudaHostRegister(address, pictures.nbytes, 0)):
        raise UsageError(
            f"the GPU cannot be given {pictures.nbytes / 2**20:.0f} MB of memory to read screens from "
            f"(CUDA error {error}); use --resize games"
        )
    return address


def _unpin(address: int) -> None:
    if address:
        import torch

        with contextlib.suppress(RuntimeError):  # of a GPU that has failed: the run tells of it
            torch.cuda.synchronize()  # the last screens may still be on their way
        torch.cuda.cudart().cudaHostUnregister(address)
