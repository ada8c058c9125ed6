"""Q-functions of a few numbers: a table, a linear function, a polynomial, a small network, one interface.

    observation -> scaled to [-1, 1] by the ranges of the game -> cell | numbers | their products -> Q-values

All take [B, K, D] or [B, D] float32 and return [B, A] float32, so that replay, target network and optimizer are the
ones that the paper's network has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atari_dqn.errors import UsageError
from atari_dqn.networks.heads import PLAIN, Ending, QNetwork, in_full_precision

Ranges = Sequence[tuple[float, float]]  # lowest and highest value of each of the D numbers
LARGEST_TABLE = 10_000_000  # cells; optimizers keep two more numbers for each


class Scaling(nn.Module):
    """Each number of the observation on the scale where its range is [-1, 1]; outside of it, beyond: not cut off."""

    low: Tensor
    width: Tensor

    def __init__(self, ranges: Ranges) -> None:
        super().__init__()
        bounds = torch.tensor(ranges, dtype=torch.float32)
        self.register_buffer("low", bounds[:, 0], persistent=False)
        self.register_buffer("width", bounds[:, 1] - bounds[:, 0], persistent=False)

    def forward(self, obs: Tensor) -> Tensor:
        """[B, D] or [B, K, D] -> [B, D] float32."""
        return 2.0 * (obs.flatten(1).float() - self.low) / self.width - 1.0


class TabularQ(nn.Module):
    """A Q table: the range of every number is cut into `bins` equal cells, and each cell of the product has a row.

    What lies beyond a range belongs to its outermost cell. All values are 0 at first. With `sgd`, the squared loss,
    batches of one and no target network this is Watkins' Q-learning, its alpha twice the step size.

    Args:
      ranges:      of the D numbers.
      num_actions: A.
      bins:        cells along each number: the table has bins**D rows.

    Raises:
      UsageError: the table would be too large.

    Source: Watkins 1989, Learning from delayed rewards; cells for the pole: Michie and Chambers 1968 (BOXES).
    """

    strides: Tensor

    def __init__(self, ranges: Ranges, num_actions: int, bins: int) -> None:
        super().__init__()
        cells = bins ** len(ranges)
        if cells > LARGEST_TABLE:
            raise UsageError(
                f"a table of {bins} bins for each of {len(ranges)} numbers has {cells:,} rows; "
                f"at most {LARGEST_TABLE:,}: lower table_bins, or use another network"
            )
        self.bins, self.scaling = bins, Scaling(ranges)
        self.register_buffer("strides", bins ** torch.arange(len(ranges)), persistent=False)
        self.table = nn.Parameter(torch.zeros(cells, num_actions))

    def cells(self, obs: Tensor) -> Tensor:
        """Row of the table for each observation: [B, D] or [B, K, D] -> [B] int64."""
        share = (self.scaling(obs) + 1.0) / 2.0  # of the range, in [0, 1)
        cell = (share * self.bins).floor().clamp(0, self.bins - 1).long()
        return (cell * self.strides).sum(dim=1)

    def forward(self, obs: Tensor) -> Tensor:
        return F.embedding(self.cells(obs), self.table)


class LinearQ(nn.Module):
    """One weight for each number and action, and a bias: Q(s, a) = w_a . s + b_a, with s in [-1, 1].

    Args:
      ranges:      of the D numbers.
      num_actions: A.
    """

    def __init__(self, ranges: Ranges, num_actions: int) -> None:
        super().__init__()
        self.scaling, self.last = Scaling(ranges), nn.Linear(len(ranges), num_actions)

    def forward(self, obs: Tensor) -> Tensor:
        return in_full_precision(self.last, self.scaling(obs))


class PolynomialQ(nn.Module):
    """Linear in all products of up to `degree` numbers of the observation, each in [-1, 1].

    Of 4 numbers there are 14 products of degree 1 and 2, and 34 with those of degree 3.

    Args:
      ranges:      of the D numbers.
      num_actions: A.
      degree:      factors in a product at most, >= 1.
    """

    factors: Tensor

    def __init__(self, ranges: Ranges, num_actions: int, degree: int) -> None:
        super().__init__()
        self.scaling = Scaling(ranges)
        count = len(ranges)
        if (number := math.comb(count + degree, degree)) > LARGEST_TABLE:
            raise UsageError(
                f"{count} numbers have {number:,} products of up to {degree}; at most {LARGEST_TABLE:,}: "
                "lower polynomial_degree, or use another network"
            )
        # number `count` is a constant 1: it fills up the products of fewer factors
        products = list(combinations_with_replacement(range(count + 1), degree))[:-1]
        assert len(products) == math.comb(count + degree, degree) - 1
        self.register_buffer("factors", torch.tensor(products), persistent=False)  # [P, degree]
        self.last = nn.Linear(len(products), num_actions)

    def products(self, obs: Tensor) -> Tensor:
        """[B, D] or [B, K, D] -> [B, P] float32."""
        numbers = F.pad(self.scaling(obs), (0, 1), value=1.0)
        return numbers[:, self.factors].prod(dim=2)

    def forward(self, obs: Tensor) -> Tensor:
        return in_full_precision(self.last, self.products(obs))


class MLP(QNetwork):
    """Fully connected Q-network for vector observations: [B, K, D] or [B, D] float32 -> [B, A]."""

    def __init__(
        self,
        num_inputs: int,
        num_actions: int,
        hidden_sizes: Sequence[int],
        *,
        layer_norm: bool = False,
        ending: Ending = PLAIN,
    ) -> None:
        super().__init__()
        self.add_layers(num_inputs, num_actions, hidden_sizes, layer_norm=layer_norm, ending=ending)

    def features(self, obs: Tensor) -> Tensor:
        """The numbers of the observation: [B, K, D] -> [B, K * D]."""
        return obs.flatten(1).float()
