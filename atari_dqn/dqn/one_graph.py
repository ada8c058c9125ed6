"""An update as one compiled graph: loss, gradients and RMSProp, so that a gradient is used where it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from atari_dqn.dqn.optim import CenteredRMSProp, centered_rmsprop

LossOf = Callable[..., tuple[Tensor, Tensor, Tensor]]  # the network last; see `DQN._loss_of_batch`


class OneGraph:
    """One optimizer step, compiled as a whole.

    Args:
      model:     every parameter takes part in its values.
      optimizer: over the parameters that are learned.
      loss_of:   loss, and two tensors besides, of what the call is given and of a network to be asked.
    """

    def __init__(self, model: nn.Module, optimizer: CenteredRMSProp, loss_of: LossOf) -> None:
        self.model, self.optimizer, self.loss_of = model, optimizer, loss_of
        self.learned = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._compiled = torch.compile(self._step, fullgraph=True, dynamic=False)

    def __call__(self, *given: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Step, and leave the gradients at the parameters."""
        (group,) = self.optimizer.param_groups
        states = [self.optimizer.state[weight] for weight in self.learned.values()]
        weights = [weight.detach() for weight in self.learned.values()]
        averages, squares = ([state[name] for state in states] for name in ("gradient_average", "square_average"))
        settings = (group["lr"], group["decay"], group["eps"])
        grads, *stats = self._compiled(weights, averages, squares, settings, given)
        for weight, grad in zip(self.learned.values(), grads, strict=True):
            weight.grad = grad
        loss, q_taken, error = stats
        return loss, q_taken, error

    def _step(
        self, weights: list[Tensor], averages: list[Tensor], squares: list[Tensor], settings: Any, given: Any
    ) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        def loss_of(named: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            loss, *more = self.loss_of(*given, lambda obs: torch.func.functional_call(self.model, named, (obs,)))
            return loss, (more[0], more[1])

        named = dict(zip(self.learned, weights, strict=True))
        by_name, (loss, (q_taken, error)) = torch.func.grad_and_value(loss_of, has_aux=True)(named)
        grads = [by_name[name] for name in named]
        lr, decay, eps = settings
        with torch.no_grad():
            centered_rmsprop(weights, grads, averages, squares, lr=lr, decay=decay, eps=eps)
        return grads, loss, q_taken, error
