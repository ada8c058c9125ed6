"""Fully connected layers, and how a network ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

FEW_OUTPUTS = 18  # as many as there are actions in Atari


def in_full_precision(layer: nn.Module, x: Tensor) -> Tensor:
    """The layer in float32 even under autocast.

    Values of actions differ by less than bf16 can tell apart: at Q = 1 its numbers are 1/128 apart, so that actions
    would tie and the first of them win.
    """
    if not torch.is_autocast_enabled(x.device.type):
        return _last_layer(layer, x.float())
    with torch.autocast(x.device.type, enabled=False):
        return _last_layer(layer, x.float())


def _last_layer(layer: nn.Module, x: Tensor) -> Tensor:
    if torch.compiler.is_compiling() and type(layer) is nn.Linear and layer.out_features <= FEW_OUTPUTS:
        # fused into one kernel; a matrix product this narrow has one of its own, of 14 us
        return (x[:, None] * layer.weight).sum(dim=2) + layer.bias
    return layer(x)


class Head(Protocol):
    """How the numbers of a network's last layer are action values, and how they are taught. M of them per action.

    What works on tensors here is part of a CUDA graph: no choice by values, no wait for the device.
    """

    @property
    def outputs(self) -> int:
        """M."""
        ...

    @property
    def limit(self) -> float:
        """Largest value that can be told, in discounted (clipped) rewards; infinite where there is none."""
        ...

    def surprise(self, losses: Tensor, error: Tensor) -> Tensor:
        """What prioritized replay goes by, [B], of the two that `losses` returns."""
        ...

    def values(self, outputs: Tensor) -> Tensor:
        """Q-values: [B, A * M] float32 -> [B, A]."""
        ...

    def of_actions(self, outputs: Tensor, action: Tensor) -> Tensor:
        """What is said of one action each: [B, A * M], [B] int64 -> [B] values, or [B, M] logits or quantiles."""
        ...

    def losses(
        self, outputs: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How far the online network is from r + discount * following, for each transition.

        Args:
          outputs:   [B, A * M] float32, online network at s.
          action:    [B] int64, taken at s.
          reward:    [B] float32, clipped, summed over the steps between s and s'.
          discount:  [B] float32, gamma to the power of those steps; 0 where no value follows.
          following: `of_actions` of the target network at s'; receives no gradient.

        Returns:
          Losses [B], and TD errors of the values [B], which have no gradient.
        """
        ...


Linear = Callable[[int, int], nn.Linear]
"""Makes a fully connected layer from its numbers of inputs and outputs."""


@dataclass(frozen=True)
class Ending:
    """What published ideas change at the end of a network; the defaults change nothing."""

    head: Head | None = None
    """How the last layer says values. None: it says them itself."""
    dueling: bool = False
    """See `Dueling`."""
    linear: Linear = nn.Linear
    """Makes the fully connected layers."""


PLAIN = Ending()


def dueling_values(value: Tensor, advantage: Tensor) -> Tensor:
    """Q-values of the two streams of a dueling network; the mean of a state's advantages is taken off.

    Without that a number could move from one stream to the other, and neither would be known.

    Args:
      value:     [B, M] float32, V(s).
      advantage: [B, A, M] float32, A(s, .).

    Returns:
      [B, A, M] float32; their mean over the actions is V(s).

    Source: Wang et al. 2016, Dueling network architectures, eq. 9; with M logits each, Hessel et al. 2018, Rainbow.
      Q(s, a) = V(s) + A(s, a) - mean_a' A(s, a')
    """
    return value[:, None] + advantage - advantage.mean(dim=1, keepdim=True)


class Dueling(nn.Module):
    """The end of a network whose first half of units values the state, and the other what each action adds to it.

    What is learned of one action so serves all others, which matters where there are many.

    Args:
      num_inputs:  units.
      num_actions: A.
      bins:        M, outputs for each action; 1 where they are values.
      linear:      makes the layers.

    Source: see `dueling_values`.
    """

    def __init__(self, num_inputs: int, num_actions: int, bins: int, linear: Linear = nn.Linear) -> None:
        super().__init__()
        self.split = [num_inputs // 2, num_inputs - num_inputs // 2]
        self.value = linear(self.split[0], bins)
        self.advantage = linear(self.split[1], num_actions * bins)

    def forward(self, x: Tensor) -> Tensor:
        """[B, num_inputs] -> [B, A * M]."""
        state, action = torch.split(x, self.split, dim=1)
        value = self.value(state)
        return dueling_values(value, self.advantage(action).unflatten(1, (-1, value.shape[1]))).flatten(1)


def fully_connected(
    num_inputs: int, hidden_sizes: Sequence[int], layer_norm: bool, linear: Linear = nn.Linear
) -> nn.Sequential:
    """Linear layers with ReLU after each.

    With `layer_norm` a layer's sums have mean 0 and variance 1 over its units before the ReLU, then a gain and a bias
    each. So no step of the optimizer can switch all of them off at once, which Adam's first steps do now and then:
    all rewards are -1 in the first games of Pong, and every unit that raises a value is pushed below 0.

    Source: Ba et al. 2016, Layer normalization, eq. 3; for Q-learning, Gallici et al. 2024.
    """
    layers: list[nn.Module] = []
    for size in hidden_sizes:
        layers += [linear(num_inputs, size), *([nn.LayerNorm(size)] if layer_norm else []), nn.ReLU()]
        num_inputs = size
    return nn.Sequential(*layers)


class QNetwork(nn.Module):
    """A network that ends in fully connected layers; `features` says what comes before them."""

    head: Head | None
    hidden: nn.Sequential
    last: nn.Linear | Dueling

    def add_layers(
        self,
        num_inputs: int,
        num_actions: int,
        hidden_sizes: Sequence[int],
        *,
        layer_norm: bool,
        ending: Ending,
    ) -> None:
        """`hidden` and `last`, behind the layers that are there already."""
        self.head, linear = ending.head, ending.linear
        self.hidden = fully_connected(num_inputs, hidden_sizes, layer_norm, linear)
        units, bins = [num_inputs, *hidden_sizes][-1], self.head.outputs if self.head else 1
        self.last = Dueling(units, num_actions, bins, linear) if ending.dueling else linear(units, num_actions * bins)

    def forward(self, obs: Tensor) -> Tensor:
        """Q-values of every action: observations -> [B, A] float32, also under autocast."""
        outputs = self.outputs(obs)
        return self.head.values(outputs) if self.head else outputs

    def outputs(self, obs: Tensor) -> Tensor:
        """Of the last layer: [B, A * M] float32, which `head` makes values of; without one, [B, A] Q-values."""
        return in_full_precision(self.last, self.hidden(self.features(obs)))

    def features(self, obs: Tensor) -> Tensor:
        """What enters the fully connected layers: observations -> [B, F]."""
        raise NotImplementedError
