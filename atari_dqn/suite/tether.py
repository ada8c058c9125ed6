"""The command line of a suite's job: `python -m atari_dqn.suite.tether PARENT train pong ...`.

It is `python -m atari_dqn train pong ...`, but when the process PARENT dies, even by SIGKILL, this one gets a SIGTERM:
it saves and ends, and its run can go on elsewhere. Where a child does not see that its parent died (Windows), such a
job goes on alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

LOOK_SECONDS = 0.25


def end_with(parent: int) -> None:
    """Wait for the death of the process `parent`, then ask this one to end.

    Once: Linux can send a signal by itself (PR_SET_PDEATHSIG), but does so for each thread of the parent that dies, and
    a second SIGTERM means to stop without saving.
    """
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Tie this process to its parent, then be the command line."""
    if hasattr(signal, "SIGUSR2"):  # Slurm may send it to every process of a job; the one that started us answers it
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), daemon=True).start()
    from atari_dqn.cli import main as command_line

    sys.exit(command_line(sys.argv[2:]))


if __name__ == "__main__":
    main()
