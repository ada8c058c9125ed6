"""The jobs of a suite on a Slurm cluster, through submitit. Every node sees the runs folder and this Python.

Before the time limit of a job, and when it is preempted, Slurm sends it a signal: the run saves and ends, the job goes
back into the queue, and later goes on from its checkpoint, on whichever node. A job whose node died is sent again.

    <runs-dir>/slurm/    submitit's: what each job was, said and answered. Where stop_... appears, jobs save and end
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atari_dqn.errors import UsageError
from atari_dqn.suite.cluster import begin_log, end, may_go_on, unfinished
from atari_dqn.suite.jobs import POLL_SECONDS, Job, JobRun, Settings, State, stop_signals
from atari_dqn.suite.table import Table

FOLDER = "slurm"  # in the runs folder
LOOK_SECONDS = 1.0  # between two looks of a node at its process and at the stop file
SAVE_SECONDS = 120  # before the time limit, for a run to save and end
STOP_SECONDS = 120.0  # for all jobs to save and end
REQUEUED_AT_MOST = 1_000  # time limits in a run; a long run meets many


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
    executor = make_executor(runs_dir, allocation, cluster=cluster)
    stop_file = runs_dir.absolute() / FOLDER / f"stop_{uuid.uuid4().hex}"
    lost = Counter[Job]()
    sent: dict[Job, tuple[JobRun, Any, float]] = {}  # with submitit's job, and when it was sent

    def send(job_run: JobRun) -> None:
        sent[job_run.job] = job_run, _submit(executor, job_run.job, job_run.settings, stop_file), time.time()

    for job_run in unfinished(runs):
        send(job_run)
    with stop_signals() as caught:
        while sent and not caught:
            for job_run, job, since in list(sent.values()):
                job_run.notice_begun(since, f"Slurm job {job.job_id}")
                if job.done():
                    del sent[job_run.job]
                    if not _take(job, job_run) and may_go_on(job_run, lost):
                        send(job_run)
            table.show(runs)
            time.sleep(POLL_SECONDS)
        if caught:
            _stop([(job, job_run) for job_run, job, _ in sent.values()], stop_file, caught)
    return caught[0] if caught else None


class SlurmTask:
    """What a node does: one job, to its end, to a signal of Slurm's, or until the stop file appears."""

    _run: JobRun | None = None

    def __call__(self, job: Job, settings: Settings, stop_file: Path) -> tuple[State, str]:
        begin_log(job, f"Slurm job {os.environ.get('SLURM_JOB_ID', 'none')}")
        self._run = job_run = JobRun(job, settings)
        while not stop_file.exists() and not job_run.poll():
            time.sleep(LOOK_SECONDS)
        self._end()
        return job_run.state, job_run.note

    def checkpoint(self, job: Job, settings: Settings, stop_file: Path) -> Any:
        """Called by submitit when Slurm is about to end the job: save, and say what is to be queued again."""
        import submitit

        self._end()
        return submitit.helpers.DelayedSubmission(SlurmTask(), job, settings, stop_file)

    def _end(self) -> None:
        if self._run is not None:
            end(self._run)


def make_executor(runs_dir: Path, allocation: Allocation, *, cluster: str = "slurm") -> Any:
    """What sends jobs, see `run`.

    Raises:
      UsageError: submitit is missing, or this is no machine of a Slurm cluster.
    """
    try:
        import submitit
    except ImportError as error:
        raise UsageError("--engine slurm needs the extra 'slurm': pip install 'atari-dqn[slurm]'") from error
    folder = runs_dir.absolute() / FOLDER
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


def _take(job: Any, job_run: JobRun) -> bool:
    """What came of a job; False if it was lost with its node."""
    from submitit.core.utils import FailedJobError

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


def _stop(sent: Sequence[tuple[Any, JobRun]], stop_file: Path, caught: list[int]) -> None:
    """Let the jobs save and end; those that wait in the queue, and after a second signal all, are cancelled."""
    stop_file.touch()
    for job, job_run in sent:
        if job_run.state == "queued":
            job.cancel(check=False)
        job_run.state = "stopped"
    left, until = [job for job, _ in sent], time.monotonic() + STOP_SECONDS
    while left and time.monotonic() < until and len(caught) < 2:
        left = [job for job in left if not job.done()]
        time.sleep(POLL_SECONDS)
    for job in left:
        job.cancel(check=False)
