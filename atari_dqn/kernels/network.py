"""The paper's network forward, and its weights in bfloat16 as the kernels read them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from atari_dqn.kernels import convolution, dense
from atari_dqn.networks.convolutions import PIXEL_SCALE, space_to_depth_kernel
from atari_dqn.networks.nature_cnn import NatureCNN

PLANES, SIDE, CELLS = 4, 84, 21
FEATURES, UNITS, PLACES = 3136, 512, 49
POSITIONS_AT_ONCE = 64  # of a weight gradient's matrix product
HIDDEN_PARTS = 7  # of the hidden layer's sums over features


class Layer(NamedTuple):
    """A convolution as the kernels know it, and how its work is cut up."""

    SIZE: int
    C: int
    OUT: int
    O: int  # noqa: E741
    KERNEL: int
    STRIDE: int
    forward_block: int  # positions of a program
    backward_block: int
    steps: int  # blocks of positions of a weight gradient's program

    @property
    def shape(self) -> dict[str, int]:
        """The kernels' constants."""
        return {name: getattr(self, name) for name in ("SIZE", "C", "OUT", "O", "KERNEL", "STRIDE")}

    @property
    def weights(self) -> int:
        return self.O * self.KERNEL**2 * self.C

    def positions(self, images: int) -> int:
        return images * self.OUT**2

    def parts(self, images: int) -> int:
        """Programs that share the sum over positions."""
        return math.ceil(self.positions(images) / (POSITIONS_AT_ONCE * self.steps))


# the first reads cells of 4 x 4 pixels, so its 8 x 8 kernel of stride 4 is one of 2 x 2 with stride 1
LAYERS = (
    Layer(21, 64, 20, 32, 2, 1, forward_block=128, backward_block=0, steps=8),
    Layer(20, 32, 9, 64, 4, 2, forward_block=32, backward_block=64, steps=3),
    Layer(9, 64, 7, 64, 3, 1, forward_block=16, backward_block=32, steps=2),
)


def launch(
    kernel: Any, grid: tuple[int, ...], *arguments: Any, warps: int = 4, stages: int = 3, **constants: int
) -> None:
    """Run a kernel on the current stream."""
    kernel[grid](*arguments, num_warps=warps, num_stages=stages, **constants)


class Network:
    """A network that `fits`, its weights as they are multiplied.

    Args:
      model: the float32 weights.
      dtype: of the copies.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype) -> None:
        network: Any = model
        self.convolutions, self.hidden, self.last = network.convolutions, network.hidden[0], network.last
        self.device, self.dtype = self.last.weight.device, dtype
        shapes = [(layer.O, layer.KERNEL, layer.KERNEL, layer.C) for layer in LAYERS]
        self.copies = [torch.empty(shape, dtype=dtype, device=self.device) for shape in [*shapes, (UNITS, FEATURES)]]

    def copy_weights(self) -> None:
        """Bring the copies up to date."""
        first, *others = [layer.weight.detach() for layer in self.convolutions]
        self.copies[0].copy_((space_to_depth_kernel(first) * PIXEL_SCALE).permute(0, 2, 3, 1))
        for copy, weight in zip(self.copies[1:], others, strict=False):
            copy.copy_(weight.permute(0, 2, 3, 1))
        self.copies[3].copy_(self.hidden.weight.detach())

    def cells(self, obs: Tensor) -> Tensor:
        """[B, 4, 84, 84] uint8 as the first convolution reads them: [B, 21, 21, 64]."""
        cells = torch.empty(len(obs), CELLS, CELLS, 16 * PLANES, dtype=self.dtype, device=self.device)
        launch(convolution.pixels, (len(obs) * CELLS,), obs.contiguous(), cells,
               PLANES=PLANES, SIDE=SIDE, CELLS=CELLS, BLOCK=32)  # fmt: skip
        return cells

    def forward(self, cells: Tensor, active: list[Tensor], hidden_parts: Tensor) -> None:
        """From cells to the parts of the hidden layer's sums, [HIDDEN_PARTS, B, 512]; `active` is what lies between."""
        batch = len(cells)
        for number, (layer, x) in enumerate(zip(LAYERS, [cells, *active], strict=False)):
            block = layer.forward_block if batch <= 64 else 128
            launch(convolution.forward, (math.ceil(layer.positions(batch) / block),),
                   x, self.copies[number], self.convolutions[number].bias.detach(), active[number],
                   layer.positions(batch), PLANES_FIRST=int(number == 2), BLOCK=block, BLOCK_K=64,
                   warps=2 if block == 16 else 4, stages=4, **layer.shape)  # fmt: skip
        rows, units = (32, 32) if batch <= 32 else (64, 64)
        launch(dense.hidden, (UNITS // units, HIDDEN_PARTS, math.ceil(batch / rows)), active[2], self.copies[3],
               hidden_parts, batch, FEATURES=FEATURES, UNITS=UNITS, STEPS=FEATURES // 64 // HIDDEN_PARTS,
               BLOCK_M=rows, BLOCK=units, BLOCK_K=64, stages=4)  # fmt: skip

    @torch.no_grad()
    def best_values(self, obs: Tensor) -> Tensor:
        """max_a Q(s, a): [B, 4, 84, 84] uint8 -> [B] float32."""
        self.copy_weights()
        batch, cells = len(obs), self.cells(obs)
        active = [cells.new_empty(batch, layer.OUT**2 * layer.O) for layer in LAYERS]
        parts = torch.empty(HIDDEN_PARTS, batch, UNITS, device=self.device)
        self.forward(cells, active, parts)
        best = torch.empty(batch, device=self.device)
        launch(dense.best_value, (batch,), parts, self.hidden.bias.detach(), self.last.weight.detach(),
               self.last.bias.detach(), best, batch,
               PARTS=HIDDEN_PARTS, ROWS=8, UNITS=UNITS, ACTIONS=len(self.last.bias))  # fmt: skip
        return best


def fits(model: nn.Module) -> bool:
    """Is this the network that the kernels are written for: the paper's, with nothing added?"""
    if type(model) is not NatureCNN or model.mean_frame is not None or model.head is not None:
        return False
    hidden: list[Any] = list(model.hidden)
    shapes = [tuple(layer.weight.shape) for layer in model.convolutions]
    return (
        shapes == [(32, PLANES, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3)]
        and all(layer.weight.is_contiguous(memory_format=torch.channels_last) for layer in model.convolutions)
        and [type(layer) for layer in hidden] == [nn.Linear, nn.ReLU]
        and tuple(hidden[0].weight.shape) == (UNITS, FEATURES)
        and type(model.last) is nn.Linear
    )
