"""Munchausen: the bonus and the soft maximum against numbers worked out by hand and plain numpy."""

import math

import numpy as np
import pytest
import torch

from atari_dqn.dqn.bellman import ScalarHead
from atari_dqn.dqn.losses import clipped_loss
from atari_dqn.extensions.munchausen import MunchausenTarget, bonus, log_policy, soft_weights
from atari_dqn.extensions.quantiles import QuantileHead
from atari_dqn.types import Transitions

LN3 = math.log(3)


def test_policy_by_hand():
    # Q / tau = ln 3 and 0: three to one
    policy = log_policy(torch.tensor([[0.5 * LN3, 0.0]]), 0.5).exp()
    torch.testing.assert_close(policy, torch.tensor([[0.75, 0.25]]))


def test_bonus_by_hand():
    values = torch.tensor([[0.5 * LN3, 0.0], [0.5 * LN3, 0.0], [50.0, 0.0]])
    added = bonus(values, torch.tensor([0, 1, 1]), alpha=0.9, temperature=0.5)
    # 0.9 * 0.5 ln 0.75        0.9 * 0.5 ln 0.25        ln pi = -100, times 0.5: cut off at -1
    expected = torch.tensor([0.45 * math.log(0.75), 0.45 * math.log(0.25), -0.9])
    torch.testing.assert_close(added, expected)


def test_soft_weights_by_hand():
    weights, shift = soft_weights(torch.tensor([[0.5 * LN3, 0.0]]), temperature=0.5)
    torch.testing.assert_close(weights, torch.tensor([[0.75, 0.25]]))
    torch.testing.assert_close(shift, torch.tensor([[-0.5 * math.log(0.75), -0.5 * math.log(0.25)]]))


def test_formulas_are_those_of_the_paper():
    generator = np.random.default_rng(0)
    values, action = generator.normal(size=(64, 6)), generator.integers(6, size=64)
    policy = np.exp(values / 0.1) / np.exp(values / 0.1).sum(axis=1, keepdims=True)
    scaled = 0.1 * np.log(policy)
    tensor = torch.from_numpy(values).float()
    expected = 0.7 * np.clip(scaled[np.arange(64), action], -0.8, 0.0)
    np.testing.assert_allclose(bonus(tensor, torch.from_numpy(action), 0.7, 0.1, -0.8), expected, atol=1e-6)
    weights, shift = soft_weights(tensor, 0.1)
    np.testing.assert_allclose(weights, policy, atol=1e-6)
    np.testing.assert_allclose(shift, -scaled, atol=1e-6)


def test_the_weighted_sum_is_the_soft_maximum():
    values = torch.randn(32, 18, generator=torch.Generator().manual_seed(0))
    weights, shift = soft_weights(values)
    soft = (weights * (values + shift)).sum(dim=1)
    torch.testing.assert_close(soft, 0.03 * torch.logsumexp(values / 0.03, dim=1))
    assert (soft >= values.amax(dim=1) - 1e-6).all()
    head = QuantileHead(quantiles=1)  # of one quantile, the value itself
    torch.testing.assert_close(head.blend(values, weights, shift).squeeze(1), soft)


class Says:
    """A target network that knows its values."""

    def __init__(self, values):
        self.values = values

    def predict_by_target(self, obs):
        return self.values


@pytest.mark.parametrize(
    ("head", "per_action", "expected"),
    [
        # pi = 3/4, 1/4 in both states: sum_a pi_a (Q_a - tau ln pi_a) = tau logsumexp(Q / tau) = 0.5 ln 4
        (ScalarHead(clipped_loss), 1, [0.5 * math.log(4)]),
        # quantiles 1 below and 1 above each value: the sum of those below and of those above
        (QuantileHead(quantiles=2), 2, [0.5 * math.log(4) - 1, 0.5 * math.log(4) + 1]),
    ],
)
def test_a_target_by_hand(head, per_action, expected):
    values = torch.tensor([[0.5 * LN3, 0.0]])
    spread = torch.tensor([0.0] if per_action == 1 else [-1.0, 1.0])
    batch = Transitions(torch.zeros(1, 4), torch.tensor([1]), torch.tensor([2.0]), *[torch.zeros(1)] * 3)
    rule = MunchausenTarget(alpha=0.9, temperature=0.5)
    reward, following = rule(head, batch, (values[:, :, None] + spread).flatten(1), Says(values))
    # 2 + 0.9 * 0.5 ln 1/4 for the less likely action; the bonus alone would be cut off at -1
    torch.testing.assert_close(reward, torch.tensor([2 + 0.45 * math.log(0.25)]))
    torch.testing.assert_close(following.flatten(), torch.tensor(expected))


def test_all_is_finite_and_exact_where_the_exponential_is_not():
    values = torch.tensor([[1e4, 0.0, 1e4], [-1e4, 0.0, 7.0]], requires_grad=True)
    weights, shift = soft_weights(values)
    assert weights.detach().tolist() == [[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]]
    torch.testing.assert_close((weights * (values + shift)).sum(dim=1), torch.tensor([1e4 + 0.03 * math.log(2), 7.0]))
    added = bonus(values, torch.tensor([1, 2]))
    torch.testing.assert_close(added, torch.tensor([-0.9, 0.0]))
    (added.sum() + weights.sum() + shift.sum()).backward()
    assert torch.isfinite(values.grad).all()


def test_without_differences_the_policy_is_uniform_and_with_one_action_nothing_is_added():
    weights, shift = soft_weights(torch.full((1, 4), 3.0))
    torch.testing.assert_close(weights, torch.full((1, 4), 0.25))
    torch.testing.assert_close(shift, torch.full((1, 4), 0.03 * math.log(4)))
    assert bonus(torch.tensor([[2.0]]), torch.tensor([0])).tolist() == [0.0]
