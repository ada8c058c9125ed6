"""The command line of a suite's job: `python -m atari_dqn.tether PARENT train pong ...`.

It is `python -m atari_dqn train pong ...`, but when the process PARENT dies, even by SIGKILL, this one gets a SIGTERM:
it saves and ends, and its run can go on elsewhere. Only Linux can do this; elsewhere such a job goes on alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def main() -> None:
    """Tie this process to its parent, then be the command line."""
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(128 + signal.SIGTERM)
    from atari_dqn.cli import main as command_line

    sys.exit(command_line(sys.argv[2:]))


if __name__ == "__main__":
    main()
