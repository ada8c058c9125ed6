"""Implicit quantile networks: numbers worked out by hand, the network written out, and a distribution learned."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from atari_dqn.extensions.iqn import ACTING_LEVELS, COSINES, LEVELS, ImplicitQuantileNetwork, cosine_features
from atari_dqn.extensions.quantiles import midpoints, quantile_huber_loss
from atari_dqn.extensions.random_buffers import draw_noise, silence
from atari_dqn.networks import initialize
from atari_dqn.networks.heads import Ending
from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.networks.vector import MLP


def make_network(rows=8, actions=3, seed=0, hidden_sizes=(16,), **options):
    network = ImplicitQuantileNetwork(MLP(4, actions, hidden_sizes, **options), rows)
    initialize(network, torch.Generator().manual_seed(seed))
    return network


def observations(count, seed=0):
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def test_cosine_features_by_hand():
    features = cosine_features(torch.tensor([[0.0, 0.5, 1.0]]), cosines=4)
    # cos(0), cos(pi level), cos(2 pi level), cos(3 pi level)
    expected = torch.tensor([[[1.0, 1, 1, 1], [1, 0, -1, 0], [1, -1, 1, -1]]])
    torch.testing.assert_close(features, expected, atol=1e-6, rtol=0)


def test_quantiles_are_those_of_equation_4():
    network, obs = make_network(), observations(2)
    level = torch.rand(2, 5, generator=torch.Generator().manual_seed(1))
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    expected = np.zeros((2, 5, 3))
    for row in range(2):
        for n in range(5):
            cosines = np.array([math.cos(math.pi * i * level[row, n].item()) for i in range(COSINES)])
            embedded = np.maximum(weights["embedding.weight"] @ cosines + weights["embedding.bias"], 0)
            x = obs[row].double().numpy() * embedded
            x = np.maximum(weights["hidden.0.weight"] @ x + weights["hidden.0.bias"], 0)
            expected[row, n] = weights["last.weight"] @ x + weights["last.bias"]
    np.testing.assert_allclose(network.quantiles(obs, level).detach(), expected, atol=1e-5)


def test_values_for_acting_are_means_over_32_fixed_levels():
    network, obs = make_network(rows=2), observations(40)  # any number of observations
    level = ((torch.arange(32) + 0.5) / 32).expand(40, 32)
    expected = network.quantiles(obs, level).mean(dim=1)
    torch.testing.assert_close(network(obs), expected)
    draw_noise(network, torch.Generator().manual_seed(0))
    assert ACTING_LEVELS == 32
    torch.testing.assert_close(network(obs), expected)


def test_outputs_bring_their_levels():
    network, obs = make_network(rows=6), observations(4)
    draw_noise(network, torch.Generator().manual_seed(0))
    outputs = network.outputs(obs)
    assert outputs.shape == (4, (3 + 1) * LEVELS)
    quantiles, level = network.head.quantiles_and_levels(outputs)
    assert torch.equal(level, network.level[:4])
    torch.testing.assert_close(quantiles.transpose(1, 2), network.quantiles(obs, level))
    torch.testing.assert_close(network.head.values(outputs), quantiles.mean(dim=2))
    action = torch.tensor([2, 0, 1, 2])
    assert torch.equal(network.head.of_actions(outputs, action), quantiles[torch.arange(4), action])
    weights = nn.functional.one_hot(action, 3).float()
    blended = network.head.blend(outputs, weights, 2 * torch.ones(4, 3))
    torch.testing.assert_close(blended, quantiles[torch.arange(4), action] + 2.0)


def test_losses_are_those_of_the_levels_drawn():
    network, obs = make_network(), observations(4)
    target = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    draw_noise(network, generator)
    draw_noise(target, generator)
    assert not torch.equal(network.level, target.level)
    action, reward, discount = torch.tensor([0, 1, 2, 1]), torch.randn(4, generator=generator), torch.full((4,), 0.9)
    discount[2] = 0.0
    head = network.head
    following = head.of_actions(target.outputs(obs), action)
    losses, error = head.losses(network.outputs(obs), action, reward, discount, following)
    taken = network.quantiles(obs, network.level[:4])[torch.arange(4), :, action]
    targets = reward[:, None] + discount[:, None] * target.quantiles(obs, target.level[:4])[torch.arange(4), :, action]
    torch.testing.assert_close(losses, quantile_huber_loss(taken, network.level[:4], targets))
    torch.testing.assert_close(error, (targets.mean(dim=1) - taken.mean(dim=1)).detach())
    losses.sum().backward()
    assert not error.requires_grad
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all() and parameter.grad.any(), name
    assert all(parameter.grad is None for parameter in target.parameters())


def test_levels_are_drawn_in_place_uniform_and_repeatable():
    network = make_network(rows=256)
    torch.testing.assert_close(network.level, midpoints(LEVELS).expand(256, LEVELS))
    place, generator = network.level.data_ptr(), torch.Generator().manual_seed(5)
    draw_noise(network, generator)
    assert network.level.data_ptr() == place
    level = network.level.flatten().sort().values
    assert 0 <= level[0] < level[-1] < 1
    assert (level - midpoints(len(level))).abs().max() < 1.95 / math.sqrt(len(level)), "Kolmogorov, once in 1,000"
    other = make_network(rows=256)
    draw_noise(other, torch.Generator().manual_seed(5))
    assert torch.equal(network.level, other.level)
    silence(network)
    assert torch.equal(network.level[3], midpoints(LEVELS))
    assert not [name for name in network.state_dict() if "level" in name]


def test_more_rows_than_levels_are_refused():
    with pytest.raises(AssertionError, match="9 observations, but levels for 8"):
        make_network(rows=8).outputs(observations(9))


def test_dueling_and_pixels_and_bf16():
    network = make_network(ending=Ending(dueling=True), hidden_sizes=())
    assert network.outputs(observations(3)).shape == (3, 4 * LEVELS)
    pixels = ImplicitQuantileNetwork(NatureCNN(4, (84, 84), 6, (32,)), rows=2)
    obs = torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = pixels(obs)
    assert expected.shape == (2, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert pixels.outputs(obs).dtype == torch.float32
        torch.testing.assert_close(pixels(obs), expected, atol=0.02, rtol=0)


def test_descent_finds_a_distribution():
    """Returns are uniform in [1, 3] for action 0, and -1 or 1 for action 1."""
    network, generator = make_network(rows=16, actions=2, hidden_sizes=(32,)), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    obs, action = torch.ones(16, 4), torch.arange(16) % 2
    for _ in range(150):
        draw_noise(network, generator)
        drawn = torch.rand(16, generator=generator)
        reward = torch.where(action == 0, 1 + 2 * drawn, (drawn < 0.5).float() * 2 - 1)
        losses, _ = network.head.losses(network.outputs(obs), action, reward, torch.zeros(16), torch.zeros(16, LEVELS))
        optimizer.zero_grad()
        losses.mean().backward()
        optimizer.step()
    torch.testing.assert_close(network(obs[:1])[0], torch.tensor([2.0, 0.0]), atol=0.15, rtol=0)
    low, high = network.quantiles(obs[:1], torch.tensor([[0.1, 0.9]]))[0]
    # Huber's loss makes expectiles of quantiles where errors are below 1: nearer to the mean than 1.2 and 2.8
    assert 1.1 < low[0] < 1.7 < 2.3 < high[0] < 2.9
    assert low[1] < -0.5 < 0.5 < high[1]
