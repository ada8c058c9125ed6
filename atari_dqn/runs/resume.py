"""Going on with a run: the newest checkpoint that can be read."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atari_dqn.config import Config
from atari_dqn.dqn import schedules
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.errors import MachineRefused, UsageError
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.folder import RunFolder, read_done
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments, segments_of
from atari_dqn.storage.schema import CheckpointError, Kind
from atari_dqn.storage.steps import list_steps

log = logging.getLogger(__name__)


class ForeignCheckpoint(UsageError):
    """A checkpoint that is whole, but of another game or network."""


def read_newest(
    folder: RunFolder,
    config: Config,
    replay: FrameReplay,
    store: FrameSegments,
    *,
    kind: Kind,
) -> dict[str, Any] | None:
    """State of the newest checkpoint that can be read, its replay filled; damaged ones are named and put aside.

    Args:
      folder: of the run.
      config: what is wanted now.
      replay: to be filled.
      store:  of its frames.
      kind:   what a state must be, see `run_state`.

    Returns:
      The state; None where there is no checkpoint at all. The replay stays empty under `save_replay=False`, and for a
      checkpoint that was kept for its score only.

    Raises:
      UsageError: none can be read, or one is of another game.
    """
    checkpoint.restore_replaced(folder.checkpoints)
    damaged: list[Path] = []
    for directory in reversed(list_steps(folder.checkpoints)):
        try:
            state, is_exact = _read(directory, config, replay, store, kind)
        except (ForeignCheckpoint, MachineRefused):
            raise
        except UsageError as error:
            replay.clear()
            log.warning(f"skipping the checkpoint {directory}: {error}")
            damaged.append(directory)
            continue
        for other in damaged:  # out of the way of the one that will be written at its step
            os.replace(other, other.with_name(f"damaged_{other.name}_{time.time_ns()}"))
        _tell(directory, state["envs"], is_exact)
        return state
    if list_steps(folder.checkpoints):
        raise UsageError(
            f"no checkpoint in {folder.checkpoints} can be read with its replay; was config.json changed? "
            "--no-save-replay goes on from the newest network with an empty one"
        )
    log.info("no checkpoint yet: starting at step 0")
    return None


def _read(
    directory: Path, config: Config, replay: FrameReplay, store: FrameSegments, kind: Kind
) -> tuple[dict[str, Any], bool]:
    """The state in a checkpoint, and whether its replay came with it."""
    state, meta = checkpoint.load(directory)
    _refuse_foreign(directory, meta, config)
    kind(state, "")
    segments = segments_of(meta) if config.logging.save_replay else []
    if segments and state["replay"] is None:
        raise CheckpointError("the frames of its replay are listed, but not what is known of them")
    if segments:
        replay.load_state_dict(state["replay"])
        store.read(replay.ring, segments)
    return state, bool(segments)


def _tell(directory: Path, envs: Mapping[str, Any], is_exact: bool) -> None:
    inexact = "" if is_exact else "; the replay fills up again first, so this is not an exact continuation"
    played = max(len(group.get("log", ())) for group in envs.get("groups", [envs]))
    again = f"; the games play {played:,} steps each again" if played else ""
    log.info(f"resuming from {directory}{again}{inexact}")


def _refuse_foreign(directory: Path, meta: Mapping[str, Any], config: Config) -> None:
    if meta.get("game") != config.game:
        raise ForeignCheckpoint(
            f"{directory} is a checkpoint of {meta.get('game')!r}, this run plays {config.game!r}; "
            "move it away, or resume the run that it came from"
        )


def nothing_is_left(folder: RunFolder, trainer: Trainer) -> bool:
    """Is the run finished, with nothing that this resume adds? Else its folder takes over what the resume changes.

    Args:
      folder:  of the run, its config as it was before.
      trainer: continues from the newest checkpoint, with the config wanted now.
    """
    if trainer.finished and read_done(folder.path) is not None:
        log.info(f"{folder.path} is finished, at step {trainer.step:,}; a larger --total-steps makes it longer")
        return True
    step = max(trainer.step, trainer.config.replay.learning_starts)
    before, now = schedules.learning_rate(folder.config, step), schedules.learning_rate(trainer.config, step)
    if before != now:
        log.warning(
            f"the step size falls until total_steps, which was {folder.config.total_steps:,} and is now "
            f"{trainer.config.total_steps:,}: from step {trainer.step:,} on it is {now:.2g} instead of {before:.2g}. "
            "This is not the run that would have been so long from the start"
        )
    folder.go_on(trainer.config)
    return False


def go_on(trainer: Trainer, state: dict[str, Any]) -> None:
    """Put the state of a checkpoint into the parts of a run.

    Raises:
      UsageError: it is of another network or other environments.
    """
    try:
        trainer.load_state_dict(state)
    except UsageError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"the checkpoint does not fit the networks and environments of this run ({reason}); "
            "was config.json changed, or the checkpoint copied from another run?"
        ) from error
