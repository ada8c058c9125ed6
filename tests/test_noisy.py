"""Noisy layers: numbers worked out by hand, the noisy matrix written out, and where the noise comes from."""

import copy
import math

import numpy as np
import torch
from torch import nn

from atari_dqn.extensions.noisy import NoisyLinear, noisy_linear, signed_root
from atari_dqn.extensions.random_buffers import draw_noise, silence
from atari_dqn.networks import initialize


def make_layer(num_inputs, num_outputs, seed=0):
    layer, generator = NoisyLinear(num_inputs, num_outputs), torch.Generator().manual_seed(seed)
    initialize(layer, generator)
    return layer, generator


def test_forward_by_hand():
    layer = NoisyLinear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0]]))
        layer.bias.fill_(0.5)
        layer.sigma_weight.copy_(torch.tensor([[0.1, 0.2]]))
        layer.sigma_bias.fill_(0.3)
    layer.noise_in.copy_(torch.tensor([1.0, -2.0]))
    layer.noise_out.fill_(3.0)
    # weights 1 + 0.1 * 1 * 3 = 1.3 and 2 + 0.2 * -2 * 3 = 0.8, bias 0.5 + 0.3 * 3 = 1.4: 10 * 1.3 + 0.8 + 1.4
    torch.testing.assert_close(layer(torch.tensor([[10.0, 1.0]])), torch.tensor([[15.2]]))


def test_a_factor_by_hand():
    assert signed_root(torch.tensor([-4.0, 0.0, 9.0])).tolist() == [-2.0, 0.0, 3.0]


def test_formulas_are_those_of_the_paper():
    """Equations 9 to 11 with the matrix of noisy weights, one transition and one number at a time."""
    generator = np.random.default_rng(0)
    x, weight, bias = generator.normal(size=(4, 3)), generator.normal(size=(2, 2, 3)), generator.normal(size=(2, 2))
    normal_in, normal_out = generator.normal(size=3), generator.normal(size=2)

    def f(number):
        return np.sqrt(number) if number >= 0 else -np.sqrt(-number)

    expected = np.zeros((4, 2))
    for row in range(4):
        for j in range(2):
            noisy = [weight[0, j, i] + weight[1, j, i] * f(normal_in[i]) * f(normal_out[j]) for i in range(3)]
            expected[row, j] = np.dot(noisy, x[row]) + bias[0, j] + bias[1, j] * f(normal_out[j])
    factors = (signed_root(torch.from_numpy(normal)) for normal in (normal_in, normal_out))
    of_torch = tuple(torch.from_numpy(weight)), tuple(torch.from_numpy(bias))
    np.testing.assert_allclose(noisy_linear(torch.from_numpy(x), *of_torch, *factors), expected, atol=1e-12)


def test_output_and_gradients_are_those_of_the_noisy_matrix():
    layer, generator = make_layer(7, 5)
    draw_noise(layer, generator)
    with torch.no_grad():  # sigmas that differ
        layer.sigma_weight.mul_(torch.rand(5, 7, generator=generator))
    x = torch.randn(3, 7, generator=generator, requires_grad=True)
    written_out, y = copy.deepcopy(layer), x.detach().clone().requires_grad_()
    noise = torch.outer(layer.noise_out, layer.noise_in)
    weight = written_out.weight + written_out.sigma_weight * noise
    expected = y @ weight.T + written_out.bias + written_out.sigma_bias * layer.noise_out
    torch.testing.assert_close(layer(x), expected)
    layer(x).square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    for (name, mine), theirs in zip(layer.named_parameters(), written_out.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, msg=name)
        assert mine.grad.any(), name


