"""What `atari-dqn suite` does once its words are understood: tell what the jobs need, or run them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table as RichTable

from atari_dqn.commands.suite_flags import Suite
from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.host import cores
from atari_dqn.runs.pace import counted
from atari_dqn.runs.terminal import broken_at_words
from atari_dqn.suite import cost, plan
from atari_dqn.suite import local as local_engine
from atari_dqn.suite import on_ray as ray_engine
from atari_dqn.suite import on_slurm as slurm_engine
from atari_dqn.suite.jobs import Job, JobRun, Settings, make_jobs, next_stage
from atari_dqn.suite.table import Table, counts, read_progress

log = logging.getLogger(__name__)


def run_jobs(command: Suite, configs: Sequence[Config], passed: tuple[tuple[str, ...], ...]) -> int:
    """Run the jobs of a suite, or print the plan; returns the exit code.

    Args:
      command: the suite's own words.
      configs: of the jobs.
      passed:  flags of `train`, each with its values.
    """
    jobs = make_jobs(configs, command.runs_dir)
    settings = Settings(passed, _threads(command, len(jobs)), command.retries, command.evaluate, command.protocol)
    if command.dry_run:
        _print_plan(command, jobs, settings)
        return 0
    _check_room(command, _to_train(jobs, settings))
    runs = [JobRun(job, settings) for job in jobs]
    preset = f" of preset {command.preset}" if command.preset else ""
    with Table(f"{counted(len(runs), 'job')}{preset} in {command.runs_dir}") as table:
        stopped_by = _run_on_engine(command, runs, table)
        table.show(runs, last=True)
    return _summary(runs, stopped_by)


def _run_on_engine(command: Suite, runs: Sequence[JobRun], table: Table) -> int | None:
    if command.engine == "local":
        return local_engine.run(runs, slots=command.jobs, table=table)
    if command.engine == "ray":
        needs = {"cpus": command.cpus_per_job, "gpus": command.gpus_per_job}
        return ray_engine.run(runs, address=command.ray_address, table=table, **needs)
    allocation = slurm_engine.Allocation(
        cpus=int(command.cpus_per_job),
        gpus=int(command.gpus_per_job),
        hours=command.hours_per_job,
        options=dict(option.split("=", 1) for option in command.slurm),
    )
    return slurm_engine.run(runs, runs_dir=command.runs_dir, allocation=allocation, table=table)


def _threads(command: Suite, jobs: int) -> int:
    if command.engine != "local":
        return max(1, int(command.cpus_per_job))
    return max(1, cores() // min(command.jobs, jobs))


def _print_plan(command: Suite, jobs: Sequence[Job], settings: Settings) -> None:
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    left, rows = [], []
    for job in jobs:
        stage = next_stage(job, settings)
        left.append(cost.steps_left(job, read_progress(job.folder).step))
        rows.append((job.name, stage.name if stage else "nothing", f"{left[-1]:,}", _from_here(job.folder)))
    for heading, *cells in zip(("job", "next", "steps left", "folder"), *rows, strict=True):
        least = 0 if heading == "folder" else max(map(len, cells))  # a narrow terminal shortens the folder alone
        justify: Literal["left", "right"] = "right" if heading == "steps left" else "left"
        table.add_column(heading, justify=justify, no_wrap=True, min_width=least)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    slots = command.jobs if command.engine == "local" else len(jobs)
    if command.engine == "ray":
        slots = ray_engine.slots(command.ray_address, command.cpus_per_job, command.gpus_per_job)
    training = _to_train(jobs, settings)
    if not training:
        return
    slots = min(slots, len(training))
    for line in plan.needs_told(training, slots, command.runs_dir):
        print(broken_at_words(line, sys.stdout), flush=True)
    _check_room(command, training)

    def rate_of(config: Config) -> cost.Rate:
        return _rate(config, command.runs_dir, settings)

    configs = [job.config for job, steps in zip(jobs, left, strict=True) if steps]
    print(broken_at_words(plan.time_told(configs, list(filter(None, left)), slots, rate_of), sys.stdout))


def _from_here(folder: Path) -> str:
    """A folder as a person would type it here."""
    return str(folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder)


def _check_room(command: Suite, training: Sequence[Config]) -> None:
    """Refuse replays that do not fit side by side on this machine, and warn of a disk that may become full."""
    if command.engine == "local" and (problem := plan.memory_problem(training, command.jobs)):
        raise UsageError(problem)
    if problem := plan.disk_problem(training, command.runs_dir):
        log.warning(problem)


def _rate(config: Config, runs_dir: Path, settings: Settings) -> cost.Rate:
    """Of finished runs if there are any, else measured."""
    if known := cost.rate_of_finished(runs_dir, config):
        return known
    config = config.replace(
        torch_threads=config.machine.torch_threads or settings.threads,
        env_threads=config.machine.env_threads or settings.threads,
    )
    log.info(
        f"time: {config.game} is measured for {cost.MEASURE_SECONDS:.0f} s, after compiling what a job compiles; "
        "Ctrl-C leaves that out"
    )
    return cost.measure(config)


def _to_train(jobs: Sequence[Job], settings: Settings) -> list[Config]:
    stages = [(job, next_stage(job, settings)) for job in jobs]
    return [job.config for job, stage in stages if stage is not None and stage.name == "train"]


def _summary(runs: Sequence[JobRun], stopped_by: int | None) -> int:
    for job_run in runs:
        if job_run.state == "failed":
            log.error(f"failed: {job_run.job.name}: {job_run.note} (log: {job_run.job.folder / 'suite.log'})")
    print(f"suite: {counts(runs)}")
    if stopped_by is not None:
        log.info("stopped; the same command goes on where it was")
        return 128 + stopped_by
    return 0 if all(job_run.state == "finished" for job_run in runs) else 1
