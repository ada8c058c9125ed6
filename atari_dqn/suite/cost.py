"""What a suite will cost, before it starts: memory and disk from the sizes of things, time from a measured rate."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atari_dqn.config import Config
from atari_dqn.dqn.agent import count_weights, make_agent
from atari_dqn.dqn.ports import NullLogger
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.envs import make_envs
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.folder import read_done
from atari_dqn.runs.machine import flushed_denormals, resolve, settle_compile
from atari_dqn.runs.train import replay_layout
from atari_dqn.storage.saver import CHECKPOINTS_KEPT
from atari_dqn.suite.jobs import Job
from atari_dqn.types import EnvSpec

MEASURE_SECONDS = 10.0
COPIES_OF_WEIGHTS = 4  # in a checkpoint: network, target, two moments of the optimizer
BYTES_OF_FLOAT = 4


@dataclass(frozen=True)
class Rate:
    """Agent steps per second of one job."""

    steps_per_second: float
    source: str
    """Where the number comes from, in words."""


def memory_bytes(config: Config, spec: EnvSpec) -> int:
    """The replay, frames and all, by far the largest part of a run's memory."""
    layout = replay_layout(config, spec)
    return layout.frame_bytes + layout.host_bytes


def disk_bytes(config: Config, spec: EnvSpec) -> int:
    """Checkpoints of a run at their largest: those that are kept, the one being written, and the replay's frames.

    Frames are written once for all checkpoints; a segment goes when none of them needs any frame of it.
    """
    weights = count_weights(config, spec)
    checkpoints = CHECKPOINTS_KEPT + 2  # the best one, and the one being written
    small = checkpoints * COPIES_OF_WEIGHTS * BYTES_OF_FLOAT * weights
    if not config.logging.save_replay:
        return small
    layout = replay_layout(config, spec)
    rows = layout.rows_per_env * config.env.num_envs
    # the oldest checkpoint that is kept is some periods old, and the segment with its oldest frame began one before
    written = min(
        config.total_steps, rows + (CHECKPOINTS_KEPT + 1) * (config.logging.checkpoint_period or config.total_steps)
    )
    return small + checkpoints * layout.host_bytes + layout.frame_bytes * written // rows


def rate_of_finished(runs_dir: Path, config: Config) -> Rate | None:
    """Median over the finished runs of the same preset, evaluations included; None where there is none."""
    rates = []
    for done in runs_dir.glob(f"*/{config.preset}/seed*/DONE"):
        finished = read_done(done.parent)
        if finished is not None and (rate := finished.frames_per_second or 0) > 0:
            rates.append(rate / config.frames_per_step)
    if not rates:
        return None
    return Rate(statistics.median(rates), f"median of {len(rates)} finished runs in {runs_dir}, evaluations included")


@flushed_denormals()
def measure(config: Config) -> Rate:
    """Train for `MEASURE_SECONDS`, with a small replay and without evaluations or checkpoints, as a job would."""
    warm_up = max(config.replay.batch_size, (config.algorithm.n_step + 1) * config.env.num_envs)
    config = config.replace(
        total_steps=2**40,
        learning_starts=warm_up,
        capacity=max(warm_up, 10_000),
        eval_period=0,
        eval_period_episodes=None,
        checkpoint_period=0,
        log_period=2**40,
        epsilon_decay_factor=None,
        epsilon_decay_steps=1,  # acts with the network, as in nearly all of a run
    )
    config = settle_compile(resolve(config))
    envs = make_envs(config)
    began, first = math.inf, 0

    def watch_the_clock(trainer: Trainer) -> None:
        nonlocal began, first
        now = time.monotonic()
        if began == math.inf and trainer.learner.updates > 0:
            began, first = now, trainer.step
        trainer.stop_requested = now - began > MEASURE_SECONDS

    trainer = Trainer(
        config,
        envs=envs,
        agent=make_agent(config, envs.spec),
        replay=FrameReplay(replay_layout(config, envs.spec), device=config.machine.device),
        logger=NullLogger(),
        alive=watch_the_clock,
    )
    trainer.run()
    took = time.monotonic() - began
    trainer.close()
    envs.close()
    threads = f"{config.machine.torch_threads} + {config.machine.env_threads} threads"
    source = f"measured here on {config.game} for {took:.0f} s, one job alone with {threads}, without evaluations"
    return Rate((trainer.step - first) / took, source)


def seconds_left(jobs: Sequence[float], slots: int) -> float:
    """Time until jobs that take so many seconds each are done, `slots` at a time, in their order."""
    ends = [0.0] * slots
    for seconds in jobs:
        slot = ends.index(min(ends))
        ends[slot] += seconds
    return max(ends)


def steps_left(job: Job, step: int | None) -> int:
    """Agent steps that a job lacks.

    Args:
      job:  the job.
      step: where its run is; None for not begun.
    """
    done = read_done(job.folder)
    return max(0, job.config.total_steps - max(step or 0, done.steps if done else 0))
