"""The paper's RMSProp against paper and pencil, and against a numpy twin of the Lua code."""

import copy
import math
import shutil

import numpy as np
import pytest
import torch

from atari_dqn.dqn.optim import CenteredRMSProp, make_optimizer, set_learning_rate
from atari_dqn.settings.learning import OptimizerConfig


def test_three_steps_worked_out_by_hand():
    w = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = CenteredRMSProp([w], lr=0.1, decay=0.5, eps=0.25)
    seen = []
    for gradient in (1.0, 1.0, -2.0):
        w.grad = torch.tensor([gradient])
        optimizer.step()
        seen.append(w.item())
    # step 1: g = .5    v = .5     v - g^2 = .25      root(.25    + .25) = .7071068   w = 1 - .1 / .7071068
    # step 2: g = .75   v = .75    v - g^2 = .1875    root(.1875  + .25) = .6614378   w = w - .1 / .6614378
    # step 3: g = -.625 v = 2.375  v - g^2 = 1.984375 root(1.984375 + .25) = 1.4947826 w = w + .2 / 1.4947826
    first = 1.0 - 0.1 / math.sqrt(0.5)
    second = first - 0.1 / math.sqrt(0.4375)
    third = second + 0.2 / math.sqrt(2.234375)
    np.testing.assert_allclose(seen, [first, second, third], rtol=1e-6)
    assert torch.stack(optimizer.denominators()).tolist() == pytest.approx([math.sqrt(2.234375)])


def lua_twin(w, gradients, *, lr, decay, eps):
    """The update of the paper's Lua code in float64: averages g and g2, then w <- w - lr dw / sqrt(g2 - g g + eps)."""
    g, g2 = np.zeros_like(w), np.zeros_like(w)
    for d in gradients:
        g = decay * g + (1 - decay) * d
        g2 = decay * g2 + (1 - decay) * d * d
        w = w - lr * d / np.sqrt(g2 - g * g + eps)
    return w


def test_agrees_with_a_numpy_twin_of_the_lua_code():
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(7, 5)), rng.normal(scale=0.3, size=(200, 7, 5))
    w = torch.nn.Parameter(torch.tensor(start, dtype=torch.float32))
    optimizer = make_optimizer([w], OptimizerConfig())
    for gradient in gradients:
        w.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
    twin = lua_twin(start, gradients, lr=0.00025, decay=0.95, eps=0.01)
    np.testing.assert_allclose(w.detach().numpy(), twin, atol=2e-6)


def test_it_is_not_torchs_rmsprop():
    """Epsilon under the root matters: for a tiny gradient the paper's first step is much the smaller one."""
    ours, theirs = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    for param, optimizer in (
        (ours, CenteredRMSProp([ours], lr=1.0, decay=0.95, eps=0.01)),
        (theirs, torch.optim.RMSprop([theirs], lr=1.0, alpha=0.95, eps=0.01, centered=True)),
    ):
        param.grad = torch.tensor([0.001])
        optimizer.step()
    assert abs(ours.item()) < 0.2 * abs(theirs.item())


def test_a_parameter_without_gradient_stays():
    still, moved = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = CenteredRMSProp([still, moved])
    moved.grad = torch.ones(2)
    optimizer.step()
    assert still.tolist() == [1.0, 1.0]
    assert moved.tolist() != [1.0, 1.0]


def test_state_round_trip_continues_exactly():
    def make():
        w = torch.nn.Parameter(torch.ones(3))
        return w, CenteredRMSProp([w])

    def advance(w, optimizer, steps):
        for i in range(steps):
            w.grad = torch.full((3,), 0.1 * (i + 1))
            optimizer.step()

    w, optimizer = make()
    advance(w, optimizer, 3)
    other, resumed = make()
    other.data.copy_(w.data)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    advance(w, optimizer, 2)
    advance(other, resumed, 2)
    assert torch.equal(w, other)


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_a_scheduled_step_size_is_followed(name):
    def moved_by(**options):
        w = torch.nn.Parameter(torch.ones(3))
        optimizer = make_optimizer([w], OptimizerConfig(optimizer=name, learning_rate=0.5, **options))
        if options:
            set_learning_rate(optimizer, 0.25)
        w.grad = torch.tensor([0.1, -0.2, 0.3])
        optimizer.step()
        return w.detach() - 1.0

    torch.testing.assert_close(moved_by(learning_rate_end_ratio=0.5), moved_by() / 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler's own imports
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_steps_are_the_plain_steps():
    plain, compiled = [torch.nn.Parameter(torch.linspace(-1, 1, 1_000)) for _ in range(2)]
    one, two = CenteredRMSProp([plain]), CenteredRMSProp([compiled], compiled=True)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        plain.grad = torch.randn(1_000, generator=generator)
        compiled.grad = plain.grad.clone()
        one.step()
        two.step()
    torch.testing.assert_close(plain, compiled, rtol=1e-6, atol=1e-7)  # multiply-adds round once instead of twice
    for name in ("gradient_average", "square_average"):
        torch.testing.assert_close(one.state[plain][name], two.state[compiled][name], rtol=1e-5, atol=1e-7)
