"""Targets of a minibatch: the paper's head and bootstrap. Others are in `extensions/`, behind the same protocols.

    following = target(target network at s')           which action's value, by which network
    losses    = head.losses(online network at s, r + discount * following)

`discount` is gamma to the power of the steps between s and s'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

from atari_dqn.dqn.losses import best_action, td_error
from atari_dqn.networks.heads import Head
from atari_dqn.settings.learning import AlgorithmConfig
from atari_dqn.types import Transitions


class ScalarHead:
    """The network says values themselves: M = 1. See `networks.heads.Head`.

    Args:
      loss: of the TD error, [B] -> [B].
    """

    outputs = 1
    limit = math.inf

    def __init__(self, loss: Callable[[Tensor], Tensor]) -> None:
        self.loss = loss

    def values(self, outputs: Tensor) -> Tensor:
        return outputs

    def of_actions(self, outputs: Tensor, action: Tensor) -> Tensor:
        return outputs.gather(1, action[:, None]).squeeze(1)

    def blend(self, outputs: Tensor, weights: Tensor, shift: Tensor) -> Tensor:
        """Of a policy instead of one action: sum_a weights_a (Q_a + shift_a), [B, A] each -> [B]."""
        return (weights * (outputs + shift)).sum(dim=1)

    def surprise(self, losses: Tensor, error: Tensor) -> Tensor:
        return error

    def losses(
        self, outputs: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        error = td_error(outputs, action, reward, None, following, discount)
        return self.loss(error), error.detach()


class Networks(Protocol):
    """Q-values of both networks, observations -> [B, A] float32."""

    def predict(self, obs: Tensor) -> Tensor: ...
    def predict_by_target(self, obs: Tensor) -> Tensor: ...


class Chance(Protocol):
    """Random numbers that a network computes with, see `extensions/random_buffers.py`."""

    generators: tuple[Any, ...]
    """`torch.Generator`s that a CUDA graph has to know."""

    def renew(self, network: nn.Module) -> None:
        """Draw new ones, before a minibatch and before actions of training are chosen."""
        ...

    def silence(self, network: nn.Module) -> None:
        """None, before actions of an evaluation are chosen."""
        ...

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class NoChance:
    """Networks that compute without chance, as the paper's."""

    generators = ()

    def renew(self, network: nn.Module) -> None: ...
    def silence(self, network: nn.Module) -> None: ...

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Target(Protocol):
    """What is bootstrapped from."""

    def __call__(
        self, head: Head, batch: Transitions, next_outputs: Tensor, networks: Networks
    ) -> tuple[Tensor, Tensor]:
        """The reward that counts, and what follows it.

        Args:
          head:         of both networks.
          batch:        [B] transitions; `reward` is the [B] n-step return.
          next_outputs: [B, A * M], target network at s' (the online one where there is none).
          networks:     for more that has to be asked.

        Returns:
          [B] float32, and `head.of_actions` or the like; neither has a gradient.
        """
        ...


class GreedyTarget:
    """The best action's value.

    Args:
      double_q: the online network picks the action, the target network values it.

    Source: Mnih et al. 2015, Algorithm 1: max_a' Q_target(s', a'). van Hasselt et al. 2016, eq. 4 (Double).
    """

    def __init__(self, double_q: bool = False) -> None:
        self.double_q = double_q

    def __call__(
        self, head: Head, batch: Transitions, next_outputs: Tensor, networks: Networks
    ) -> tuple[Tensor, Tensor]:
        online = networks.predict(batch.next_obs) if self.double_q else None
        action = best_action(head.values(next_outputs), online)
        return batch.reward, head.of_actions(next_outputs, action)


def greedy_target(settings: AlgorithmConfig) -> GreedyTarget:
    """The best action's value, picked as the settings say."""
    return GreedyTarget(settings.double_q)
