"""Convolutions as matrix products of patches that are gathered while they are multiplied, forward and backward.

Images are square, channels last: [B, SIZE, SIZE, C] -> [B, OUT, OUT, O]. Weights lie as [O, kernel row, kernel column,
C], so the part of a patch that is one line of the kernel lies side by side in both. Every sum has a fixed order.

    position   one place of the output of one image, B * OUT * OUT of them
    K          numbers in a patch, KERNEL * KERNEL * C
    LINE       those of one line of the kernel, KERNEL * C
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def pixels(obs, out, PLANES: tl.constexpr, SIDE: tl.constexpr, CELLS: tl.constexpr, BLOCK: tl.constexpr):
    """`convolutions.space_to_depth` by 4, of [B, PLANES, SIDE, SIDE] uint8: [B, CELLS, CELLS, 16 PLANES]."""
    line = tl.program_id(0)
    image, row = line // CELLS, line % CELLS
    column = tl.arange(0, BLOCK)
    channel = tl.arange(0, 16 * PLANES)
    plane, y, x = channel // 16, channel // 4 % 4, channel % 4
    source = ((image * PLANES + plane) * SIDE + row * 4 + y) * SIDE + x
    live = (column < CELLS)[:, None] & (channel >= 0)[None, :]
    values = tl.load(obs + source[None, :] + column[:, None] * 4, mask=live, other=0)
    places = (line * CELLS + column)[:, None] * (16 * PLANES) + channel[None, :]
    tl.store(out + places, values.to(tl.float32).to(out.dtype.element_ty), mask=live)


@triton.jit
def forward(
    x, weight, bias, y, positions,
    SIZE: tl.constexpr, C: tl.constexpr, OUT: tl.constexpr, O: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr,
    PLANES_FIRST: tl.constexpr, BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """Convolution, bias and ReLU; with PLANES_FIRST the result is [B, O, OUT, OUT], as a flattened image wants it."""
    K: tl.constexpr = KERNEL * KERNEL * C
    LINE: tl.constexpr = KERNEL * C
    position = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = position < positions
    image, place = position // (OUT * OUT), position % (OUT * OUT)
    corner = ((image * SIZE + place // OUT * STRIDE) * SIZE + place % OUT * STRIDE) * C
    filters = tl.arange(0, O)
    k = tl.arange(0, BLOCK_K)
    total = tl.zeros((BLOCK, O), tl.float32)
    for first in range(0, K, BLOCK_K):
        along = tl.multiple_of(first // LINE * (SIZE * C) + first % LINE, 16)
        patch = tl.load(x + corner[:, None] + (along + k)[None, :], mask=live[:, None], other=0.0)
        kernel = tl.load(weight + filters[None, :] * K + (first + k)[:, None])
        total = tl.dot(patch, kernel, total)
    total = tl.maximum(total + tl.load(bias + filters)[None, :], 0.0)
    if PLANES_FIRST:
        places = (image[:, None] * O + filters[None, :]) * (OUT * OUT) + place[:, None]
    else:
        places = position[:, None] * O + filters[None, :]
    tl.store(y + places, total.to(y.dtype.element_ty), mask=live[:, None])


@triton.jit
def input_gradient(
    dy, weight, x, dx,
    IMAGES: tl.constexpr, SIZE: tl.constexpr, C: tl.constexpr, OUT: tl.constexpr, O: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The gradient of what went into the layer, 0 where that (`x`, after its ReLU) is 0.

    A place of the input meets the kernel's rows of its own parity only: each parity is a program of its own, so no
    multiplication is by a 0 that the stride put in.
    """
    GRID: tl.constexpr = SIZE // STRIDE  # places of one parity, along an edge
    TAPS: tl.constexpr = KERNEL // STRIDE  # rows of the kernel that meet one place
    row_parity, column_parity = tl.program_id(1) // STRIDE, tl.program_id(1) % STRIDE
    number = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = number < IMAGES * GRID * GRID
    image, row, column = number // (GRID * GRID), number // GRID % GRID, number % GRID
    filters, channels = tl.arange(0, O), tl.arange(0, C)
    total = tl.zeros((BLOCK, C), tl.float32)
    for tap in range(TAPS * TAPS):
        up, left = tap // TAPS, tap % TAPS
        y_row, y_column = row - up, column - left
        inside = live & (y_row >= 0) & (y_row < OUT) & (y_column >= 0) & (y_column < OUT)
        places = ((image * OUT + y_row) * OUT + y_column) * O
        grad = tl.load(dy + places[:, None] + filters[None, :], mask=inside[:, None], other=0.0)
        at = ((row_parity + STRIDE * up) * KERNEL + column_parity + STRIDE * left) * C
        kernel = tl.load(weight + filters[:, None] * (KERNEL * KERNEL * C) + at + channels[None, :])
        total = tl.dot(grad, kernel, total)
    places = ((image * SIZE + row * STRIDE + row_parity) * SIZE + column * STRIDE + column_parity) * C
    places = places[:, None] + channels[None, :]
    passes = tl.load(x + places, mask=live[:, None], other=0.0) > 0
    tl.store(dx + places, tl.where(passes, total, 0.0).to(dx.dtype.element_ty), mask=live[:, None])


@triton.jit
def weight_gradient(
    x, dy, parts, bias_parts,
    POSITIONS: tl.constexpr, SIZE: tl.constexpr, C: tl.constexpr, OUT: tl.constexpr, O: tl.constexpr,
    KERNEL: tl.constexpr, STRIDE: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """Sums over STEPS * BLOCK positions each, to be added up in order: parts [P, O * K], bias_parts [P, O]."""
    K: tl.constexpr = KERNEL * KERNEL * C
    LINE: tl.constexpr = KERNEL * C
    part = tl.program_id(1)
    first = tl.program_id(0) * BLOCK_K
    k = tl.arange(0, BLOCK_K)
    along = tl.multiple_of(first // LINE * (SIZE * C) + first % LINE, 16) + k
    filters = tl.arange(0, O)
    total = tl.zeros((O, BLOCK_K), tl.float32)
    bias = tl.zeros((O,), tl.float32)
    for step in range(STEPS):
        position = (part * STEPS + step) * BLOCK + tl.arange(0, BLOCK)
        live = position < POSITIONS
        image, place = position // (OUT * OUT), position % (OUT * OUT)
        corner = ((image * SIZE + place // OUT * STRIDE) * SIZE + place % OUT * STRIDE) * C
        patch = tl.load(x + corner[:, None] + along[None, :], mask=live[:, None], other=0.0)
        grad = tl.load(dy + position[:, None] * O + filters[None, :], mask=live[:, None], other=0.0)
        total = tl.dot(tl.trans(grad), patch, total)
        bias += tl.sum(grad.to(tl.float32), axis=0)
    tl.store(parts + part * (O * K) + filters[:, None] * K + (first + k)[None, :], total)
    if tl.program_id(0) == 0:
        tl.store(bias_parts + part * O + filters, bias)
