"""Q-functions from before the network: cells and products by hand, and the table as Watkins' Q-learning."""

import dataclasses

import gymnasium
import numpy as np
import pytest
import torch

from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.algorithm import DQN
from atari_dqn.dqn.optim import make_optimizer
from atari_dqn.envs import make_envs
from atari_dqn.envs.classic import CARTPOLE_RANGE
from atari_dqn.errors import UsageError
from atari_dqn.networks import make_model
from atari_dqn.networks.vector import LinearQ, PolynomialQ, Scaling, TabularQ
from atari_dqn.presets import cartpole
from atari_dqn.settings.learning import AlgorithmConfig, NetworkConfig, OptimizerConfig
from atari_dqn.types import EnvSpec, Transitions
from tests.fakes import tiny_config
from tests.test_algorithm import NoReadBack, random_batch

RANGES = ((-2.0, 2.0), (0.0, 10.0))
VECTORS = EnvSpec("vectors", (2,), "float32", ("a", "b", "c"), 1, RANGES)


def test_scaling_by_hand():
    obs = torch.tensor([[[-2.0, 0.0]], [[0.0, 5.0]], [[2.0, 10.0]], [[4.0, -5.0]]])  # [B, K, D]
    assert Scaling(RANGES)(obs).tolist() == [[-1, -1], [0, 0], [1, 1], [2, -2]]  # beyond the range: not cut off


def test_cells_by_hand():
    table = TabularQ(RANGES, num_actions=3, bins=4)
    # cells of width 1 and 2.5; number = first + 4 * second
    obs = torch.tensor([[-2.0, 0.0], [-1.01, 0.0], [-1.0, 0.0], [1.99, 9.99], [2.0, 10.0], [-99.0, 99.0]])
    assert table.cells(obs).tolist() == [0, 0, 1, 3 + 4 * 3, 15, 0 + 4 * 3]
    assert table.table.shape == (16, 3)
    assert table(obs).tolist() == [[0.0] * 3] * 6  # ignorant at first


def test_products_by_hand():
    model = PolynomialQ(RANGES, num_actions=3, degree=2)
    # scaled: x = 0.5, y = -0.2; products x x, x y, x, y y, y
    products = model.products(torch.tensor([[1.0, 4.0]]))
    torch.testing.assert_close(products, torch.tensor([[0.25, -0.1, 0.5, 0.04, -0.2]]))


@pytest.mark.parametrize(("degree", "count"), [(1, 4), (2, 14), (3, 34)])
def test_four_numbers_have_so_many_products(degree, count):
    assert PolynomialQ(CARTPOLE_RANGE, 2, degree).last.in_features == count


def test_a_polynomial_of_degree_one_is_linear():
    linear, polynomial = LinearQ(RANGES, 3), PolynomialQ(RANGES, 3, 1)
    polynomial.last.load_state_dict(linear.last.state_dict())
    obs = torch.rand(7, 1, 2)
    torch.testing.assert_close(linear(obs), polynomial(obs))


def test_the_table_learns_as_watkins_wrote_it():
    """Random play of CartPole through DQN, batches of one, against a dictionary and one line of arithmetic."""
    alpha, gamma = 0.4, 0.9
    model = TabularQ(CARTPOLE_RANGE, 2, bins=6)
    optimizer = make_optimizer(model.parameters(), OptimizerConfig(optimizer="sgd", learning_rate=alpha / 2))
    dqn = DQN(model, optimizer, AlgorithmConfig(gamma=gamma, target=False, clip_reward=False, loss="mse"))
    envs = make_envs(cartpole().replace(num_envs=1))
    last, q, generator = envs.reset(np.array([3])), {}, np.random.default_rng(0)
    for _ in range(400):
        action = generator.integers(2, size=1)
        envs.send(action)
        step = envs.recv()
        if not step.started[0]:
            batch = Transitions(
                obs=torch.from_numpy(last.frame[:, None]),
                action=torch.from_numpy(action),
                reward=torch.from_numpy(step.reward[:, None]),
                num_steps=torch.ones(1, dtype=torch.int64),
                terminated=torch.from_numpy(step.terminated),
                next_obs=torch.from_numpy(step.frame[:, None]),
            )
            dqn.learn(batch)
            here, there = (
                tuple(
                    min(max(int((x - low) / (high - low) * 6), 0), 5)
                    for x, (low, high) in zip(frame[0].tolist(), CARTPOLE_RANGE, strict=True)
                )
                for frame in (last.frame, step.frame)
            )
            value = 0.0 if step.terminated[0] else max(q.get((there, a), 0.0) for a in (0, 1))
            old = q.get((here, int(action[0])), 0.0)
            q[here, int(action[0])] = old + alpha * (step.reward[0] + gamma * value - old)
        last = step
    envs.close()
    learned = {
        (tuple(int(row) // 6**i % 6 for i in range(4)), int(a)): model.table[row, a].item()
        for row, a in model.table.nonzero()
    }
    assert len(q) > 40
    assert learned == pytest.approx(q, abs=1e-4)


@pytest.mark.parametrize("network", ["tabular", "linear", "polynomial"])
def test_every_kind_is_made_for_vectors_with_ranges_only(network):
    model = make_model(VECTORS, NetworkConfig(network, hidden_sizes=(), table_bins=3), frame_stack=2, seed=0)
    assert model(torch.rand(5, 2, 2)).shape == (5, 3)
    with pytest.raises(UsageError, match="no known range: use 'mlp'"):
        make_model(
            dataclasses.replace(VECTORS, frame_range=()), NetworkConfig(network, hidden_sizes=()), frame_stack=1, seed=0
        )
    pixels = EnvSpec("pong", (84, 84), "uint8", tuple("abc"), 4)
    with pytest.raises(UsageError, match="use 'nature_cnn'"):
        make_model(pixels, NetworkConfig(network, hidden_sizes=()), frame_stack=4, seed=0)


@pytest.mark.parametrize("network", ["tabular", "linear", "polynomial"])
def test_an_update_reads_nothing_back_from_the_device(network):
    settings = {"network": network, "optimizer": "sgd", "target": False, "frame_stack": 1, "reward_scale": 0.1}
    agent = make_agent(tiny_config(**settings), VECTORS)
    with NoReadBack():
        stats = agent.learn(random_batch((1, 2)), 2)
    assert stats.loss > 0


def test_a_table_that_fits_nowhere_is_refused():
    with pytest.raises(UsageError, match="lower table_bins"):
        TabularQ(CARTPOLE_RANGE, 2, bins=100)


def test_ranges_are_those_of_the_game():
    for game, expected in (("cartpole", CARTPOLE_RANGE), ("gym:MountainCar-v0", ((-1.2, 0.6), (-0.07, 0.07)))):
        envs = make_envs(cartpole().replace(game=game, num_envs=1))
        np.testing.assert_allclose(envs.spec.frame_range, expected, rtol=1e-6)
        envs.close()
    # the position and the angle at which a game ends are the game's own
    pole = gymnasium.make("CartPole-v1").unwrapped
    assert CARTPOLE_RANGE[0][1] == pole.x_threshold
    assert CARTPOLE_RANGE[2][1] == pytest.approx(pole.theta_threshold_radians, abs=1e-4)
