"""The process beside a run that ends it when it hangs: `python watcher.py PROCESS SECONDS`.

The run writes into a pipe, standard input here, whenever it moves. A process that is stopped (`kill -STOP`, Ctrl-Z, a
debugger, a closed laptop) does not hang: that time is not counted, which no clock of its own could tell. The signal to
show its stacks is SIGURG, which nobody else sends to it.
"""

import os
import select
import signal
import subprocess
import sys
import time

TICK_SECONDS = 1.0
SHOWING_SECONDS = 2.0  # for the stacks of all threads, before the end


def main() -> None:
    """Wait for a hang, or for the end of the run."""
    process, patience, waited = int(sys.argv[1]), float(sys.argv[2]), 0.0
    while waited < patience:
        if select.select([0], [], [], TICK_SECONDS)[0]:
            waited = 0.0
            if not os.read(0, 4096):
                return  # it ended, or is no longer watched
        elif not is_stopped(process):
            waited += TICK_SECONDS
    if os.getppid() == process:
        os.kill(process, signal.SIGURG)
        time.sleep(SHOWING_SECONDS)
        os.kill(process, signal.SIGKILL)


def is_stopped(process: int) -> bool:
    """Is it stopped by a signal or a debugger?"""
    try:
        with open(f"/proc/{process}/stat", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
    except OSError:  # no Linux, or it has ended
        told = subprocess.run(["ps", "-o", "state=", "-p", str(process)], capture_output=True, text=True, check=False)
        state = told.stdout.strip()
    return state[:1] in ("T", "t")


if __name__ == "__main__":
    main()
