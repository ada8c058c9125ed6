"""The jobs of a suite on a Ray cluster. Every node sees the runs folder and has this package installed.

A job is one task that asks for a part of a node (`cpus`, `gpus`; a quarter of a GPU lets four share one). When its
node dies, the task is sent again, and the job goes on wherever that lands, from its checkpoint on the shared folder.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.suite.cluster import begin_log, end, may_go_on, unfinished
from atari_dqn.suite.jobs import POLL_SECONDS, Job, JobRun, Settings, State, stop_signals
from atari_dqn.suite.table import Table

STOP_SECONDS = 120.0  # for all jobs to save and end


def run(runs: Sequence[JobRun], *, address: str | None, cpus: float, gpus: float, table: Table) -> int | None:
    """Run the jobs; Ray decides how many at a time.

    Args:
      runs:    the jobs; `state` and `note` are kept up to date.
      address: of the cluster; None for RAY_ADDRESS, or a cluster of this machine alone.
      cpus:    cores of one job.
      gpus:    GPUs of one job, may be a fraction.
      table:   shows them.

    Returns:
      The number of the signal that ended it, None if the jobs did.

    Raises:
      UsageError: ray is missing, the cluster cannot be reached, or no node of it is large enough.
    """
    ray = connect(address)
    _check_size(ray, cpus, gpus)
    task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(run_job)
    pending, sent, lost = {}, dict[Job, float](), Counter[Job]()

    def send(job_run: JobRun) -> None:
        sent[job_run.job] = time.time()
        pending[task.remote(job_run.job, job_run.settings)] = job_run

    for job_run in unfinished(runs):
        send(job_run)
    with stop_signals() as caught:
        while pending and not caught:
            ready, _ = ray.wait(list(pending), timeout=POLL_SECONDS)
            for ref in ready:
                job_run = pending.pop(ref)
                if not _take(ray, ref, job_run) and may_go_on(job_run, lost):
                    send(job_run)
            for job_run in pending.values():
                job_run.notice_begun(sent[job_run.job], "in the cluster")
            table.show(runs)
        if caught:
            _stop(ray, pending, caught)
    return caught[0] if caught else None


def run_job(job: Job, settings: Settings) -> tuple[State, str]:
    """On some node: the whole job. Cancelling the task lets its process save and end."""
    import ray

    begin_log(job, f"node {ray.get_runtime_context().get_node_id()}")
    job_run = JobRun(job, settings)
    try:
        while not job_run.poll():
            time.sleep(POLL_SECONDS)
    except BaseException:
        end(job_run)
        raise
    return job_run.state, job_run.note


def connect(address: str | None) -> Any:
    """The module `ray`, connected.

    Raises:
      UsageError: it is not installed, or there is no cluster at the address.
    """
    require("ray", "--engine ray needs")
    import ray

    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, include_dashboard=False if address is None else None)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UsageError(f"no Ray cluster at {address!r} ({reason}); check --ray-address") from error
    return ray


def slots(address: str | None, cpus: float, gpus: float) -> int:
    """How many jobs fit on the cluster side by side.

    Raises:
      UsageError: as for `run`.
    """
    ray = connect(address)
    _check_size(ray, cpus, gpus)
    count = 0
    for node in ray.nodes():
        needs = [(node["Resources"].get(name, 0.0), need) for name, need in (("CPU", cpus), ("GPU", gpus))]
        count += min((int(has / need + 1e-9) for has, need in needs if need), default=0) if node["Alive"] else 0
    return max(1, count)


def _check_size(ray: Any, cpus: float, gpus: float) -> None:
    """Refuse a job that fits on no node: Ray would wait for ever."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(node.get("CPU", 0.0) >= cpus and node.get("GPU", 0.0) >= gpus for node in nodes):
        has = "; ".join(f"{node.get('CPU', 0):g} cores, {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise UsageError(
            f"no node of the cluster has {cpus:g} cores and {gpus:g} GPUs for a job (it has {has}); "
            "lower --cpus-per-job or --gpus-per-job"
        )


def _take(ray: Any, ref: Any, job_run: JobRun) -> bool:
    """What came of a task; False if its node or its worker died under it."""
    try:
        job_run.state, job_run.note = ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        job_run.state, job_run.note = "failed", str(error).strip().splitlines()[-1]
    except ray.exceptions.RayError as error:
        job_run.state, job_run.note = "queued", f"lost ({type(error).__name__})"
        return False
    return True


def _stop(ray: Any, pending: dict[Any, JobRun], caught: list[int]) -> None:
    for ref, job_run in pending.items():
        job_run.state = "stopped"
        ray.cancel(ref)
    left, until, forced = list(pending), time.monotonic() + STOP_SECONDS, False
    while left and time.monotonic() < until:
        _, left = ray.wait(left, num_returns=len(left), timeout=POLL_SECONDS)
        if len(caught) > 1 and not forced:
            forced = True
            for ref in left:
                ray.cancel(ref, force=True)
