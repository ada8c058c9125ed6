"""A training command that ends with its first update, and one JSON line: what took the time until then.

Used by `bench_startup.py`, which imports more than a start may.

    python benchmarks/first_update.py train pong --preset quick --run-dir FOLDER
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

from atari_dqn.cli import main
from atari_dqn.runs.display import Display

COMMANDED = "FIRST_UPDATE_COMMANDED"  # environment variable: `time.monotonic()` of whoever starts this
BEGAN = float(os.environ.get(COMMANDED, time.monotonic()))  # the kernel knows it in whole seconds after the boot only
stages: list[dict[str, Any]] = []


def mark(stage: str) -> None:
    """A stage begins: its name, and seconds of clock and of CPU since the process began."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # a compiler
    cpu = time.process_time() + children.ru_utime + children.ru_stime
    stages.append({"stage": stage, "at": round(time.monotonic() - BEGAN, 2), "cpu": round(cpu, 2)})


def end_with_the_first_update() -> None:
    """From now on, for the run plays and no update is a measurement's any more."""
    from atari_dqn.dqn.algorithm import DQN

    learn = DQN.learn

    def once(*args: Any, **more: Any) -> None:
        learn(*args, **more).loss.item()
        mark("the first update is done")
        print(json.dumps(stages), flush=True)
        os._exit(0)

    DQN.learn = once  # type: ignore[method-assign, assignment]


def watch(display: type[Display]) -> None:
    """Mark what a display is told."""
    doing, begin = display.doing, display.begin

    def marked_doing(self: Display, what: str) -> None:
        mark(what)
        doing(self, what)

    def marked_begin(self: Display, *args: Any) -> None:
        mark("playing until learning begins")
        begin(self, *args)
        end_with_the_first_update()

    display.doing, display.begin = marked_doing, marked_begin  # type: ignore[method-assign]


if __name__ == "__main__":
    watch(Display)
    sys.exit(main(sys.argv[1:]))
