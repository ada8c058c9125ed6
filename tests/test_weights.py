"""Weights as plain arrays, and from one network to another."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from atari_dqn.dqn.agent import make_agent
from atari_dqn.errors import UsageError
from atari_dqn.networks.weights import get_weights, set_weights, sync_weights_to
from atari_dqn.types import EnvSpec
from tests.fakes import tiny_config

SPEC = EnvSpec("scripted", (3,), "uint8", ("a", "b"), 4)


def network(weight, count):
    """One weight, and a buffer that counts."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, weight)
    model.register_buffer("count", torch.tensor(count))
    return model


@pytest.mark.parametrize(("decay", "expected"), [(0.0, 2.0), (0.75, 8.0), (1.0, 10.0)])
def test_sync_by_hand(decay, expected):
    model, other = network(2.0, 7), network(10.0, 1)
    sync_weights_to(model, other, decay)
    # 0.75 * 10 + 0.25 * 2 = 8
    assert other.weight.item() == expected
    assert other.count.item() == 7
    assert model.weight.item() == 2.0


def test_sync_into_another_type():
    model, other = network(2.0, 0), network(10.0, 0).to(torch.bfloat16)
    sync_weights_to(model, other, 0.5)
    assert (other.weight.item(), other.weight.dtype) == (6.0, torch.bfloat16)


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_a_decay_outside_zero_to_one_is_refused(decay):
    with pytest.raises(UsageError, match="decay is"):
        sync_weights_to(network(2.0, 0), network(1.0, 0), decay)


def test_weights_of_one_agent_make_another_act_alike():
    agent, other = make_agent(tiny_config(seed=1), SPEC), make_agent(tiny_config(seed=2), SPEC)
    weights = agent.get_weights()
    assert list(weights) == ["hidden.0.weight", "hidden.0.bias", "last.weight", "last.bias"]
    assert all(type(value) is np.ndarray for value in weights.values())
    obs = torch.randint(0, 256, (50, 4, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    target = copy.deepcopy(other.algorithm.target.state_dict())
    assert not torch.equal(agent.algorithm.predict(obs), other.algorithm.predict(obs))
    other.set_weights(weights)
    assert torch.equal(agent.algorithm.predict(obs), other.algorithm.predict(obs))
    assert all(torch.equal(value, target[name]) for name, value in other.algorithm.target.state_dict().items())
    other.algorithm.sync_target()
    assert all((get_weights(other.algorithm.target)[name] == value).all() for name, value in weights.items())


def test_what_get_weights_gives_is_a_copy():
    model = network(2.0, 0)
    weights = get_weights(model)
    weights["weight"][:] = 5.0
    assert model.weight.item() == 2.0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"weight": np.zeros((1, 1))}, "count stand on one side"),
        ({"weight": np.zeros((1, 1)), "count": 0, "bias": np.zeros(1)}, "bias stand on one side"),
        ({"weight": np.zeros((2, 1)), "count": 0}, r"weight has shape \(2, 1\), the network's is \(1, 1\)"),
    ],
)
def test_weights_of_another_network_are_refused_whole(weights, message):
    model = network(2.0, 3)
    with pytest.raises(UsageError, match=message):
        set_weights(model, weights)
    assert (model.weight.item(), model.count.item()) == (2.0, 3)
