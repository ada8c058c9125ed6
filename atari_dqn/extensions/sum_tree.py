"""Exact draws in proportion to the values of a million leaves, on a CPU or a GPU, by whole batches.

    level 2            7                   a node is the sum of its `fanout` children (here 2, in truth 64),
    level 1        3       4               so a million leaves make three levels and a draw reads 64 numbers of each
    leaves       2   1   0   4
    draw 4             4 lies in the right half, which begins at 3; 1 in there lies in the last leaf

Values are kept as whole multiples of 2**-30. Sums of whole numbers are exact in any order: nothing drifts over millions
of changes, a GPU gives the same tree every time, and a leaf of 0 is never drawn.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

UNITS = 2.0**30  # per 1.0: what |TD error| = 1e-6 leaves of a priority is still a thousand units
LARGEST_TOTAL = 2**62  # units of all leaves together, in int64


class SumTree:
    """Values of `num_leaves` leaves, all 0 at first, and their sums.

    Args:
      num_leaves: at least 1.
      device:     where values and draws are.
      fanout:     children of a node; many, as a GPU reads 64 numbers as fast as 2, and each level costs launches.

    Source: Schaul et al. 2016, Prioritized experience replay, appendix B.2.1 (there binary and in floating point).
    """

    def __init__(self, num_leaves: int, device: torch.device | str, fanout: int = 64) -> None:
        self.num_leaves, self.fanout = num_leaves, fanout
        self.largest = LARGEST_TOTAL // num_leaves / UNITS  # value; 4096 for a million leaves
        self.levels: list[Tensor] = []  # [blocks of `fanout`] int64 each, leaves first
        count = num_leaves
        while not self.levels or count > 1:
            blocks = -(-count // fanout)
            self.levels.append(torch.zeros((blocks, fanout), dtype=torch.int64, device=device))
            count = blocks

    def set(self, leaves: Tensor, value: Tensor) -> None:
        """Give leaves new values; the largest where a leaf is repeated.

        A positive value is rounded up to a unit, and one above `largest` counts as that, so does NaN.

        Args:
          leaves: [n] int64, in [0, num_leaves).
          value:  [n] float32, >= 0.
        """
        value = value.double().nan_to_num(nan=self.largest).clamp(0.0, self.largest)
        units = (value * UNITS).ceil().long()
        flat = self.levels[0].view(-1)
        flat.index_fill_(0, leaves, 0)
        flat.scatter_reduce_(0, leaves, units, "amax")
        node = leaves
        for below, level in zip(self.levels, self.levels[1:], strict=False):
            node = node // self.fanout
            # nodes that stand here several times get the same sum each time
            level.view(-1).index_copy_(0, node, below.index_select(0, node).sum(dim=1))

    def draw(self, unit: Tensor) -> Tensor:
        """Leaves in proportion to their values.

        Args:
          unit: [n] float64, uniform in [0, 1). (In float32 a million leaves would get 16 numbers each.)

        Returns:
          [n] int64. Meaningless while all values are 0.
        """
        total = self.levels[-1].sum()
        place = torch.minimum((unit * total).long(), total - 1)  # in units, from the first of the leaves below a node
        node = torch.zeros_like(place)
        for level in reversed(self.levels):
            children = level.index_select(0, node)  # [n, fanout]
            ends = children.cumsum(dim=1)
            child = (ends <= place[:, None]).sum(dim=1, keepdim=True)
            place = place - (ends - children).gather(1, child).squeeze(1)
            node = node * self.fanout + child.squeeze(1)
        return node

    def values(self, leaves: Tensor) -> Tensor:
        """[n] int64 -> [n] float64."""
        return self.levels[0].view(-1).index_select(0, leaves).double() / UNITS

    @property
    def total(self) -> Tensor:
        """Sum of all values, [] float64."""
        return self.levels[-1].sum().double() / UNITS

    def state_dict(self) -> dict[str, Any]:
        """The leaves, in units; the sums follow from them."""
        return {"leaves": self.levels[0].view(-1)[: self.num_leaves]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.levels[0].view(-1)[: self.num_leaves].copy_(torch.as_tensor(state["leaves"]))
        for below, level in zip(self.levels, self.levels[1:], strict=False):
            level.view(-1)[: len(below)].copy_(below.sum(dim=1))
