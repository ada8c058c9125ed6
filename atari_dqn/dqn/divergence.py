"""Training whose numbers are no longer numbers: it ends with one message, and no checkpoint is written of it."""

from __future__ import annotations

import math

from torch import nn

from atari_dqn.errors import UsageError


class TrainingDiverged(UsageError):
    """The loss or the weights are no numbers; the checkpoints before them are good."""


def refuse_broken_loss(loss: float, step: int) -> None:
    """Raises TrainingDiverged if the mean loss at an agent step is infinite or no number."""
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f"the loss is {loss} at step {step}; nothing was saved since the last checkpoint. "
            "Go on from it with --resume, or start again with a lower learning_rate"
        )


def refuse_broken_weights(model: nn.Module, step: int) -> None:
    """Raises TrainingDiverged rather than let the checkpoint of a broken network push out the good ones."""
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise TrainingDiverged(
            f"weights of the network are infinite or no number at step {step}; the last checkpoint is good. "
            "Go on from it with --resume, or start again with a lower learning_rate"
        )
