"""Each kernel alone, on small sizes, in Triton's interpreter, against float64. `test_kernels.py` runs this file.

The interpreter knows no bfloat16, so everything is float32 here.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
import triton

from atari_dqn.dqn.losses import clipped_loss
from atari_dqn.dqn.optim import CenteredRMSProp
from atari_dqn.kernels import convolution, dense, network, optimizer, update
from atari_dqn.networks import initialize
from atari_dqn.networks.convolutions import space_to_depth
from atari_dqn.networks.nature_cnn import NatureCNN

ACTIONS = 6


@pytest.fixture(autouse=True)
def the_same_numbers_each_time():
    """A value that rounding puts on the other side of a ReLU changes a gradient by more than `close` allows."""
    torch.manual_seed(0)


def close(mine, exact):
    exact = exact.detach().double()
    assert torch.isfinite(mine).all(), "something was not written"
    assert (mine.detach().double() - exact).norm() <= 1e-5 * exact.norm()


def nan(*shape):
    return torch.full(shape, torch.nan)


def test_pixels_become_cells():
    obs = torch.randint(0, 256, (2, 4, 12, 12), dtype=torch.uint8)
    out = nan(2, 3, 3, 64)
    convolution.pixels[(2 * 3,)](obs, out, PLANES=4, SIDE=12, CELLS=3, BLOCK=4)
    assert torch.equal(out, space_to_depth(obs).permute(0, 2, 3, 1).float())


# images, then input size, kernel and stride: places that no kernel's corner reaches, borders, blocks half empty
GEOMETRIES = [(3, 9, 3, 1), (2, 10, 4, 2), (1, 8, 2, 1)]


def layer(images, size, kernel, stride, channels=16, filters=32):
    """Input, weight and output gradient as the kernels have them, and torch's answers in float64."""
    out = (size - kernel) // stride + 1
    x = torch.randn(images, size, size, channels).relu()
    weight, bias = torch.randn(filters, kernel, kernel, channels), torch.randn(filters)
    shape = {"SIZE": size, "C": channels, "OUT": out, "O": filters, "KERNEL": kernel, "STRIDE": stride}
    leaves = [tensor.double().requires_grad_() for tensor in (x, weight, bias)]
    y = F.conv2d(leaves[0].permute(0, 3, 1, 2), leaves[1].permute(0, 3, 1, 2), leaves[2], stride)
    dy = torch.randn(images, out, out, filters)
    grads = torch.autograd.grad(y, leaves, dy.double().permute(0, 3, 1, 2))
    return x, weight, bias, dy, shape, y.detach().relu(), grads


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("planes_first", [0, 1])
def test_a_convolution_forward(geometry, planes_first):
    x, weight, bias, dy, shape, y, _ = layer(*geometry)
    positions = dy[..., 0].numel()
    out = nan(*y.shape) if planes_first else nan(*dy.shape)
    convolution.forward[(triton.cdiv(positions, 16),)](
        x, weight, bias, out, positions, PLANES_FIRST=planes_first, BLOCK=16, BLOCK_K=16, **shape
    )
    close(out, y if planes_first else y.permute(0, 2, 3, 1))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_gradient_of_what_went_into_a_convolution(geometry):
    x, weight, _, dy, shape, _, (exact, _, _) = layer(*geometry)
    images, size, _, stride = geometry
    dx = nan(*x.shape)
    grid = (triton.cdiv(images * (size // stride) ** 2, 16), stride**2)
    convolution.input_gradient[grid](dy, weight, x, dx, IMAGES=images, BLOCK=16, **shape)
    close(dx, exact * (x > 0))


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_gradient_of_a_convolutions_weights(geometry):
    x, weight, _, dy, shape, _, (_, exact, exact_bias) = layer(*geometry)
    positions, size = dy[..., 0].numel(), weight[0].numel()
    parts = triton.cdiv(positions, 2 * 16)
    sums, bias_sums = nan(parts, weight.numel()), nan(parts, len(weight))
    convolution.weight_gradient[(size // 16, parts)](
        x, dy, sums, bias_sums, POSITIONS=positions, STEPS=2, BLOCK=16, BLOCK_K=16, **shape
    )
    close(sums.sum(0), exact.flatten())
    close(bias_sums.sum(0), exact_bias)


def rmsprop_twin(weight, grad, average, square):
    """What `CenteredRMSProp` makes of a weight, in float64."""
    twin = torch.nn.Parameter(weight.double())
    rule = CenteredRMSProp([twin])
    rule.state[twin]["gradient_average"].copy_(average)
    rule.state[twin]["square_average"].copy_(square)
    twin.grad = grad.double()
    rule.step()
    return twin.detach(), *rule.state[twin].values()


SETTINGS = (0.00025, 0.95, 1.0 - 0.95, 0.01)


def with_averages(*shape):
    average = torch.randn(shape)
    return torch.randn(shape), average, average.square() + torch.rand(shape)


@pytest.mark.parametrize("of_pixels", [False, True])
def test_a_convolutions_step(of_pixels):
    filters, planes, parts, scale = 16, 4 if of_pixels else 0, 3, 1 / 255 if of_pixels else 1.0
    size = filters * 256
    state, bias_state = with_averages(size), with_averages(filters)
    sums, bias_sums = torch.randn(parts, size), torch.randn(parts, filters)
    grad = sums.sum(0) * scale
    to_cells = lambda values: values  # noqa: E731  # from the order of the weights to that of the gradient
    if of_pixels:
        grad = grad.view(filters, 2, 2, 4, 4, 4).permute(0, 1, 4, 2, 5, 3).flatten()
        to_cells = lambda values: values.view(filters, 2, 4, 2, 4, 4).permute(0, 1, 3, 5, 2, 4).flatten()  # noqa: E731
    exact, exact_bias = (
        rmsprop_twin(state[0], grad, *state[1:]),
        rmsprop_twin(bias_state[0], bias_sums.sum(0), *bias_state[1:]),
    )
    copied, norms = nan(size), nan(size // 128)
    optimizer.convolution_step[(size // 128,)](
        sums, *state, copied, bias_sums, *bias_state, norms, *SETTINGS, scale,
        SIZE=size, O=filters, PARTS=parts, ROWS=4, PLANES=planes, BLOCK=128,
    )  # fmt: skip
    for mine, theirs in zip((*state, *bias_state), (*exact, *exact_bias), strict=True):
        close(mine, theirs)
    close(copied, to_cells(exact[0]) * scale)
    close(norms.sum(), grad.square().sum() + bias_sums.sum(0).square().sum())


def test_the_hidden_layer_and_the_loss():
    """Forward, loss, and every gradient and step of both layers, on a small network."""
    batch, features, units, places = 16, 96, 64, 6
    x, w1 = torch.randn(batch, features).relu(), torch.randn(units, features) / 8
    b1, w2, b2 = torch.randn(units), torch.randn(ACTIONS, units) / 8, torch.randn(ACTIONS)
    action, target = torch.randint(0, ACTIONS, (batch,)), torch.randn(batch) * 2

    leaves = [tensor.double().requires_grad_() for tensor in (x, w1, b1, w2, b2)]
    active = F.linear(leaves[0], leaves[1], leaves[2]).relu()
    value = F.linear(active, leaves[3], leaves[4]).gather(1, action[:, None]).squeeze(1)
    miss = target - value
    dx, dw1, db1, dw2, db2 = torch.autograd.grad(clipped_loss(miss).sum(), leaves)

    sizes = {"BATCH": batch, "UNITS": units}
    parts = nan(3, batch, units)
    dense.hidden[(units // 16, 3, 1)](
        x, w1, parts, batch, STEPS=2, BLOCK_M=32, BLOCK=16, BLOCK_K=16, FEATURES=features, UNITS=units
    )
    best = nan(batch)
    dense.best_value[(batch,)](parts, b1, w2, b2, best, batch, PARTS=3, ROWS=4, ACTIONS=ACTIONS, UNITS=units)
    close(best, F.linear(active, leaves[3], leaves[4]).amax(dim=1).detach())
    h, dh, dq, error, q = nan(batch, units), nan(batch, units), nan(batch), nan(batch), nan(batch)
    dense.head[(batch,)](parts, b1, w2, b2, action, target, h, dh, dq, error, q, 1.0, PARTS=3, ROWS=4, **sizes)
    close(error, miss)
    close(q, value)
    into = nan(batch, features)
    dense.features_gradient[(features // 16,)](
        dh, w1, x, into, PLACES=places, BLOCK=16, BLOCK_K=16, FEATURES=features, **sizes
    )
    close(into.view(batch, places, -1).transpose(1, 2).flatten(1), dx * (x > 0))

    states = [(tensor.clone(), *with_averages(*tensor.shape)[1:]) for tensor in (w1, b1, w2, b2)]
    exact = [rmsprop_twin(state[0], grad, *state[1:]) for state, grad in zip(states, (dw1, db1, dw2, db2), strict=True)]
    copied, norms = nan(units, features), nan(4 * 6 + 4)
    optimizer.hidden_step[(features // 16, units // 16)](
        dh, x, *states[0], copied, norms, *SETTINGS, BLOCK_M=16, BLOCK_N=16, FEATURES=features, **sizes
    )
    optimizer.head_step[(units // 16,)](
        dh, h, dq, action, *states[1], *states[2], *states[3], norms[24:], *SETTINGS, ACTIONS=ACTIONS, BLOCK=16, **sizes
    )
    for state, twin in zip(states, exact, strict=True):
        for mine, theirs in zip(state, twin, strict=True):
            close(mine, theirs)
    close(copied, exact[0][0])
    close(norms.sum(), sum(grad.square().sum() for grad in (dw1, db1, dw2, db2)))


def test_a_whole_update_is_the_optimizers_on_autograds_gradients(monkeypatch):
    """Who is handed what: every weight, average and copy after one update, with tiles that the interpreter likes."""
    layers = tuple(layer._replace(forward_block=1024, backward_block=512) for layer in network.LAYERS)
    for module in (network, update):
        monkeypatch.setattr(module, "LAYERS", layers)
        monkeypatch.setattr(module, "POSITIONS_AT_ONCE", 512)
    monkeypatch.setattr(update, "STEP_BLOCK", 4096)
    model = NatureCNN(4, (84, 84), ACTIONS)
    initialize(model, torch.Generator().manual_seed(0))
    model = model.to(memory_format=torch.channels_last)
    twin, target = copy.deepcopy(model).double(), copy.deepcopy(model)
    rule, exact_rule = CenteredRMSProp(model.parameters()), CenteredRMSProp(twin.parameters())
    fused = update.FusedUpdates(model, target, rule, mean=True, dtype=torch.float32)
    obs, action = torch.randint(0, 256, (16, 4, 84, 84), dtype=torch.uint8), torch.randint(0, ACTIONS, (16,))
    goal = torch.randn(16) * 2

    def values(count):
        x = obs[:count].double() / 255
        for layer in twin.convolutions:
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, layer.stride))
        return twin.last(F.relu(twin.hidden[0](x.flatten(1))))

    close(fused.best_values(obs[:2]), values(2).amax(dim=1).detach())
    errors, q_taken = fused(obs, action, goal, 1)
    taken = values(16).gather(1, action[:, None]).squeeze(1)
    clipped_loss(goal - taken).mean().backward()
    exact_rule.step()
    close(q_taken, taken.detach())
    close(errors, goal - taken.detach())
    close(fused.grad_norm(), torch.nn.utils.get_total_norm([weight.grad for weight in twin.parameters()]))
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        close(mine, theirs)
        for name, average in rule.state[mine].items():
            close(average, exact_rule.state[theirs][name])
    written = [copied.clone() for copied in fused.online.copies]
    fused.online.copy_weights()
    for step, fresh in zip(written, fused.online.copies, strict=True):
        close(step, fresh)
