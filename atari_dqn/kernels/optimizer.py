"""One step of `CenteredRMSProp` where the gradient is at hand, with the copy in bfloat16 that the next update reads."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def rmsprop(weight, grad, average, square, lr, decay, rate, eps):
    """New weight, average and square; `rate` is 1 - decay. The formula stands at `CenteredRMSProp`."""
    average += rate * (grad - average)
    square = square * decay + rate * grad * grad
    return weight - lr * grad / tl.sqrt(square - average * average + eps), average, square


@triton.jit
def step_at(weight, average, square, places, grad, lr, decay, rate, eps):
    """The same in place, at some places of three tensors; returns the new weights."""
    w, g, v = tl.load(weight + places), tl.load(average + places), tl.load(square + places)
    w, g, v = rmsprop(w, grad, g, v, lr, decay, rate, eps)
    tl.store(weight + places, w)
    tl.store(average + places, g)
    tl.store(square + places, v)
    return w


@triton.jit
def convolution_step(
    parts, weight, average, square, copy,
    bias_parts, bias, bias_average, bias_square,
    norms, lr, decay, rate, eps, scale,
    SIZE: tl.constexpr, O: tl.constexpr, PARTS: tl.constexpr, ROWS: tl.constexpr,
    PLANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add up the PARTS (at most ROWS, a power of two) of a convolution's gradients, and step.

    With PLANES the convolution reads pixels by `space_to_depth`: parts and copy are in its order (row and column of
    the block, plane, row and column within), weights as [O, 8, 8, PLANES]; and its copy is the weights times `scale`.
    """
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.arange(0, ROWS)[:, None]
    # all at once: one after the other, each would wait for its memory
    grad = tl.sum(tl.load(parts + part * SIZE + i[None, :], mask=part < PARTS, other=0.0), axis=0) * scale
    places = i
    if PLANES:
        block_row, block_column = i // (32 * PLANES) % 2, i // (16 * PLANES) % 2
        plane, row, column = i // 16 % PLANES, i // 4 % 4, i % 4
        places = i // (64 * PLANES) * (64 * PLANES)
        places += ((block_row * 4 + row) * 8 + block_column * 4 + column) * PLANES + plane
    new = step_at(weight, average, square, places, grad, lr, decay, rate, eps)
    tl.store(copy + i, (new * scale).to(copy.dtype.element_ty))
    norm = tl.sum(grad * grad)
    if tl.program_id(0) == 0:
        filters = tl.arange(0, O)
        bias_grad = tl.sum(tl.load(bias_parts + part * O + filters[None, :], mask=part < PARTS, other=0.0), axis=0)
        step_at(bias, bias_average, bias_square, filters, bias_grad, lr, decay, rate, eps)
        norm += tl.sum(bias_grad * bias_grad)
    tl.store(norms + tl.program_id(0), norm)


@triton.jit
def hidden_step(
    dh, x, weight, average, square, copy,
    norms, lr, decay, rate, eps,
    BATCH: tl.constexpr, FEATURES: tl.constexpr, UNITS: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """The gradient of the hidden layer's weights, [UNITS, FEATURES], and their step: it is never written down."""
    unit = tl.program_id(1) * BLOCK_M + tl.arange(0, BLOCK_M)
    feature = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    row = tl.arange(0, BATCH)
    left = tl.load(dh + row[None, :] * UNITS + unit[:, None])
    right = tl.load(x + row[:, None] * FEATURES + feature[None, :])
    grad = tl.dot(left, right, tl.zeros((BLOCK_M, BLOCK_N), tl.float32))
    places = unit[:, None] * FEATURES + feature[None, :]
    new = step_at(weight, average, square, places, grad, lr, decay, rate, eps)
    tl.store(copy + places, new.to(copy.dtype.element_ty))
    tl.store(norms + tl.program_id(1) * tl.num_programs(0) + tl.program_id(0), tl.sum(grad * grad))


@triton.jit
def head_step(
    dh, h, dq, action,
    hidden_bias, hidden_bias_average, hidden_bias_square,
    weight, average, square, bias, bias_average, bias_square,
    norms, lr, decay, rate, eps,
    BATCH: tl.constexpr, UNITS: tl.constexpr, ACTIONS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients and step of the hidden layer's bias and of the last layer: only the actions taken have a gradient."""
    unit = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.arange(0, BATCH)
    grad = tl.sum(tl.load(dh + row[:, None] * UNITS + unit[None, :]).to(tl.float32), axis=0)
    step_at(hidden_bias, hidden_bias_average, hidden_bias_square, unit, grad, lr, decay, rate, eps)
    norm = tl.sum(grad * grad)
    active = tl.load(h + row[:, None] * UNITS + unit[None, :])
    taken, slope = tl.load(action + row), tl.load(dq + row)
    for number in range(ACTIONS):
        share = tl.where(taken == number, slope, 0.0)
        grad = tl.sum(share[:, None] * active, axis=0)
        step_at(weight, average, square, number * UNITS + unit, grad, lr, decay, rate, eps)
        norm += tl.sum(grad * grad)
        if tl.program_id(0) == 0:
            bias_grad = tl.sum(share)
            step_at(bias, bias_average, bias_square, number, bias_grad, lr, decay, rate, eps)
            norm += bias_grad * bias_grad
    tl.store(norms + tl.program_id(0), norm)
