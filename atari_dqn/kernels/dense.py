"""The hidden layer, the last layer and the loss; every sum has a fixed order."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def hidden(
    x, weight, parts, rows,
    FEATURES: tl.constexpr, UNITS: tl.constexpr,
    STEPS: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """x [rows, FEATURES] times weight [UNITS, FEATURES]: [P, rows, UNITS], parts of STEPS * BLOCK_K features."""  # noqa: D403
    row = tl.program_id(2) * BLOCK_M + tl.arange(0, BLOCK_M)
    live = (row < rows)[:, None]
    unit = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.program_id(1)
    total = tl.zeros((BLOCK_M, BLOCK), tl.float32)
    for step in range(STEPS):
        k = (part * STEPS + step) * BLOCK_K + tl.arange(0, BLOCK_K)
        left = tl.load(x + row[:, None] * FEATURES + k[None, :], mask=live, other=0.0)
        right = tl.load(weight + unit[None, :] * FEATURES + k[:, None])
        total = tl.dot(left, right, total)
    tl.store(parts + (part * rows + row)[:, None] * UNITS + unit[None, :], total, mask=live)


@triton.jit
def best_value(
    parts, hidden_bias, weight, bias, best, rows,
    PARTS: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, ACTIONS: tl.constexpr,
):  # fmt: skip
    """max_a Q(s, a) from the parts of `hidden`, one state a program."""
    row = tl.program_id(0)
    unit = tl.arange(0, UNITS)
    part = tl.arange(0, ROWS)[:, None]
    total = tl.sum(tl.load(parts + (part * rows + row) * UNITS + unit[None, :], mask=part < PARTS, other=0.0), axis=0)
    active = tl.maximum(total + tl.load(hidden_bias + unit), 0.0)
    value = tl.sum(active * tl.load(weight + unit)) + tl.load(bias)
    for action in range(1, ACTIONS):
        value = tl.maximum(value, tl.sum(active * tl.load(weight + action * UNITS + unit)) + tl.load(bias + action))
    tl.store(best + row, value)


@triton.jit
def head(
    parts, hidden_bias, weight, bias, action, target, h, dh, dq, error, q, scale,
    PARTS: tl.constexpr, ROWS: tl.constexpr, BATCH: tl.constexpr, UNITS: tl.constexpr,
):  # fmt: skip
    """From the parts of `hidden` to its gradient, one transition a program: ReLU, Q(s, a), TD error, clipped loss.

    Only the value of the action taken is needed, for the loss and for its gradient. dq is the loss's gradient by that
    value, times `scale` (1, or 1 / BATCH for a mean).
    """
    row = tl.program_id(0)
    unit = tl.arange(0, UNITS)
    part = tl.arange(0, ROWS)[:, None]
    total = tl.sum(tl.load(parts + (part * BATCH + row) * UNITS + unit[None, :], mask=part < PARTS, other=0.0), axis=0)
    active = tl.maximum(total + tl.load(hidden_bias + unit), 0.0)
    taken = tl.load(action + row)
    row_of_action = tl.load(weight + taken * UNITS + unit)
    value = tl.sum(active * row_of_action) + tl.load(bias + taken)
    miss = tl.load(target + row) - value
    slope = -tl.minimum(tl.maximum(miss, -1.0), 1.0) * scale
    tl.store(h + row * UNITS + unit, active)
    tl.store(dh + row * UNITS + unit, tl.where(active > 0, slope * row_of_action, 0.0).to(dh.dtype.element_ty))
    tl.store(dq + row, slope)
    tl.store(error + row, miss)
    tl.store(q + row, value)


@triton.jit
def features_gradient(
    dh, weight, x, dx,
    BATCH: tl.constexpr, FEATURES: tl.constexpr, UNITS: tl.constexpr, PLACES: tl.constexpr,
    BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """The gradient of the hidden layer's input, 0 where that (after its ReLU) is 0.

    The input is [BATCH, C, PLACES] flattened, its gradient is written as the convolutions have it: [BATCH, PLACES, C].
    """
    row = tl.arange(0, BATCH)
    feature = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    total = tl.zeros((BATCH, BLOCK), tl.float32)
    for first in range(0, UNITS, BLOCK_K):
        unit = first + tl.arange(0, BLOCK_K)
        left = tl.load(dh + row[:, None] * UNITS + unit[None, :])
        right = tl.load(weight + unit[:, None] * FEATURES + feature[None, :])
        total = tl.dot(left, right, total)
    passes = tl.load(x + row[:, None] * FEATURES + feature[None, :]) > 0
    place = feature % PLACES * (FEATURES // PLACES) + feature // PLACES
    total = tl.where(passes, total, 0.0)
    tl.store(dx + row[:, None] * FEATURES + place[None, :], total.to(dx.dtype.element_ty))