def test_noise_is_signed_roots_of_normal_numbers():
    wide, generator = make_layer(40_000, 1)
    tall, _ = make_layer(1, 10_000)
    draw_noise(nn.Sequential(wide, tall), generator)
    for noise in (wide.noise_in, tall.noise_out):
        normal = (noise.sign() * noise.square()).double()  # f backwards
        tolerance = 4 / math.sqrt(len(noise))
        assert abs(normal.mean()) < tolerance
        assert abs(normal.var() - 1) < 1.5 * tolerance  # the variance of a square is 2
        below = np.array([(normal < edge).double().mean() for edge in (-1.0, 0.0, 1.0)])
        np.testing.assert_allclose(below, [0.1587, 0.5, 0.8413], atol=tolerance / 2)
    # f(x)^2 = |x|, whose mean is sqrt(2 / pi)
    torch.testing.assert_close(wide.noise_in.square().mean(), torch.tensor(math.sqrt(2 / math.pi)), atol=0.02, rtol=0)


def test_initialization_is_that_of_the_paper():
    layer, _ = make_layer(400, 300)
    bound = 1 / math.sqrt(400)
    for mean in (layer.weight, layer.bias):
        assert bound * 0.97 < mean.abs().max() <= bound
    for sigma in (layer.sigma_weight, layer.sigma_bias):
        torch.testing.assert_close(sigma.detach(), torch.full_like(sigma, 0.5 / 20))
    with torch.no_grad():
        layer.sigma_weight.add_(1.0)
        layer.sigma_bias.add_(1.0)
    layer.reset_sigma()
    assert {sigma.item() for sigma in layer.sigma_weight.unique()} == {layer.sigma_bias[0].item()}


def test_silent_until_the_first_draw_and_when_asked():
    layer, generator = make_layer(6, 4)
    x = torch.randn(2, 6, generator=generator)
    means = nn.functional.linear(x, layer.weight, layer.bias)
    assert torch.equal(layer(x), means)
    network = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), layer)
    draw_noise(network, generator)
    assert not torch.equal(layer(x), means)
    silence(network)
    assert torch.equal(layer(x), means)


def test_draws_are_in_place_independent_and_repeatable():
    def network():
        return nn.Sequential(NoisyLinear(6, 5), nn.ReLU(), NoisyLinear(5, 4))

    def noises(module):
        return [buffer for name, buffer in module.named_buffers() if "noise" in name]

    first, second = network(), network()
    places = [noise.data_ptr() for noise in noises(first)]
    generator = torch.Generator().manual_seed(3)
    draw_noise(first, generator)
    kept = [noise.clone() for noise in noises(first)]
    state = generator.get_state()
    draw_noise(first, generator)
    assert [noise.data_ptr() for noise in noises(first)] == places
    assert not any(torch.equal(old, new) for old, new in zip(kept, noises(first), strict=True))
    again = torch.Generator()
    again.set_state(state)
    draw_noise(second, again)
    for mine, theirs in zip(noises(first), noises(second), strict=True):
        assert torch.equal(mine, theirs)
    assert len({tuple(noise.tolist()) for noise in noises(first)}) == 4, "one draw for each buffer"


def test_weights_and_sigmas_are_kept_and_noise_is_not():
    layer, generator = make_layer(3, 2)
    draw_noise(layer, generator)
    assert sorted(layer.state_dict()) == ["bias", "sigma_bias", "sigma_weight", "weight"]
    other = copy.deepcopy(layer)
    kept = layer.noise_in.clone()
    draw_noise(other, generator)
    assert torch.equal(layer.noise_in, kept), "a target network has noise of its own"
    assert not torch.equal(other.noise_in, kept)


def test_the_layer_works_in_bf16_and_under_autocast():
    layer, generator = make_layer(64, 32)
    draw_noise(layer, generator)
    x = torch.randn(4, 64, generator=generator)
    expected = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(x)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, atol=0.03, rtol=0)
    half = copy.deepcopy(layer).to(torch.bfloat16)
    torch.testing.assert_close(half(x.bfloat16()).float(), expected, atol=0.03, rtol=0)
    draw_noise(half, generator)
    assert half.noise_in.dtype == torch.bfloat16
