"""Quantile regression: the loss against numbers worked out by hand, plain loops, and what it is for."""

import numpy as np
import pytest
import torch

from atari_dqn.extensions.quantiles import QuantileHead, midpoints, quantile_huber_loss


def by_loops(quantile, level, target, kappa):
    """Equation 10 as it is printed, in float64."""
    losses = np.zeros(len(quantile))
    for row in range(len(quantile)):
        for i in range(quantile.shape[1]):
            for j in range(target.shape[1]):
                error = target[row, j] - quantile[row, i]
                huber = error**2 / 2 if abs(error) <= kappa else kappa * (abs(error) - kappa / 2)
                losses[row] += abs(level[row, i] - (error < 0)) * huber / target.shape[1]
    return losses


def test_levels_are_midpoints():
    assert midpoints(4).tolist() == [0.125, 0.375, 0.625, 0.875]


def test_loss_by_hand():
    quantile, target = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 3.0]])
    loss = quantile_huber_loss(quantile, torch.tensor([0.25, 0.75]), target)
    # quantile 0:  errors  0.5 and 3:  0.25 * (0.125 + 2.5) / 2        = 0.328125
    # quantile 1:  errors -0.5 and 2:  (0.25 * 0.125 + 0.75 * 1.5) / 2 = 0.578125
    assert loss.tolist() == [0.90625]


@pytest.mark.parametrize("kappa", [1.0, 0.5])
@pytest.mark.parametrize("seed", range(2))
def test_loss_is_equation_10(seed, kappa):
    generator = torch.Generator().manual_seed(seed)
    quantile, target = 2 * torch.randn(8, 5, generator=generator), 2 * torch.randn(8, 7, generator=generator)
    level = torch.rand(8, 5, generator=generator)
    expected = by_loops(*(tensor.double().numpy() for tensor in (quantile, level, target)), kappa)
    np.testing.assert_allclose(quantile_huber_loss(quantile, level, target, kappa), expected, rtol=1e-5)


def test_at_level_one_half_it_is_half_of_huber_s_loss():
    quantile, target = torch.tensor([[0.0]]), torch.tensor([[0.5, -3.0]])
    # Huber: 0.125 and 2.5
    assert quantile_huber_loss(quantile, torch.tensor([0.5]), target).tolist() == [0.5 * (0.125 + 2.5) / 2]


def test_equal_quantiles_have_a_loss_without_gradient_in_the_middle():
    """The quantiles of a distribution against themselves: what is below and above a level pulls alike."""
    quantile = torch.linspace(-0.4, 0.4, 201)[
        None
    ].requires_grad_()  # errors below kappa: expectiles, but in the middle
    quantile_huber_loss(quantile, midpoints(201), quantile.detach()).sum().backward()
    torch.testing.assert_close(quantile.grad[0, 100], torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(quantile.grad, -quantile.grad.flip(1), atol=1e-6, rtol=0)
    one = torch.tensor([[1.5, 1.5]], requires_grad=True)
    loss = quantile_huber_loss(one, midpoints(2), torch.full((1, 3), 1.5))
    loss.sum().backward()
    assert loss.tolist() == [0.0]
    assert not one.grad.any()


def test_descent_finds_the_quantiles():
    samples = torch.randn(1, 4_000, generator=torch.Generator().manual_seed(0)).exp()
    level = torch.tensor([0.1, 0.5, 0.9])
    quantile = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.Adam([quantile], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        quantile_huber_loss(quantile, level, samples, kappa=0.01).sum().backward()  # nearly the plain quantile loss
        quantile.grad /= 0.01
        optimizer.step()
    below = (quantile.detach() > samples.T).float().mean(dim=0)
    torch.testing.assert_close(below, level, atol=0.01, rtol=0)


def test_head_by_hand():
    head = QuantileHead(quantiles=2)
    outputs = torch.tensor([[1.0, 3.0, -1.0, 0.0]])
    assert head.values(outputs).tolist() == [[2.0, -0.5]]
    assert head.of_actions(outputs, torch.tensor([1])).tolist() == [[-1.0, 0.0]]
    blended = head.blend(outputs, torch.tensor([[0.25, 0.75]]), torch.tensor([[4.0, 2.0]]))
    # 0.25 * (1 + 4) + 0.75 * (-1 + 2) = 2        0.25 * (3 + 4) + 0.75 * (0 + 2) = 3.25
    assert blended.tolist() == [[2.0, 3.25]]
    losses, error = head.losses(
        outputs, torch.tensor([0]), torch.tensor([1.0]), torch.tensor([0.5]), torch.tensor([[2.0, 4.0]])
    )
    # targets 2 and 3; quantile 1: errors 1 and 2, 0.25 * (0.5 + 1.5) / 2; quantile 3: -1 and 0, 0.25 * 0.5 / 2
    assert losses.tolist() == [0.25 + 0.0625]
    assert error.tolist() == [0.5]  # 2.5 - 2


def test_the_blend_of_one_action_is_that_action():
    head, generator = QuantileHead(quantiles=8), torch.Generator().manual_seed(0)
    outputs, action = torch.randn(5, 3 * 8, generator=generator), torch.tensor([2, 0, 1, 1, 2])
    weights = torch.nn.functional.one_hot(action, 3).float()
    torch.testing.assert_close(head.blend(outputs, weights, torch.zeros(5, 3)), head.of_actions(outputs, action))


def test_only_the_actions_taken_learn_and_the_end_of_a_game_has_no_future():
    head, generator = QuantileHead(), torch.Generator().manual_seed(1)
    outputs = torch.randn(2, 3 * 200, generator=generator, requires_grad=True)
    following = (1e6 * torch.randn(2, 200, generator=generator)).requires_grad_()
    action = torch.tensor([1, 2])
    losses, error = head.losses(outputs, action, torch.tensor([1.0, -1.0]), torch.zeros(2), following)
    losses.sum().backward()
    q = head.values(outputs.detach()).gather(1, action[:, None]).squeeze(1)
    torch.testing.assert_close(error, torch.tensor([1.0, -1.0]) - q)
    gradient = outputs.grad.view(2, 3, 200)
    assert following.grad is None
    assert torch.isfinite(gradient).all()
    assert gradient[[0, 1], [1, 2]].any()
    gradient[[0, 1], [1, 2]] = 0.0
    assert not gradient.any()
