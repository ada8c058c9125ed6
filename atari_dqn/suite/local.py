"""The jobs of a suite on this machine, some side by side."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence

import torch

from atari_dqn.suite.jobs import POLL_SECONDS, JobRun, stop_signals
from atari_dqn.suite.table import Table


def run(runs: Sequence[JobRun], *, slots: int, table: Table) -> int | None:
    """Run the jobs, `slots` of them side by side; one that waits for another process lets the next one go first.

    The first signal (Ctrl-C, SIGTERM) lets the running processes save and end; a second one ends them at once.

    Returns:
      The number of the signal that ended it, None if the jobs did.
    """
    queue, active = deque(runs), dict[int, JobRun]()
    with stop_signals() as caught:
        while (queue or active) and not caught:
            for slot, job_run in list(active.items()):
                if job_run.poll():
                    del active[slot]
                elif job_run.waits and queue:
                    queue.append(active.pop(slot))
            for slot in range(min(slots, len(runs))):
                while queue and slot not in active:
                    job_run = queue.popleft()
                    job_run.environment.update(gpu_of(slot, job_run.job.config.machine.device))
                    if not job_run.poll():
                        active[slot] = job_run
            table.show(runs)
            if active:
                time.sleep(POLL_SECONDS)
        _stop(runs, caught)
    return caught[0] if caught else None


def _stop(runs: Sequence[JobRun], caught: list[int]) -> None:
    if not caught:
        return
    for job_run in runs:
        job_run.stop()
    killed = False
    while any(job_run.alive() for job_run in runs):
        if len(caught) > 1 and not killed:
            killed = True
            for job_run in runs:
                job_run.stop(kill=True)
        time.sleep(POLL_SECONDS)


def gpu_of(slot: int, device: str) -> dict[str, str]:
    """The GPU of a slot, as an environment variable, where there are several and the jobs do not name one."""
    if device not in ("auto", "cuda"):
        return {}
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]
    return {"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} if len(gpus) > 1 else {}
