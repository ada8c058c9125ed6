"""Which checkpoint of a folder is read: the newest that is whole, or the best one as the newest names it.

The run may go on beside this, and delete what is about to be read; then there are newer ones, which are read instead.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NamedTuple

from atari_dqn.storage.checkpoint import load
from atari_dqn.storage.schema import CheckpointError, integer, table
from atari_dqn.storage.steps import list_steps, step_directory

log = logging.getLogger(__name__)

BEST = table({"counters": table({"best_step": integer(-1)}, more=True)}, more=True)


class Loaded(NamedTuple):
    """A checkpoint that was read."""

    directory: Path
    state: dict[str, Any]
    meta: dict[str, Any]


def load_newest(folder: Path) -> Loaded | None:
    """The newest checkpoint in `folder` that can be read; damaged ones are named and passed over."""
    failed: dict[Path, CheckpointError] = {}
    found: Loaded | None = None
    while found is None and (left := [directory for directory in list_steps(folder) if directory not in failed]):
        try:
            found = Loaded(left[-1], *load(left[-1]))
        except CheckpointError as error:
            failed[left[-1]] = error
    for directory, reason in failed.items():
        if found is None or directory > found.directory:
            log.warning(f"skipping a checkpoint: {reason}")
    return found


def load_best(folder: Path, newest: Loaded) -> Loaded | None:
    """The checkpoint with the best evaluation of a run so far; None if it has not been evaluated.

    Args:
      folder: of the checkpoints.
      newest: of them, from `load_newest`.

    Raises:
      CheckpointError: it is missing or damaged.
    """
    BEST(newest.state, "")
    if (step := newest.state["counters"]["best_step"]) < 0:
        return None
    directory = step_directory(folder, step)
    try:
        return Loaded(directory, *load(directory))
    except CheckpointError as error:
        newer = load_newest(folder)
        if newer is not None and newer.directory > newest.directory:
            return load_best(folder, newer)
        raise CheckpointError(f"the best checkpoint cannot be read ({error}); use --checkpoint last") from error
