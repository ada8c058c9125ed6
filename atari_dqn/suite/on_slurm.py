"""The jobs of a suite on a Slurm cluster, through submitit. Every node sees the runs folder and this Python.

Before the time limit of a job, and when it is preempted, Slurm sends it a signal: the run saves and ends, the job goes
back into the queue, and later goes on from its checkpoint, on whichever node. A job whose node died, or that somebody
cancelled, is sent again.

    <runs-dir>/slurm/<name of a start>/    submitit's: what each job was, said and answered; numbers of jobs come again
                     where a cluster is set up anew. Where a file `stop` appears, the jobs save and end
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.suite.cluster import begin_log, may_go_on, unfinished
from atari_dqn.suite.jobs import POLL_SECONDS, Job, JobRun, Settings, State, stop_signals
from atari_dqn.suite.table import Table

FOLDER = "slurm"  # in the runs folder
LOOK_SECONDS = 1.0  # between two looks of a node at its process and at the stop file
SAVE_SECONDS = 120  # before the time limit, for a run to save and end
STOP_SECONDS = 120.0  # for all jobs to save and end
REQUEUED_AT_MOST = 1_000  # time limits in a run; a long run meets many
QUEUE_SECONDS = 30.0  # between two looks into the queue
GONE_AFTER = 2  # looks that do not find a job; what it answered may reach this machine later than the end of it
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT"}


@dataclass(frozen=True)
class Allocation:
    """What Slurm gives to one job."""

    cpus: int
    """Cores."""
    gpus: int
    hours: float
    """Time limit in the queue; a run may take many."""
    options: Mapping[str, str]
    """More of sbatch, such as `partition` and `account`."""


def run(
    runs: Sequence[JobRun],
    *,
    runs_dir: Path,
    allocation: Allocation,
    table: Table,
    cluster: str = "slurm",
) -> int | None:
    """Run the jobs; Slurm decides how many at a time.

    Args:
      runs:       the jobs; `state` and `note` are kept up to date.
      runs_dir:   seen by every node; submitit's files go into a folder of it.
      allocation: what each job gets.
      table:      shows the jobs.
      cluster:    "local" plays Slurm on this machine, for tests.

    Returns:
      The number of the signal that ended it, None if the jobs did.

    Raises:
      UsageError: submitit is missing, this is no machine of a Slurm cluster, or Slurm refuses the options.
    """
    folder = runs_dir.absolute() / FOLDER / uuid.uuid4().hex[:12]
    executor, stop_file = make_executor(folder, allocation, cluster=cluster), folder / "stop"
    lost, queue = Counter[Job](), Queue()
    sent: dict[Job, tuple[JobRun, Any, float]] = {}  # with submitit's job, and when it was sent

    def send(job_run: JobRun) -> None:
        sent[job_run.job] = job_run, _submit(executor, job_run.job, job_run.settings, stop_file), time.time()

    for job_run in unfinished(runs):
        send(job_run)
    with stop_signals() as caught:
        while sent and not caught:
            if cluster == "slurm":
                queue.look([job.job_id for _, job, _ in sent.values()])
            for job_run, job, since in list(sent.values()):
                job_run.notice_begun(since, f"Slurm job {job.job_id}")
                if job.done() or queue.lacks(job.job_id):
                    del sent[job_run.job]
                    if not take_result(job, job_run) and may_go_on(job_run, lost):
                        send(job_run)
            table.show(runs)
            time.sleep(POLL_SECONDS)
        if caught:
            stop_jobs([(job, job_run) for job_run, job, _ in sent.values()], stop_file, caught)
    return caught[0] if caught else None


class Queue:
    """Which jobs Slurm has lost: submitit asks Slurm's accounts, which not every cluster keeps, and this the queue."""

    def __init__(self) -> None:
        self._looked = time.monotonic()
        self._missed = Counter[str]()  # looks in a row that did not find the job

    def look(self, sent: Iterable[str]) -> None:
        """See which of the jobs are still there; cheap to call often."""
        if time.monotonic() - self._looked < QUEUE_SECONDS:
            return
        self._looked = time.monotonic()
        here = jobs_in_queue()
        if here is None:
            return
        for job_id in sent:
            self._missed[job_id] = 0 if job_id in here else self._missed[job_id] + 1

    def lacks(self, job_id: str) -> bool:
        """Is the job gone, and what it answered had time to arrive?"""
        return self._missed[job_id] >= GONE_AFTER


