"""C51: the projection and the loss against numbers worked out by hand, plain loops, and what they must keep."""

import numpy as np
import pytest
import torch

from atari_dqn.extensions.c51 import CategoricalHead, project


def random_batch(seed, batch=32, atoms=51, limit=10.0):
    generator = torch.Generator().manual_seed(seed)
    probability = torch.rand(batch, atoms, generator=generator).square()
    reward = 8 * torch.randn(batch, generator=generator)
    discount = torch.where(torch.rand(batch, generator=generator) < 0.3, 0.0, 0.97)
    support = torch.linspace(-limit, limit, atoms)
    return support, probability / probability.sum(dim=1, keepdim=True), reward, discount


def by_loops(support, probability, reward, discount):
    """Algorithm 1 as it is printed, one atom at a time, in float64; both neighbours are one where an atom is hit."""
    low, high, width = support[0], support[-1], (support[-1] - support[0]) / (len(support) - 1)
    projected = np.zeros(probability.shape)
    for row in range(len(probability)):
        for atom, value in enumerate(support):
            place = (np.clip(reward[row] + discount[row] * value, low, high) - low) / width
            below, above = int(np.floor(place)), int(np.ceil(place))
            if below == above:
                projected[row, below] += probability[row, atom]
            else:
                projected[row, below] += probability[row, atom] * (above - place)
                projected[row, above] += probability[row, atom] * (place - below)
    return projected


def test_projection_by_hand():
    support = torch.tensor([-1.0, 0.0, 1.0])
    probability = torch.tensor([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3], [0.2, 0.5, 0.3]])
    projected = project(support, probability, torch.tensor([0.25, 0.5, -3.0]), torch.tensor([0.5, 0.0, 1.0]))
    # row 0: atoms move to -0.25, 0.25, 0.75: of 0.2 a quarter goes to -1 and three to 0, of 0.5 three quarters to 0 and
    #        one to 1, of 0.3 a quarter to 0 and three to 1:  0.05 | 0.15 + 0.375 + 0.075 | 0.125 + 0.225
    # row 1: terminated, all at 0.5, half way between 0 and 1        row 2: all beyond the lower end
    expected = torch.tensor([[0.05, 0.6, 0.35], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(projected, expected)


@pytest.mark.parametrize("seed", range(3))
def test_projection_is_algorithm_1(seed):
    batch = random_batch(seed)
    exactly = [tensor.double() for tensor in batch]
    expected = by_loops(*(tensor.numpy() for tensor in exactly))
    np.testing.assert_allclose(project(*exactly), expected, atol=1e-12)
    np.testing.assert_allclose(project(*batch), expected, atol=1e-5)  # a place among 51 is told to 4e-6 in float32


def test_projection_keeps_mass_always_and_the_mean_where_nothing_is_cut_off():
    support, probability, reward, discount = random_batch(5)
    projected = project(support, probability, reward, discount)
    torch.testing.assert_close(projected.sum(dim=1), torch.ones(32))
    assert (projected >= 0).all()
    reward = reward.clamp(-0.3, 0.3)  # with 0.97 the ends stay within +-10
    moved = project(support, probability, reward, discount)
    torch.testing.assert_close(moved @ support, reward + discount * (probability @ support), atol=2e-5, rtol=0)


def test_nothing_moves_without_reward_and_discount():
    support, probability, _, _ = random_batch(6)
    torch.testing.assert_close(project(support, probability, torch.zeros(32), torch.ones(32)), probability)


def test_values_are_means_of_each_action():
    head = CategoricalHead(atoms=3, limit=2.0)  # atoms -2, 0, 2
    outputs = torch.tensor([[0.2, 0.5, 0.3], [0.5, 0.0, 0.5]]).log().flatten()[None]
    # -2 * 0.2 + 2 * 0.3 = 0.2        -2 * 0.5 + 2 * 0.5 = 0
    torch.testing.assert_close(head.values(outputs), torch.tensor([[0.2, 0.0]]))
    torch.testing.assert_close(head.of_actions(outputs, torch.tensor([1])).exp(), torch.tensor([[0.5, 0.0, 0.5]]))


def test_loss_by_hand():
    head = CategoricalHead(atoms=3, limit=1.0)
    outputs = torch.tensor([[0.25, 0.5, 0.25, 1.0, 1.0, 1.0]]).log()
    following = torch.tensor([[0.0, 0.0, 1.0]]).log()
    losses, error = head.losses(
        outputs, torch.tensor([0]), torch.tensor([0.0]), torch.tensor([0.5]), following.clamp(min=-1e9)
    )
    # the target lies at 0.5: half at 0, half at 1; divergence 0.5 ln(0.5 / 0.5) + 0.5 ln(0.5 / 0.25) = 0.5 ln 2
    torch.testing.assert_close(losses, torch.tensor([0.5 * np.log(2)], dtype=torch.float32))
    torch.testing.assert_close(error, torch.tensor([0.5]))  # 0.5 - 0


def test_gradient_is_that_of_the_cross_entropy_and_of_the_actions_taken_alone():
    generator = torch.Generator().manual_seed(3)
    head, action = CategoricalHead(), torch.tensor([2, 0, 1, 1])
    outputs = torch.randn(4, 3 * 51, generator=generator, requires_grad=True)
    following = torch.randn(4, 51, generator=generator, requires_grad=True)
    reward, discount = torch.randn(4, generator=generator), torch.tensor([0.99, 0.0, 0.5, 0.99])
    losses, error = head.losses(outputs, action, reward, discount, following)
    assert losses.shape == error.shape == (4,)
    losses.sum().backward()
    assert following.grad is None
    assert not error.requires_grad
    each = torch.arange(4)
    gradient, logits = outputs.grad.view(4, 3, 51), outputs.detach().view(4, 3, 51)[each, action]
    target = project(head.support, following.detach().softmax(dim=1), reward, discount)
    torch.testing.assert_close(gradient[each, action], logits.softmax(dim=1) - target)
    gradient[each, action] = 0.0
    assert not gradient.any()


def test_what_is_known_has_no_loss_and_what_is_impossible_a_finite_one():
    head = CategoricalHead(atoms=5, limit=2.0)
    logits = torch.tensor([[1.0, 2.0, -1.0, 0.5, 0.0]])
    still = torch.zeros(1), torch.ones(1)
    losses, error = head.losses(logits, torch.tensor([0]), *still, logits)
    torch.testing.assert_close(losses, torch.zeros(1), atol=1e-6, rtol=0)
    torch.testing.assert_close(error, torch.zeros(1), atol=1e-6, rtol=0)
    far = torch.tensor([[200.0, 0.0, 0.0, 0.0, -200.0]], requires_grad=True)  # its softmax is exactly 1 and 0
    losses, _ = head.losses(far, torch.tensor([0]), *still, far.detach().flip(1))
    losses.sum().backward()
    torch.testing.assert_close(losses.detach(), torch.tensor([400.0]))
    assert torch.isfinite(far.grad).all()
