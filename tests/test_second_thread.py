"""An update by two threads: the numbers of one, nothing left behind, errors of the second in the first."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from atari_dqn.dqn.agent import learns_in_two_threads, make_agent
from atari_dqn.dqn.second_thread import SecondThread
from atari_dqn.presets import PRESETS
from atari_dqn.types import EnvSpec, Transitions

SPEC = EnvSpec("pong", (36, 36), "uint8", ("noop", "left", "right"), 4)
UPDATES = 3


@pytest.fixture(autouse=True)
def operations_by_one_thread_each():
    """As `resolve` has it in a run, one thread or two: a divided sum is another one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def transitions(batch_size, n_step):
    numbers = torch.Generator().manual_seed(0)
    rows = UPDATES * batch_size
    pixels = torch.randint(0, 256, (2, rows, 4, *SPEC.frame_shape), dtype=torch.uint8, generator=numbers)
    return Transitions(
        obs=pixels[0],
        action=torch.randint(0, SPEC.num_actions, (rows,), generator=numbers),
        reward=torch.randn(rows, n_step, generator=numbers),
        num_steps=torch.full((rows,), n_step),
        terminated=torch.rand(rows, generator=numbers) < 0.2,
        next_obs=pixels[1],
    )


def learned(threads, preset, batch_size, weighted, changes):
    """Numbers of two calls of `learn`, and the weights after them."""
    changes = changes | {"device": "cpu", "compile": "off", "torch_threads": threads, "batch_size": batch_size}
    config = PRESETS[preset]("pong").replace(**({"precision": "fp32"} | changes))
    torch.manual_seed(0)
    agent = make_agent(config, SPEC)
    assert (agent.algorithm.second is not None) == (threads == 2)
    batch = transitions(batch_size, config.algorithm.n_step)
    weights = torch.linspace(0.5, 1.0, UPDATES * batch_size) if weighted else None
    found = [*agent.learn(batch, UPDATES, weights), agent.algorithm.surprise]
    agent.sync_target()
    found += [*agent.learn(batch, UPDATES, weights), agent.algorithm.surprise]
    return [value.numpy().copy() for value in found] + list(agent.get_weights().values())


@pytest.mark.parametrize(
    ("preset", "batch_size", "weighted", "changes"),
    [
        ("nature", 8, False, {}),
        ("nature", 5, False, {"max_grad_norm": 0.1, "precision": "bf16"}),
        ("nature", 1, False, {"target": False}),
        ("nature", 12, False, {"target": False}),
        ("quick", 15, True, {"target": False, "double_q": False}),
        ("quick", 40, True, {"target": False, "double_q": False}),
        ("quick", 8, True, {}),  # Double, histograms, dueling, layer norm, Adam
        ("quick", 6, True, {"precision": "bf16", "hidden_sizes": (16, 8)}),
    ],
)
def test_two_threads_learn_what_one_does(preset, batch_size, weighted, changes):
    one, two = (learned(threads, preset, batch_size, weighted, changes) for threads in (1, 2))
    assert all(np.isfinite(value).all() for value in one)
    for value, other in zip(one, two, strict=True):
        np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize("number", [1, 7, 8])
def test_two_threads_act_as_one_does(number):
    obs = transitions(8, 1).obs[:number]
    actions = []
    for threads in (1, 2):
        config = PRESETS["quick"]("pong").replace(device="cpu", precision="bf16", torch_threads=threads)
        actor = make_agent(config, SPEC).actor(lambda seen: seen)
        actor.ask(obs, (np.zeros(number, bool), np.zeros(number, np.int64)))
        actions.append(actor.answer())
    np.testing.assert_array_equal(*actions)
    assert actions[0].shape == (number,)


@pytest.mark.parametrize(
    ("preset", "changes", "by_two"),
    [
        ("nature", {"torch_threads": 2}, True),
        ("nature", {"torch_threads": 1}, False),
        ("nature", {"torch_threads": 4}, False),
        ("nature", {"torch_threads": 2, "device": "cuda"}, False),
        ("rainbow", {"torch_threads": 2}, False),  # its layers draw their noise
        ("cartpole", {"torch_threads": 2}, False),
    ],
)
def test_who_learns_by_two_threads(preset, changes, by_two):
    game = "cartpole" if preset == "cartpole" else "pong"
    assert learns_in_two_threads(PRESETS[preset](game).replace(**({"device": "cpu"} | changes))) == by_two


def test_what_the_second_thread_casts_is_not_what_the_caller_learns_with():
    """By torch 2.8 a weight that was cast without a gradient had none for the caller either, if both asked at once."""
    layer, x = nn.Linear(4, 4), torch.ones(2, 4)
    second, asked, go_on = SecondThread(layer), threading.Event(), threading.Event()

    def ask():
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            layer(x)
            asked.set()
            assert go_on.wait(60)

    job = second.submit(ask)
    assert asked.wait(60)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x)
    go_on.set()
    job.result()
    assert torch.autograd.grad(found.float().sum(), layer.weight)[0].any()
    assert torch.is_autocast_cache_enabled()
    assert not second.submit(torch.is_autocast_cache_enabled).result()


class Seen(torch.autograd.Function):
    """Hands its input on; `node` is what the graph holds."""

    node = None

    @staticmethod
    def forward(ctx, x):
        Seen.node = weakref.ref(ctx)
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad


class Watched(nn.Module):
    def forward(self, x):
        return Seen.apply(x)


def test_a_graph_goes_with_its_update():
    model = nn.Sequential(nn.Linear(3, 4), Watched(), nn.Linear(4, 2))
    second = SecondThread(model)
    weights = list(model.parameters())
    gc.disable()
    try:
        with second.watching():
            loss = model(torch.ones(2, 3)).sum()
        expected = torch.autograd.grad(loss, weights, retain_graph=True)
        for one, other in zip(expected, second.gradients(loss, weights)(), strict=True):
            assert torch.equal(one, other)
        del loss
        deadline = time.monotonic() + 5.0
        while Seen.node() is not None and time.monotonic() < deadline:
            time.sleep(0.001)  # the second thread lets go of its last job
        assert Seen.node() is None
    finally:
        gc.enable()


def test_the_second_thread_is_as_the_first():
    second, before = SecondThread(nn.Linear(1, 1)), set(threading.enumerate())
    torch.set_flush_denormal(True)
    try:
        assert second.submit(lambda: torch.full((), 1e-40).mul(0.5).item()).result() == 0.0
    finally:
        torch.set_flush_denormal(False)
    with pytest.raises(ZeroDivisionError):
        second.submit(lambda: 1 / 0).result()
    (thread,) = set(threading.enumerate()) - before
    del second
    thread.join(5.0)
    assert not thread.is_alive()
