"""Training whose numbers go wrong. No longer numbers: it ends with one message, and no checkpoint is written of it.

Values that fill the range of a categorical head: one warning.
"""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from atari_dqn.errors import UsageError

FULL = 0.8  # of the range of a categorical value head: beyond it, targets are cut off in some states


class TrainingDiverged(UsageError):
    """The loss or the weights are no numbers; the checkpoints before them are good."""


def refuse_broken_loss(loss: float, step: int) -> None:
    """Raises TrainingDiverged if the mean loss at an agent step is infinite or no number."""
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f"the loss is {loss} at step {step}; nothing was saved since the last checkpoint. "
            "Go on from it with --resume, if there is one, or start again with a lower learning_rate"
        )


def refuse_broken_values(q: np.ndarray, step: int) -> None:
    """Raises TrainingDiverged if action values at an agent step are infinite or no numbers."""
    if not np.isfinite(q).all():
        raise TrainingDiverged(
            f"action values are infinite or no number at step {step}; earlier checkpoints are good. "
            "Go on from the newest with --resume, if there is one, or start again with a lower learning_rate"
        )


def refuse_broken_weights(model: nn.Module, step: int) -> None:
    """Raises TrainingDiverged rather than let the checkpoint of a broken network push out the good ones."""
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise TrainingDiverged(
            f"weights of the network are infinite or no number at step {step}; earlier checkpoints are good. "
            "Go on from the newest with --resume, if there is one, or start again with a lower learning_rate"
        )


class ValueRange:
    """Watches the values of a categorical head, which cannot say any beyond [-limit, limit]."""

    def __init__(self, limit: float) -> None:
        self.limit, self.told = limit, False

    def warning(self, q: float, step: int) -> str:
        """What to say, once, when the mean value comes near the limit; else empty."""
        if self.told or abs(q) < FULL * self.limit:
            return ""
        self.told = True
        return (
            f"step {step:,}: values are {q:.1f} on average and cannot go beyond value_support ({self.limit:g}): larger "
            "ones are learned as this one. Start again with a larger --value-support, or with a --reward-scale below 1"
        )