def jobs_in_queue() -> set[str] | None:
    """The user's jobs that wait, run or are about to end; None if squeue does not answer."""
    command = ["squeue", "--me", "--noheader", "--states=all", "--format=%A %T"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return {job_id for job_id, state in map(str.split, said.splitlines()) if state not in ENDED}


class SlurmTask:
    """What a node does: one job, to its end, to a signal of Slurm's, or until the stop file appears."""

    _run: JobRun | None = None
    _ending = False

    def __call__(self, job: Job, settings: Settings, stop_file: Path) -> tuple[State, str]:
        begin_log(job, f"Slurm job {os.environ.get('SLURM_JOB_ID', 'none')}")
        self._run = job_run = JobRun(job, settings)
        before = signal.signal(signal.SIGTERM, self._told_to_end)
        try:
            while not stop_file.exists() and not job_run.poll():
                time.sleep(LOOK_SECONDS)
            self._end()
        finally:
            signal.signal(signal.SIGTERM, before)
        return job_run.state, job_run.note

    def checkpoint(self, job: Job, settings: Settings, stop_file: Path) -> Any:
        """Called by submitit when Slurm is about to end the job: save, and say what is to be queued again."""
        import submitit

        self._end()
        return submitit.helpers.DelayedSubmission(SlurmTask(), job, settings, stop_file)

    def _told_to_end(self, number: int, frame: FrameType | None) -> None:
        """Slurm cancels the job, or preempts it without the signal that it was asked for: save, and answer nothing.

        The suite then sends the job again, unless Slurm has put it back into the queue. In what is left of this
        allocation nothing new is to begin.
        """
        if not self._ending:
            self._end()
            sys.exit(128 + number)

    def _end(self) -> None:
        """Let the process save, and wait until it is gone.

        Slurm's own SIGTERM goes to all processes of a job, and a run takes a second one to mean "at once", so that
        it is asked by another signal.
        """
        if self._run is None:
            return
        if not self._ending:
            self._ending = True
            self._run.stop(signal.SIGINT)
        while self._run.alive():
            time.sleep(POLL_SECONDS)


def make_executor(folder: Path, allocation: Allocation, *, cluster: str = "slurm") -> Any:
    """What sends jobs, see `run`; submitit's files go into the folder.

    Raises:
      UsageError: submitit is missing, or this is no machine of a Slurm cluster.
    """
    require("slurm", "--engine slurm needs")
    import submitit

    try:
        executor = submitit.AutoExecutor(folder, cluster=cluster, slurm_max_num_timeout=REQUEUED_AT_MOST)
    except RuntimeError as error:
        raise UsageError("no Slurm here: srun is not found; run this on a login node of the cluster") from error
    executor.update_parameters(
        name="atari-dqn",
        timeout_min=max(1, round(60 * allocation.hours)),
        cpus_per_task=allocation.cpus,
        gpus_per_node=allocation.gpus or None,
        slurm_signal_delay_s=SAVE_SECONDS,
        slurm_additional_parameters=dict(allocation.options),
    )
    return executor


def _submit(executor: Any, job: Job, settings: Settings, stop_file: Path) -> Any:
    from submitit.core.utils import FailedJobError

    try:
        return executor.submit(SlurmTask(), job, settings, stop_file)
    except FailedJobError as error:
        told = [line for line in str(error).splitlines() if "error:" in line]
        reason = told[-1].strip() if told else str(error).strip().splitlines()[-1]
        raise UsageError(f"Slurm refuses the jobs ({reason}); check --slurm and --gpus-per-job") from error


def take_result(job: Any, job_run: JobRun) -> bool:
    """What came of a job; False if it was lost with its node."""
    from submitit.core.utils import FailedJobError

    if not job.done(force_check=True):  # gone from the queue, of which no accounts are kept
        job_run.state, job_run.note = "queued", f"lost (Slurm job {job.job_id}: no longer in the queue)"
        return False
    error = job.exception()
    if error is None:
        job_run.state, job_run.note = job.result()
        return True
    if isinstance(error, FailedJobError):
        said = [line for line in str(error).split("-" * 22)[1].splitlines() if line.strip()]
        job_run.state, job_run.note = "failed", f"{said[-1]} (log: {job.paths.stderr})"
        return True
    job_run.state, job_run.note = "queued", f"lost (Slurm job {job.job_id}: {job.state})"
    return False


def stop_jobs(sent: Sequence[tuple[Any, JobRun]], stop_file: Path, caught: list[int]) -> None:
    """Let the jobs save and end; those that wait in the queue, and after a second signal all, are cancelled."""
    stop_file.touch()
    left, until = [], time.monotonic() + STOP_SECONDS
    for job, job_run in sent:
        if job_run.state == "queued":
            job.cancel(check=False)
        else:
            left.append(job)
        job_run.state = "stopped"
    while left and time.monotonic() < until and len(caught) < 2:
        left = [job for job in left if not job.done()]
        time.sleep(POLL_SECONDS)
    for job in left:
        job.cancel(check=False)
