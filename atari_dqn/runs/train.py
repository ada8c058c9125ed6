"""One run from its folder to its summary: build the parts, connect them, train, and end well whatever ends it."""

from __future__ import annotations

import dataclasses
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent, Loss, make_agent, with_own_parts
from atari_dqn.dqn.callbacks import Callback, Callbacks
from atari_dqn.dqn.ports import Logger
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.envs import make_envs, time_limit_told
from atari_dqn.errors import UsageError, refusal
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.runs.display import Display
from atari_dqn.runs.folder import RunFolder, default_run_dir, make_folder
from atari_dqn.runs.lock import lock
from atari_dqn.runs.logger import RunLogger
from atari_dqn.runs.machine import (
    flushed_denormals,
    resolve,
    settle_compile,
    update_seconds,
)
from atari_dqn.runs.memory import place_replay, refuse_large_network
from atari_dqn.runs.monitor import Monitor
from atari_dqn.runs.opening import Opening
from atari_dqn.runs.pace import counted
from atari_dqn.runs.refusals import (
    check_start,
    refuse_far_priorities,
    refuse_unasked,
    refuse_what_mps_lacks,
)
from atari_dqn.runs.resume import go_on, nothing_is_left, read_newest
from atari_dqn.runs.run import Run
from atari_dqn.runs.safety import Watchdog, saved_where_a_game_breaks, stopped_by_signals
from atari_dqn.runs.state import run_state
from atari_dqn.runs.summary import first_lines, humans_of, next_commands, summarize, summary_lines
from atari_dqn.runs.terminal import WHOLE
from atari_dqn.runs.torch_defaults import torch_defaults
from atari_dqn.runs.wandb_logger import CompositeLogger, WandbLogger
from atari_dqn.storage.frame_segments import FrameSegments
from atari_dqn.storage.saver import Saver
from atari_dqn.types import EnvSpec

log = logging.getLogger(__name__)


@torch_defaults()
@flushed_denormals()
def train(
    config: Config,
    run_dir: Path | str | None = None,
    *,
    model: nn.Module | None = None,
    loss: Loss | None = None,
    resume: bool = False,
    command: Sequence[str] | None = None,
    wandb: bool = False,
    callbacks: Sequence[Callback] = (),
    display: Display | None = None,
    unasked: bool = False,
) -> Run:
    """Train until the end or an interruption.

    Args:
      config:  what to do.
      run_dir: the run's folder, new or (resume) begun; None for `default_run_dir`.
      model:   a network of your own, see `make_agent`; a resume needs one of the same build.
      loss:    a loss of your own, likewise.
      resume:  go on from the newest good checkpoint.
      command: the command line, for the record; None takes it from the process.
      wandb:   mirror the numbers to Weights & Biases.
      callbacks: told what happens, see `Callback`; one of them may ask the run to stop.
      display: shows how far the run is; None for one of its own.
      unasked: nobody named a length: refuse the paper's where there is no GPU.

    Returns:
      The run as it has ended; its `exit_code` is 0 at the end, 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
      UsageError: the folder, the device or the memory do not allow it; nothing was written.
      BaseException: that of a callback; the run was saved.
    """
    told = Callbacks(callbacks)
    run_dir = Path(run_dir or default_run_dir(config))
    config = with_own_parts(config, model, loss)
    command = sys.argv if command is None else command
    with display or Display() as display:
        run = _train(config, run_dir, _Wishes(model, loss, resume, command, wandb, told, display, unasked))
    if told.error is not None:
        raise told.error
    return run


class _Wishes(NamedTuple):
    """What is asked of `train` besides settings and a folder; its arguments."""

    model: nn.Module | None
    loss: Loss | None
    resume: bool
    command: Sequence[str]
    wandb: bool
    callbacks: Callbacks
    display: Display
    unasked: bool


def _train(config: Config, run_dir: Path, wishes: _Wishes) -> Run:
    model, loss, resume, display = wishes.model, wishes.loss, wishes.resume, wishes.display
    config, folder = check_start(config, run_dir, resume=resume)
    if wishes.unasked:
        refuse_unasked(config, cuda=torch.cuda.is_available())
    if limit := time_limit_told(config):
        log.info(limit)
    display.doing("looking at the machine: cores, precision")
    config = resolve(config, begun=resume)
    refuse_what_mps_lacks(config)
    display.doing(f"starting {counted(config.env.num_envs, 'game')} of {config.game}")
    games = Opening(make_envs(config), config, resumed=resume)
    spec = games.envs.spec
    try:
        if model is None:  # may refuse the network: before it is compiled
            refuse_large_network(config, spec)
            make_agent(config.replace(compile="off"), spec, loss=loss)
        frame_bytes = replay_layout(config, spec).frame_bytes
        wanted = "cpu" if config.machine.replay_tiles else config.machine.replay_device
        place = place_replay(wanted, config.machine.device, frame_bytes)
        config = config.replace(replay_device=place)
        refuse_far_priorities(config)
        display.doing("preparing the update, compiled where that helps")
        times: list[float] = []
        config = settle_compile(config, times.append)
        display.update_seconds = times[-1] if times else update_seconds(config)
        agent = make_agent(config, spec, model=model, loss=loss)
        if not folder:
            make_folder(run_dir, config)
        with _told_in_one_message(run_dir), lock(run_dir) as check:
            folder = folder or RunFolder.create(run_dir, config, wishes.command)
            exit_code = _train_in(folder, config, games, agent, check, wishes)
    finally:
        games.close()
    return Run(run_dir, config, exit_code, model)


