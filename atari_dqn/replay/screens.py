"""Screens of an emulator to frames, where the replay keeps them: luminance, maximum of the two, 84 x 84 by areas.

Areas are averaged and rounded (D3). The arithmetic is that of OpenCV's INTER_AREA on bytes, which ale-py uses, sum by
sum in float32: rows first, from left to right, then columns from the top, then rounding half to even. So not one
pixel differs from ale-py's own frames (`benchmarks/sweep_workers.py`). Product and sum stay operations of their own:
fused into one they round differently.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from atari_dqn.cuda_graph import captured
from atari_dqn.types import Screens


def area_taps(size: int, smaller: int) -> tuple[Tensor, Tensor]:
    """What `size` pixels give to each of `smaller` ones: where from ([T, smaller] int64), and weights (float32).

    A pixel covers `size / smaller` old ones; the outer ones of these count by their covered part. Where there are fewer
    than T, the rest have weight 0.
    """
    scale = size / smaller
    taps: list[list[tuple[int, float]]] = []
    for pixel in range(smaller):
        begin, end = pixel * scale, (pixel + 1) * scale
        covered = min(scale, size - begin)
        first, last = math.ceil(begin), min(math.floor(end), size - 1)  # those within: [first, last)
        first = min(first, last)
        row = [(first - 1, (first - begin) / covered)] if first - begin > 1e-3 else []
        row += [(old, 1.0 / covered) for old in range(first, last)]
        if end - last > 1e-3:
            row.append((last, min(end - last, 1.0, covered) / covered))
        taps.append(row)
    most = max(map(len, taps))
    filled = [row + [(0, 0.0)] * (most - len(row)) for row in taps]
    where = torch.tensor([[row[tap][0] for row in filled] for tap in range(most)])
    weight = torch.tensor([[row[tap][1] for row in filled] for tap in range(most)], dtype=torch.float32)
    return where, weight


class Shrinker:
    """Pairs of screens -> frames, [n, 2, H, W] uint8 from anywhere -> [n, *frame_shape] uint8 on `device`.

    Args:
      screens:     what arrives.
      frame_shape: height and width of a frame.
      device:      where frames are made; on a GPU as one launch, into memory that the next call overwrites.
    """

    def __init__(self, screens: Screens, frame_shape: tuple[int, ...], device: torch.device | str) -> None:
        self.height, self.width = frame_shape
        self.luminance = torch.tensor(screens.luminance, dtype=torch.uint8, device=device)
        rows, row_weight = area_taps(screens.height, self.height)
        columns, column_weight = area_taps(screens.width, self.width)
        self.rows, self.columns = rows.flatten().to(device), columns.flatten().to(device)
        self.row_weight, self.column_weight = row_weight[..., None].to(device), column_weight.to(device)
        self.device = torch.device(device)
        self._shrink = captured(self.shrink, device)

    def __call__(self, screens: Tensor) -> Tensor:
        return self._shrink(screens)

    def shrink(self, screens: Tensor) -> Tensor:
        """The arithmetic, on `device`."""
        bright = self.luminance.index_select(0, screens.flatten().int()).view_as(screens).amax(dim=1)
        taps = bright.index_select(2, self.columns).float()
        wide = _sum_of_taps(taps.view(len(screens), -1, len(self.column_weight), self.width), self.column_weight)
        taps = wide.index_select(1, self.rows).view(len(screens), len(self.row_weight), self.height, self.width)
        return _sum_of_taps(taps, self.row_weight, dim=1).round().to(torch.uint8)


def _sum_of_taps(taps: Tensor, weight: Tensor, dim: int = 2) -> Tensor:
    """Weighed and summed over `dim`, in order."""
    first, *rest = (taps * weight).unbind(dim)
    for tap in rest:
        first = first + tap
    return first
