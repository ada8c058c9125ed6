"""Formulas against numbers worked out on the page."""

import numpy as np
import pytest
import torch

from atari_dqn.dqn.losses import (
    LOSSES,
    bootstrap_value,
    clip_reward,
    clipped_loss,
    n_step_return,
    squared_loss,
    td_error,
)


def test_rewards_are_clipped_to_one():
    assert clip_reward(torch.tensor([-200.0, -0.5, 0.0, 1.0, 7.0])).tolist() == [
        -1.0,
        -0.5,
        0.0,
        1.0,
        1.0,
    ]


def test_td_error_by_hand():
    q = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    q_next = torch.tensor([[10.0, 0.0], [10.0, 0.0]])
    error = td_error(
        q,
        action=torch.tensor([1, 0]),
        reward=torch.tensor([1.0, 1.0]),
        terminated=torch.tensor([False, True]),
        bootstrap=bootstrap_value(q_next),
        discount=0.5,
    )
    # row 0: 1 + 0.5 * 10 - 2 = 4        row 1 has ended: 1 - 3 = -2
    assert error.tolist() == [4.0, -2.0]


def test_double_q_takes_the_online_choice_at_the_target_value():
    q_next = torch.tensor([[10.0, 3.0]])
    online = torch.tensor([[0.0, 1.0]])
    assert bootstrap_value(q_next).tolist() == [10.0]
    assert bootstrap_value(q_next, online).tolist() == [3.0]  # online prefers action 1, which the target values at 3


def test_double_q_is_equation_4_and_never_more_than_the_maximum():
    generator = np.random.default_rng(0)
    q_next, online = generator.normal(size=(2, 64, 6))
    double = [values[choice] for values, choice in zip(q_next, online.argmax(axis=1), strict=True)]
    q_next, online = torch.from_numpy(q_next), torch.from_numpy(online)
    assert bootstrap_value(q_next, online).tolist() == double
    assert (bootstrap_value(q_next, online) <= bootstrap_value(q_next)).all()
    assert torch.equal(bootstrap_value(q_next, 3 * q_next + 1), bootstrap_value(q_next)), "of one opinion: the maximum"


def test_n_step_return_by_hand():
    reward = torch.tensor([[1.0, 2.0, 4.0], [1.0, 0.0, 0.0]])
    # 1 + 0.5 * 2 + 0.25 * 4 = 3
    assert n_step_return(reward, gamma=0.5).tolist() == [3.0, 1.0]


def test_one_step_return_is_the_reward():
    assert n_step_return(torch.tensor([[3.0], [-1.0]]), gamma=0.9).tolist() == [3.0, -1.0]


def test_clipped_loss_has_a_gradient_of_at_most_one():
    error = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0], requires_grad=True)
    loss = clipped_loss(error)
    loss.sum().backward()
    # |e| <= 1: e^2 / 2, beyond: |e| - 1/2
    assert loss.tolist() == [2.5, 0.5, 0.125, 0.0, 0.125, 0.5, 2.5]
    assert error.grad is not None
    assert error.grad.tolist() == [-1.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0]


def test_the_mean_of_the_squared_loss_is_the_mean_squared_error():
    error = torch.tensor([-3.0, 2.0], requires_grad=True)
    loss = squared_loss(error)
    loss.mean().backward()
    assert loss.tolist() == [9.0, 4.0]
    assert error.grad is not None
    assert error.grad.tolist() == [-3.0, 2.0]  # 2 e / 2, a batch of two


@pytest.mark.parametrize("online", [None, torch.tensor([[0.0, 1.0]])])
def test_no_gradient_flows_into_the_bootstrap(online):
    q_next = torch.tensor([[1.0, 2.0]], requires_grad=True)
    assert not bootstrap_value(q_next, online).requires_grad


def test_the_clipped_squared_loss_by_hand():
    error = torch.tensor([0.25, -0.5, 2.0, -3.0], requires_grad=True)
    loss = LOSSES["clipped_mse"](error)
    # 0.25^2 = 0.0625 and 0.5^2 = 0.25; beyond 1/2 |d| - 1/4: 1.75 and 2.75
    assert loss.tolist() == [0.0625, 0.25, 1.75, 2.75]
    loss.sum().backward()
    assert error.grad.tolist() == [0.5, -1.0, 1.0, -1.0]  # 2 d within [-1, 1]
