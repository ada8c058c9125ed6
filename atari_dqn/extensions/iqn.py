"""IQN: the level of a quantile is an input of the network, so it learns the quantiles of all levels.

    observation  -> base.features            -> [B, F]    --+
    level [B, N] -> 64 cosines -> embedding -> [B, N, F] --*-> hidden -> last -> [B, N, A]

    network(obs)            [B, A] Q-values, means over K = 32 fixed levels: acting and evaluation
    draw_noise(network, g)  new levels, N of them for each row of a minibatch; see random_buffers.py
    network.outputs(obs)    [B, (A + 1) * N] quantiles of those levels and, last, the levels themselves

As the levels travel with the quantiles, `ImplicitQuantileHead` is used as any other head is, for the online and for the
target network: N = N', as in the paper. Two departures from it: actions are chosen by 32 evenly spaced levels instead
of 32 drawn ones, which says the mean without chance; and whoever takes `head.values` of the target network's outputs
for the best action uses the levels of the targets, where the paper draws others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from atari_dqn.extensions.quantiles import QuantileHead, midpoints
from atari_dqn.extensions.random_buffers import RandomBuffers
from atari_dqn.networks.heads import Dueling, QNetwork, in_full_precision

COSINES = 64  # n, numbers that a level becomes
LEVELS = 64  # N = N', of a transition in training
ACTING_LEVELS = 32  # K, of an observation in acting


def cosine_features(level: Tensor, cosines: int = COSINES) -> Tensor:
    """A level as numbers that a linear layer can tell apart: [B, N] in [0, 1] -> [B, N, cosines] float32.

    Source: Dabney et al. 2018b, Implicit quantile networks, eq. 4.   cos(pi i level), i = 0, ..., n - 1
    """
    return torch.cos(math.pi * torch.arange(cosines, device=level.device) * level[..., None])


class ImplicitQuantileNetwork(QNetwork, RandomBuffers):
    """A Q-network that answers with quantiles of any levels.

    Args:
      base: Q-network without a head; its `hidden` and `last` layers move here, its `features` are multiplied.
      rows: transitions at most that `outputs` is asked about at once.

    Attributes:
      level: [rows, N] float32 in [0, 1), those of the next `outputs`.

    Source: Dabney et al. 2018b, section 3.1 and eq. 4.
    """

    level: Tensor
    acting_level: Tensor

    def __init__(self, base: QNetwork, rows: int) -> None:
        super().__init__()
        self.base, self.head = base, ImplicitQuantileHead()
        first = next(layer for layer in (*base.hidden, base.last) if isinstance(layer, nn.Linear | Dueling))
        num_features = sum(first.split) if isinstance(first, Dueling) else first.in_features
        self.embedding = nn.Linear(COSINES, num_features)
        self.hidden, self.last = base.hidden, base.last
        del base.hidden, base.last
        self.register_buffer("level", torch.empty(rows, LEVELS), persistent=False)
        self.register_buffer("acting_level", midpoints(ACTING_LEVELS)[None], persistent=False)
        self.silence()

    def features(self, obs: Tensor) -> Tensor:
        """See `QNetwork`."""
        return self.base.features(obs)

    def quantiles(self, obs: Tensor, level: Tensor) -> Tensor:
        """Quantiles of the returns of every action.

        Args:
          obs:   [B, K, ...] observations.
          level: [B, N] float32 in [0, 1], or [1, N] for all alike.

        Returns:
          [B, N, A] float32, also under autocast.
        """
        features = self.features(obs)
        embedded = self.embedding(cosine_features(level)).relu().to(features.dtype)
        mixed = (features[:, None] * embedded).flatten(0, 1)
        return in_full_precision(self.last, self.hidden(mixed)).unflatten(0, (obs.shape[0], -1))

    def forward(self, obs: Tensor) -> Tensor:
        """Q-values, [B, A] float32: means over fixed levels."""
        return self.quantiles(obs, self.acting_level).mean(dim=1)

    def outputs(self, obs: Tensor) -> Tensor:
        """For `ImplicitQuantileHead`: [B, (A + 1) * N] float32, at the levels that were drawn last."""
        assert len(obs) <= len(self.level), f"{len(obs)} observations, but levels for {len(self.level)}"
        level = self.level[: len(obs)]
        return torch.cat([self.quantiles(obs, level).transpose(1, 2), level[:, None]], dim=1).flatten(1)

    def draw(self, generator: torch.Generator) -> None:
        """See `RandomBuffers`."""
        self.level.uniform_(generator=generator)

    def silence(self) -> None:
        """Levels in even steps, the same for each transition."""
        self.level.copy_(midpoints(LEVELS))


class ImplicitQuantileHead(QuantileHead):
    """`QuantileHead` for outputs that bring their own levels, behind those of the last action: [B, (A + 1) * N].

    Source: Dabney et al. 2018b, eq. 3: the same loss, summed over N and averaged over N'.
    """

    def __init__(self) -> None:
        super().__init__(LEVELS)

    def quantiles_and_levels(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """[B, (A + 1) * N] -> [B, A, N] and [B, N]."""
        by_action = self.by_action(outputs)
        return by_action[:, :-1], by_action[:, -1]
