"""Many runs: games x seeds, each a chain of processes with a run folder of its own.

    train -> evaluate the last checkpoint -> evaluate the best one

What a job still lacks is read from its folder every time, so a job that is finished needs nothing, one that was
interrupted anywhere goes on there, and it does not matter on which machine. A process that crashes harms only its job.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from atari_dqn.config import Config
from atari_dqn.envs.games import EXECUTED, code_of
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import protocol_name
from atari_dqn.runs.folder import RunFolder, default_run_dir, read_done
from atari_dqn.runs.lock import in_use
from atari_dqn.runs.refusals import MAY_CHANGE_ON_RESUME
from atari_dqn.runs.results import read_result
from atari_dqn.runs.safety import not_ignored
from atari_dqn.safe_files import LOG_BYTES, open_to_append, read_text
from atari_dqn.suite.flags import field_name

LOG = "suite.log"  # in a run folder: what its processes said, one attempt after the other
BAD_INPUT = 2  # the exit code of what would fail again in the same way
POLL_SECONDS = 0.2

State = Literal["queued", "running", "finished", "failed", "stopped"]


@dataclass(frozen=True)
class Settings:
    """What all jobs of a suite have in common."""

    flags: tuple[tuple[str, ...], ...] = ()
    """Flags of `atari-dqn train` with their values, as in ("--total-steps", "1000")."""
    threads: int = 1
    """For the network and for the emulators of a job, unless its config says otherwise."""
    retries: int = 1
    """A process that crashes is started again so many times, for each job."""
    evaluate: bool = True
    """Evaluate the last and the best checkpoint of a finished run."""
    protocol: str = "auto"
    """Of these evaluations; auto: greedy for vector games, sticky for runs with sticky actions, else nature."""


@dataclass(frozen=True)
class Job:
    """One run."""

    config: Config
    """What is wanted; `auto` stands for what the machine will choose."""
    folder: Path
    label: str = ""
    """What it is called, where game and seed do not tell it from others."""

    @property
    def name(self) -> str:
        return self.label or f"{self.config.game} seed {self.config.seed}"


class Stage(NamedTuple):
    """One process of a job."""

    name: str
    words: list[str]
    """After `atari-dqn`."""


def make_jobs(configs: Sequence[Config], runs_dir: Path) -> list[Job]:
    """The jobs of a suite, each in `<runs_dir>/<game>/<preset>/seed<k>`.

    Raises:
      UsageError: a folder holds a run with other settings.
    """
    jobs = [Job(config, default_run_dir(config, runs_dir.absolute())) for config in configs]
    for job in jobs:
        refuse_other_run(job)
    return jobs


def refuse_other_run(job: Job, may_change: AbstractSet[str] = MAY_CHANGE_ON_RESUME) -> None:
    """See that the folder of a job is new, or holds a run with its settings.

    Raises:
      UsageError: naming the settings that differ, but for those of `may_change`.
    """
    if not (job.folder / "config.json").exists():
        return
    try:
        stored = RunFolder.open(job.folder).config
    except UsageError:  # it concerns this job alone, whose process will say so
        return
    differing = [
        f"{name} {theirs!r}, not {mine!r}"
        for name, (mine, theirs) in job.config.differences(stored).items()
        if mine != "auto" and name not in may_change
    ]
    if differing:
        raise UsageError(
            f"{job.folder} holds another run ({', '.join(differing)}); choose another folder, or its settings"
        )


def next_stage(job: Job, settings: Settings) -> Stage | None:
    """What the folder of a job still lacks; None if nothing."""
    done = read_done(job.folder)
    if done is None or not job.config.is_over(done.steps, done.episodes):
        return Stage("train", _train_words(job, settings))
    if not settings.evaluate:
        return None
    protocol = protocol_name(settings.protocol, job.config)
    for which, step in (("last", done.steps), ("best", done.best_eval_step)):
        result = read_result(job.folder, f"{protocol}_{which}")
        if step is not None and (result is None or result.step != step):
            words = ["evaluate", str(job.folder), "--protocol", protocol, "--checkpoint", which]
            words += ["--allow-import"] if code_of(job.config) else []  # the suite's command line named it
            words += ["--env-threads", str(job.config.machine.env_threads or settings.threads)]
            words += ["--torch-threads", str(threads)] if (threads := job.config.machine.torch_threads) else []
            return Stage(f"evaluate {which}", [*words, "--device", job.config.machine.device])
    return None


def _train_words(job: Job, settings: Settings) -> list[str]:
    config, flags = job.config, list(settings.flags)
    words = ["train", config.game, "--preset", config.preset, "--seed", str(config.seed), "--run-dir", str(job.folder)]
    if (job.folder / "config.json").exists():
        words.append("--resume")  # its other settings are stored, and were compared
        flags = [flag for flag in flags if field_name(flag[0]) in (*MAY_CHANGE_ON_RESUME, *EXECUTED)]
    for name, threads in (("torch_threads", config.machine.torch_threads), ("env_threads", config.machine.env_threads)):
        if threads == 0:  # all cores, which the jobs share
            flags.append(("--" + name.replace("_", "-"), str(settings.threads)))
    return words + [word for flag in flags for word in flag]


@dataclass
class JobRun:
    """A job on its way; `poll` moves it on."""

    job: Job
    settings: Settings
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables of its processes besides ours."""
    state: State = "queued"
    note: str = ""
    """What is going on, or what went wrong."""
    retried: int = 0
    _stage: Stage | None = None
    _process: subprocess.Popen[bytes] | None = None
    waits: bool = False
    """Another process trains in the folder; nothing to do here as long as it lives."""

    def poll(self) -> bool:
        """Start what can start and notice what has ended; returns whether the job is over."""
        if self.state == "queued":
            self.state = "running"
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return False
            self._process = None
            self._ended(code)
        if self.state == "running":
            self._start_next()
        return self.state != "running"

    def stop(self, by: signal.Signals = signal.SIGTERM, *, kill: bool = False) -> None:
        """Ask the process under way to save and end, or end it at once."""
        if self.state in ("queued", "running"):
            self.state = "stopped"
        if self._process is not None:
            self._process.kill() if kill else self._process.send_signal(by)

    def notice_begun(self, sent: float, where: str) -> None:
        """A job elsewhere is under way if its log has been written to since it was sent, seconds since 1970."""
        log = self.job.folder / LOG
        if self.state == "queued" and log.exists() and log.stat().st_mtime >= sent:
            self.state, self.note = "running", self.note or where

    def alive(self) -> bool:
        """Is a process of this job still there?"""
        return self._process is not None and self._process.poll() is None

    def _start_next(self) -> None:
        stage = next_stage(self.job, self.settings)
        if stage is None:
            self.state, self.note = "finished", "" if self._stage else "finished before"
            return
        if holder := in_use(self.job.folder):  # of another suite, or of a killed one, on its way to the end
            self.waits, self.note = True, f"waiting for process {holder}, which trains in the same folder"
            return
        self._stage, self.waits = stage, False
        self.note = f"{stage.name}, attempt {self.retried + 1}" if self.retried else stage.name
        try:
            self._process = start_process(stage.words, self.job.folder, self.environment)
        except OSError as error:
            self.state, self.note = (
                "failed",
                f"cannot start: {error.filename or self.job.folder} {error.strerror or error}",
            )

    def _ended(self, code: int) -> None:
        if self.state != "running":
            return
        assert self._stage is not None
        if code == 0:
            lacking = next_stage(self.job, self.settings)
            if lacking is not None and lacking.name == self._stage.name:
                self.state, self.note = "failed", f"{self.note}: ended well, but left no result"
            return
        if code == BAD_INPUT and (in_use(self.job.folder) or next_stage(self.job, self.settings) != self._stage):
            return  # another process was here first, and trains or has trained; what is lacking now is seen next
        why = f"{self._stage.name}: {ending(code)}; {last_line(self.job.folder / LOG)}"
        if code == BAD_INPUT or self.retried >= self.settings.retries:
            self.state, self.note = "failed", why
            return
        self.retried += 1


def start_process(words: Sequence[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process of the command line that ends with this one; what it says goes to the job's log."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_to_append(folder / LOG) as log:
        log.write(f"$ {shlex.join(['atari-dqn', *words])}\n")
        return subprocess.Popen(
            [sys.executable, "-m", "atari_dqn.suite.tether", str(os.getpid()), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,  # a Ctrl-C on the terminal is for the suite, which passes it on
        )


def ending(code: int) -> str:
    """An exit code in words."""
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def last_line(log: Path) -> str:
    """The last line of a log: of a message, what it says; of a traceback, the error."""
    try:
        lines = read_text(log, LOG_BYTES, errors="replace").splitlines()
    except OSError:
        return "it left no log"
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said and not said[-1].startswith("$ ") else "it said nothing"


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collects Ctrl-C, SIGTERM and a closed terminal in a list, instead of ending this process; not what is ignored."""
    caught: list[int] = []
    before = {number: signal.signal(number, lambda got, _: caught.append(got)) for number in not_ignored()}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
