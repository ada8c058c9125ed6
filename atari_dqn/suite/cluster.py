"""What the engines of clusters, `on_ray.py` and `on_slurm.py`, share: jobs to send, what a node does, lost jobs."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from atari_dqn.safe_files import open_to_append
from atari_dqn.suite.jobs import LOG, POLL_SECONDS, Job, JobRun, next_stage

LOST_AT_MOST = 20  # times that a job may be lost with its node


def unfinished(runs: Sequence[JobRun]) -> Iterator[JobRun]:
    """The jobs that have something left to do; the others are noted as finished."""
    for job_run in runs:
        if next_stage(job_run.job, job_run.settings) is None:
            job_run.state, job_run.note = "finished", "finished before"
        else:
            yield job_run


def begin_log(job: Job, node: str) -> None:
    """Write into the job's log where it goes on; `node` is the cluster's word for the place."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with open_to_append(job.folder / LOG) as log:
        log.write(f"# {node} on {socket.gethostname()}\n")


def end(job_run: JobRun) -> None:
    """Let its process save, and wait until it is gone."""
    job_run.stop()
    while job_run.alive():
        time.sleep(POLL_SECONDS)


def may_go_on(job_run: JobRun, lost: Counter[Job]) -> bool:
    """Is a job that was lost with its node sent again? `lost` counts the times, and `job_run` says which."""
    lost[job_run.job] += 1
    if lost[job_run.job] > LOST_AT_MOST:
        job_run.state, job_run.note = "failed", f"{job_run.note}, {LOST_AT_MOST} times already"
        return False
    job_run.note += ", sent again: it goes on from its checkpoint"
    return True
