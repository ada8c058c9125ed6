"""`atari-dqn suite`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table as RichTable

from atari_dqn.commands import parse, say
from atari_dqn.commands import train as train_command
from atari_dqn.config import Config
from atari_dqn.envs import check_game
from atari_dqn.envs.games import known_game
from atari_dqn.errors import UsageError
from atari_dqn.host import cores
from atari_dqn.published.scores import atari_10, atari_57, nature_49
from atari_dqn.suite import cost as estimate
from atari_dqn.suite import local as local_engine
from atari_dqn.suite import on_ray as ray_engine
from atari_dqn.suite import plan
from atari_dqn.suite.jobs import Job, JobRun, Settings, field_name, make_jobs, next_stage
from atari_dqn.suite.table import Table, counts, read_progress

SETS = {"atari49": nature_49, "atari57": atari_57, "atari10": atari_10}


@dataclass(frozen=True)
class Suite:
    """Train and evaluate many games and seeds, each in a process and a run folder of its own.

    Flags that are not listed here are those of `atari-dqn train`, and hold for every job.
    """

    games: tuple[str, ...]
    """ROM ids, cartpole, or sets: atari49 (the paper's), atari57, atari10 (Aitchison et al. 2022)."""
    seeds: tuple[int, ...] = (0,)
    """A run for each."""
    preset: str | None = None
    """As of `train`. Default: nature, and cartpole for vector games."""
    engine: Literal["local", "ray"] = "local"
    """`local`: processes on this machine. `ray`: tasks on a Ray cluster whose nodes share the runs folder."""
    jobs: int = 1
    """Jobs side by side (local engine); they share the cores unless thread counts are given."""
    runs_dir: Path = Path("runs")
    """Each run goes into <runs-dir>/<game>/<preset>/seed<k>. Finished ones are skipped, others resumed."""
    retries: int = 1
    """How often a job whose process crashed is resumed."""
    evaluate: bool = True
    """Evaluate the last and the best checkpoint of each finished run."""
    protocol: Literal["auto", "nature", "sticky", "monitor", "greedy"] = "auto"
    """Of that evaluation. `auto`: greedy for vector games, sticky for runs with sticky actions, else nature."""
    dry_run: bool = False
    """Print the jobs, what they need and how long they will take, and start nothing."""
    ray_address: str | None = None
    """Of the cluster. Default: RAY_ADDRESS, or a cluster of this machine alone."""
    cpus_per_job: float = 1.0
    """Cores of a job on Ray, also its threads."""
    gpus_per_job: float = 0.0
    """GPUs of a job on Ray; 0.25 lets four share one."""


def run(words: Sequence[str]) -> int:
    """Run a suite; returns the exit code: 0 all well, 1 some failed, 130 after Ctrl-C."""
    own, passed = split_flags(words)
    command = parse(Suite, own, prog="atari-dqn suite")
    _check(command, passed)
    jobs = make_jobs(_configs(command, passed), command.runs_dir)
    settings = Settings(passed, _threads(command, len(jobs)), command.retries, command.evaluate, command.protocol)
    if command.dry_run:
        _print_plan(command, jobs, settings)
        return 0
    _check_room(command, _to_train(jobs, settings))
    runs = [JobRun(job, settings) for job in jobs]
    with Table(f"{len(runs)} jobs in {command.runs_dir}") as table:
        if command.engine == "local":
            stopped_by = local_engine.run(runs, slots=command.jobs, table=table)
        else:
            needs = {"cpus": command.cpus_per_job, "gpus": command.gpus_per_job}
            stopped_by = ray_engine.run(runs, address=command.ray_address, table=table, **needs)
        table.show(runs, last=True)
    return _summary(runs, stopped_by)


def split_flags(words: Sequence[str]) -> tuple[list[str], tuple[tuple[str, ...], ...]]:
    """The suite's own words, and the flags of `train` with their values."""
    mine = {field.name for field in dataclasses.fields(Suite)} | {"help"}
    own: list[str] = []
    passed: list[list[str]] = []
    target = own
    for word in words:
        if word.startswith("--") or word == "-h":
            target = own if word == "-h" or field_name(word) in mine else []
            if target is not own:
                passed.append(target)
        target.append(word)
    return own, tuple(tuple(flag) for flag in passed)


def _check(command: Suite, passed: Sequence[tuple[str, ...]]) -> None:
    least = {"jobs": 1, "retries": 0, "cpus_per_job": 0, "gpus_per_job": 0}
    for name, value in least.items():
        if not getattr(command, name) >= value:
            raise UsageError(f"{name} is {getattr(command, name)}; it must be at least {value}")
    for name in ("games", "seeds"):
        if not getattr(command, name):
            raise UsageError(f"--{name} is empty; name at least one")
    if min(command.seeds) < 0:
        raise UsageError(f"seed is {min(command.seeds)}; it must be at least 0")
    instead = {"seed": "--seeds", "run_dir": "--runs-dir", "game": "--games", "resume": "nothing: it always does"}
    for flag in passed:
        if field_name(flag[0]) in instead:
            raise UsageError(f"a suite has no {flag[0]}; use {instead[field_name(flag[0])]}")


def _configs(command: Suite, passed: Sequence[tuple[str, ...]]) -> list[Config]:
    """What is wanted of every job, by the parser of `train`; a wrong flag or game ends here."""
    games = [game for name in command.games for game in (SETS[name]() if name in SETS else (known_game(name),))]
    flags = [word for flag in passed for word in flag]
    preset = ["--preset", command.preset] if command.preset is not None else []
    parsed: dict[Config, Config] = {}  # by what the flags change: parsing takes long, and they are the same for all
    configs = []
    for game in dict.fromkeys(games):
        base = train_command.base_config(game, command.preset, None)
        kind = dataclasses.replace(base, game="any")
        if kind not in parsed:
            parsed[kind] = train_command.parse_command(game, [*preset, *flags]).config
        config = dataclasses.replace(parsed[kind], game=game)
        check_game(config)
        configs += [dataclasses.replace(config, seed=seed) for seed in dict.fromkeys(command.seeds)]
    return configs


def _threads(command: Suite, jobs: int) -> int:
    if command.engine == "ray":
        return max(1, int(command.cpus_per_job))
    return max(1, cores() // min(command.jobs, jobs))


def _print_plan(command: Suite, jobs: Sequence[Job], settings: Settings) -> None:
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for heading in ("job", "next", "steps left", "folder"):
        table.add_column(heading, justify="right" if heading == "steps left" else "left", no_wrap=True)
    left = []
    for job in jobs:
        stage = next_stage(job, settings)
        left.append(estimate.steps_left(job, read_progress(job.folder).step))
        table.add_row(job.name, stage.name if stage else "nothing", f"{left[-1]:,}", str(job.folder))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    slots = command.jobs
    if command.engine == "ray":
        slots = ray_engine.slots(command.ray_address, command.cpus_per_job, command.gpus_per_job)
    training = _to_train(jobs, settings)
    if not training:
        return
    slots = min(slots, len(training))
    for line in plan.needs_told(training, slots, command.runs_dir):
        print(line)
    _check_room(command, training)

    def rate_of(config: Config) -> estimate.Rate:
        return _rate(config, command.runs_dir, settings)

    configs = [job.config for job, steps in zip(jobs, left, strict=True) if steps]
    print(plan.time_told(configs, list(filter(None, left)), slots, rate_of))


def _check_room(command: Suite, training: Sequence[Config]) -> None:
    """Refuse replays that do not fit side by side on this machine, and warn of a disk that may become full."""
    if command.engine == "local" and (problem := plan.memory_problem(training, command.jobs)):
        raise UsageError(problem)
    if problem := plan.disk_problem(training, command.runs_dir):
        say(f"warning: {problem}")


def _rate(config: Config, runs_dir: Path, settings: Settings) -> estimate.Rate:
    """Of finished runs if there are any, else measured."""
    if known := estimate.rate_of_finished(runs_dir, config):
        return known
    config = dataclasses.replace(
        config,
        torch_threads=config.torch_threads or settings.threads,
        env_threads=config.env_threads or settings.threads,
    )
    return estimate.measure(config, say)


def _to_train(jobs: Sequence[Job], settings: Settings) -> list[Config]:
    stages = [(job, next_stage(job, settings)) for job in jobs]
    return [job.config for job, stage in stages if stage is not None and stage.name == "train"]


def _summary(runs: Sequence[JobRun], stopped_by: int | None) -> int:
    for job_run in runs:
        if job_run.state == "failed":
            say(f"failed: {job_run.job.name}: {job_run.note} (log: {job_run.job.folder / 'suite.log'})")
    print(f"suite: {counts(runs)}")
    if stopped_by is not None:
        say("stopped; the same command goes on where it was")
        return 128 + stopped_by
    return 0 if all(job_run.state == "finished" for job_run in runs) else 1