@contextmanager
def _told_in_one_message(path: Path) -> Iterator[None]:
    """What ends a run from outside: a disk, a memory or a GPU that is full, threads and files that are too few."""
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise UsageError(_gpu_is_full(error)) from error
        if (refused := refusal(error)) is not None:
            told = f"{refused}. Checkpoints written so far are intact: go on with --resume, or with a lower --capacity"
            raise UsageError(told) from error
        if not isinstance(error, OSError):
            raise
        left = "checkpoints written so far are intact. Make room or mend the folder, then go on with --resume"
        if not (path / "config.json").is_file():
            left = "the run has not begun. Make room or mend the folder, then start it again"
        raise UsageError(f"cannot write to {error.filename or path} ({error.strerror or error}); {left}") from error


def _gpu_is_full(error: Exception) -> str:
    reason = ". ".join(str(error).split(". ")[:2])  # the second sentence says how much was asked for
    return f"the GPU is out of memory ({reason}); lower --capacity or --batch-size, or use --replay-device cpu"


def replay_layout(config: Config, spec: EnvSpec) -> ReplayLayout:
    """The replay that a run asks for."""
    return ReplayLayout(
        capacity=config.replay.capacity,
        num_envs=config.env.num_envs,
        frame_shape=spec.frame_shape,
        frame_dtype=spec.frame_dtype,
        frame_stack=config.env.frame_stack,
        n_step=config.algorithm.n_step,
        groups=config.env.env_groups,
        repeat_first_frame=config.env.pad_stack == "first_frame",
        screens=spec.screens,
        tiles=config.machine.replay_tiles,
    )


def _train_in(
    folder: RunFolder, config: Config, games: Opening, agent: Agent, check: Callable[[], None], wishes: _Wishes
) -> int:
    resume, display = wishes.resume, wishes.display
    display.doing("reading the newest checkpoint" if resume else "opening the run folder")
    replay = FrameReplay(
        replay_layout(config, games.envs.spec), device=config.machine.device, frames_on=config.machine.replay_device
    )
    store = FrameSegments(folder.checkpoints / "frames")
    kind = run_state(config, games.envs.spec, replay)
    state = read_newest(folder, config, replay, store, kind=kind) if resume else None
    counters = state["counters"] if state else {"step": 0} if resume else {}
    watchdog = Watchdog()

    def alive(trainer: Trainer) -> None:
        watchdog.alive()
        display.tick(trainer)

    trainer = Trainer(
        config,
        envs=games.envs,
        agent=agent,
        replay=replay,
        saver=Saver(folder.checkpoints, replay.ring, store, save_frames=config.logging.save_replay, check=check),
        logger=_logger(folder, config, counters, wishes),
        evaluator=Monitor(config, agent, display.evaluation),
        alive=alive,
        callbacks=wishes.callbacks,
        opening=games,
    )
    try:
        if state:
            go_on(trainer, state)
            del state
        if resume and nothing_is_left(folder, trainer):
            return 0
        seconds, first_step, caught = _play(trainer, folder, display, watchdog)
    finally:
        trainer.close()
        trainer.logger.close()
        display.close()
    if caught:
        log.info(f"interrupted at step {trainer.step:,}; saved. Go on with --resume")
        return 128 + caught[0]
    _end(trainer, folder, seconds, first_step)
    return 0


def _logger(folder: RunFolder, config: Config, counters: Mapping[str, Any], wishes: _Wishes) -> Logger:
    """Where the numbers of a run go; `counters` are those that a resume goes on from."""
    evaluated = counters.get("last_score") is not None  # else one of step 0 is still due
    logger: Logger = RunLogger(
        folder.path,
        total_steps=config.total_steps,
        frames_per_step=config.frames_per_step,
        resume_step=counters.get("step"),
        evaluated_at=counters["evaluated_at"] if evaluated else -1,
        settings=config.flat(),
        tell=wishes.display.message,
        facts=folder.facts() | humans_of(config),
    )
    if wishes.wandb:
        logger = CompositeLogger(logger, WandbLogger(folder.path, config))
    return logger


def _play(trainer: Trainer, folder: RunFolder, display: Display, watchdog: Watchdog) -> tuple[float, int, list[int]]:
    """Let a run go on until it ends or is interrupted: its seconds, its first agent step, the signals it was sent."""
    display.close()  # it would break the lines to come
    told, *places = first_lines(folder.path, trainer.config, trainer.step, display.update_seconds)
    log.info(told)
    for line in places:
        log.info(line, extra=WHOLE)
    began, first_step = time.monotonic(), trainer.step
    display.begin(trainer.config, trainer.learner.updates)
    with stopped_by_signals(trainer) as caught, closing(watchdog), saved_where_a_game_breaks(trainer):
        trainer.run()
    seconds = time.monotonic() - began
    display.tick(trainer, last=True)
    return seconds, first_step, caught


def _end(trainer: Trainer, folder: RunFolder, seconds: float, first_step: int) -> None:
    """Say what came out of a run that nobody interrupted, and mark it as done unless a callback stopped it early."""
    stopped_by, config = trainer.callbacks.stopped_by, trainer.config
    if stopped_by and not trainer.finished:
        log.info(f"stopped by {stopped_by} at step {trainer.step:,}; saved. Go on with --resume")
        return
    summary = summarize(trainer, seconds, first_step)
    folder.mark_done(dataclasses.asdict(summary))
    for line in summary_lines(summary, config.frames_per_step):
        log.info(line)
    for line in next_commands(folder.path, config):
        log.info(line, extra=WHOLE)
