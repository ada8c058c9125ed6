"""The numbers of a run on Weights & Biases: a mirror beside the run folder, which stays the place that counts.

The id of the wandb run is kept in the run folder, so a resumed run goes on as the same one there. What was written
after the checkpoint cannot be cut off at wandb: it refuses points of steps it has seen, so none stands twice.
"""

from __future__ import annotations

import io
import math
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.ports import Animation, Evaluation, Histogram, Image, Logger, Value
from atari_dqn.errors import UsageError
from atari_dqn.runs.tensorboard import HISTOGRAM_BINS
from atari_dqn.safe_files import TABLE_BYTES, read_text, write_text

RUN_ID = "wandb_id"  # file in the run folder
PROJECT = "atari_dqn"  # unless WANDB_PROJECT says otherwise


class WandbLogger:
    """Writes to Weights & Biases; WANDB_MODE=offline keeps everything in `<run folder>/wandb`.

    Args:
      folder: the run folder; exists.
      config: the settings of the run.

    Raises:
      UsageError: wandb does not start (no account on this machine, no network).
    """

    def __init__(self, folder: Path, config: Config) -> None:
        import wandb

        path = folder / RUN_ID
        if not path.exists():
            write_text(path, f"{uuid.uuid4().hex[:8]}\n")
        if not re.fullmatch("[0-9a-f]{8}", run_id := read_text(path, TABLE_BYTES).strip()):
            raise UsageError(f"{path} holds no id of a run at wandb; remove it, and the run begins anew there")
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                id=run_id,
                resume="allow",
                name=f"{config.game}-{config.preset}-seed{config.seed}",
                dir=folder,
                config=config.flat(),
                settings=wandb.Settings(console="off", silent=True),
            )
        except wandb.Error as error:
            raise UsageError(
                f"wandb does not start ({error}); log in with `wandb login`, or keep the numbers here: "
                "WANDB_MODE=offline"
            ) from error
        self._wandb = wandb

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        theirs = {tag: self._theirs(value) for tag, value in values.items()}
        self._run.log({tag: value for tag, value in theirs.items() if value is not None}, step=step)

    def _theirs(self, value: Value) -> Any:
        """What wandb draws as this; None of a number that is none."""
        if isinstance(value, Histogram):  # wandb would make a list of millions of weights first
            return self._wandb.Histogram(np_histogram=np.histogram(value.values, HISTOGRAM_BINS))
        if isinstance(value, Image):
            return self._wandb.Image(value.pixels)
        if isinstance(value, Animation):
            return self._wandb.Video(io.BytesIO(value.gif), format="gif")
        return value if math.isfinite(value) else None

    def evaluation(self, result: Evaluation, best: bool) -> None:
        """The curves have its numbers already; here only which one was the best."""
        if best:
            self._run.summary.update({"best_eval": result.mean, "best_eval_step": result.step})

    def message(self, text: str) -> None: ...
    def flush(self) -> None: ...

    def close(self) -> None:
        self._run.log({}, commit=True)  # the newest step is held open for more values; finish() may lose it
        self._run.finish()


class CompositeLogger:
    """Passes every call to two loggers, one after the other."""

    def __init__(self, first: Logger, second: Logger) -> None:
        self.both = first, second

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        for logger in self.both:
            logger.log(step, values)

    def evaluation(self, result: Evaluation, best: bool) -> None:
        for logger in self.both:
            logger.evaluation(result, best)

    def message(self, text: str) -> None:
        for logger in self.both:
            logger.message(text)

    def flush(self) -> None:
        for logger in self.both:
            logger.flush()

    def close(self) -> None:
        for logger in self.both:
            logger.close()
