"""DQN: one update by hand, the target network, precision, and no waiting for the device."""

import copy
import shutil

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from atari_dqn.dqn.agent import Agent, make_agent
from atari_dqn.dqn.algorithm import DQN, PLAIN, Computation
from atari_dqn.dqn.optim import make_optimizer
from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.settings.learning import AlgorithmConfig, OptimizerConfig
from atari_dqn.storage import checkpoint
from atari_dqn.types import EnvSpec, Transitions
from tests.fakes import tiny_config

SPEC = EnvSpec("scripted", (3,), "uint8", ("a", "b"), 4)


class Table(nn.Module):
    """A Q table: observation [B, 1] selects a row."""

    def __init__(self, values):
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def forward(self, obs):
        return self.values[obs.flatten(1)[:, 0].long()]


def table_batch(**changes):
    values = {
        "obs": torch.tensor([[0], [1]]),
        "action": torch.tensor([1, 0]),
        "reward": torch.tensor([[5.0], [0.0]]),
        "num_steps": torch.tensor([1, 1]),
        "terminated": torch.tensor([False, True]),
        "next_obs": torch.tensor([[1], [0]]),
    }
    return Transitions(**(values | changes))


def make_dqn(model, *, learning_rate=0.1, max_grad_norm=None, computation=PLAIN, **settings):
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    settings = AlgorithmConfig(**{"gamma": 0.5} | settings)
    return DQN(model, optimizer, settings, max_grad_norm=max_grad_norm, computation=computation)


def learned(reduction="sum", **settings):
    model = Table([[0.0, 1.0], [0.25, 2.0]])
    dqn = make_dqn(model, loss_reduction=reduction, **settings)
    stats = dqn.learn(table_batch())
    return model.values.detach(), stats


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler's own imports
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_update_is_the_plain_update():
    generator = torch.Generator().manual_seed(0)
    obs, next_obs = torch.randint(0, 256, (2, 4, 4, 84, 84), dtype=torch.uint8, generator=generator)
    batch = Transitions(
        obs=obs,
        action=torch.tensor([0, 1, 1, 0]),
        reward=torch.tensor([[5.0], [0.0], [-1.0], [0.0]]),
        num_steps=torch.tensor([1, 1, 1, 1]),
        terminated=torch.tensor([False, True, False, False]),
        next_obs=next_obs,
    )
    model = NatureCNN(4, (84, 84), 2, (16,))
    after = []
    for compiled in (False, True):
        own = copy.deepcopy(model)
        dqn = make_dqn(own, computation=Computation(compiled=compiled))
        stats = dqn.learn(batch)
        after.append([*(weights.detach() for weights in own.parameters()), *stats])
    for plain, fused in zip(*after, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-3, atol=1e-5)  # sums in another order


def test_one_update_by_hand():
    values, stats = learned()
    # row 0: reward 5 clipped to 1, target 1 + 0.5 * max(0.25, 2) = 2, error 2 - 1 = 1, gradient -1
    # row 1: ended, target 0, error -0.25, gradient 0.25
    torch.testing.assert_close(values, torch.tensor([[0.0, 1.1], [0.225, 2.0]]))
    assert stats.loss.item() == pytest.approx(0.5 + 0.25**2 / 2)
    assert stats.q.item() == pytest.approx((1.0 + 0.25) / 2)
    assert stats.td_error.item() == pytest.approx((1.0 + 0.25) / 2)
    assert stats.grad_norm.item() == pytest.approx((1 + 0.25**2) ** 0.5)


def test_weights_that_take_no_part_stay_as_they_are():
    model = Table([[0.0, 1.0], [0.25, 2.0]])
    model.frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    model.unused = nn.Parameter(torch.ones(2))
    dqn = make_dqn(model)
    dqn.learn(table_batch())
    assert (model.frozen == 1).all() and (model.unused == 1).all()
    assert model.values[0, 1] > 1.0


def test_mean_is_the_sum_over_the_batch_size():
    values, _ = learned("mean")
    torch.testing.assert_close(values, torch.tensor([[0.0, 1.05], [0.2375, 2.0]]))


def test_raw_rewards_and_squared_errors_on_request():
    values, _ = learned(clip_reward=False, loss="mse")
    # row 0: target 5 + 1 = 6, error 5, gradient -10; row 1: error -0.25, gradient 0.5
    torch.testing.assert_close(values, torch.tensor([[0.0, 2.0], [0.2, 2.0]]))


def test_rewards_are_scaled_before_they_are_clipped():
    values, _ = learned(reward_scale=0.1)
    # row 0: reward 0.5, target 0.5 + 1 = 1.5, error 0.5
    torch.testing.assert_close(values, torch.tensor([[0.0, 1.05], [0.225, 2.0]]))


def two_updates(**settings):
    """The first raises Q(1, right) by 1; the second, of row 0, bootstraps from it: two minibatches of one."""
    model = Table([[0.0, 1.0], [0.25, 2.0]])
    dqn = make_dqn(model, learning_rate=1.0, **settings)
    batch = table_batch(
        obs=torch.tensor([[1], [0]]),
        next_obs=torch.tensor([[0], [1]]),
        action=torch.tensor([1, 1]),
        reward=torch.tensor([[2.5], [0.0]]),
        terminated=torch.tensor([True, False]),
    )
    dqn.learn(batch, updates=2)
    return model.values.detach().tolist()


def test_without_a_target_network_each_update_bootstraps_from_the_one_before():
    # update 1: target 2.5, error 0.5: 2.5 now. Update 2: 0 + 0.5 * 2 = 1 by the target network, 0.5 * 2.5 by the online
    assert two_updates(clip_reward=False) == [[0.0, 1.0], [0.25, 2.5]]
    for double_q in (False, True):  # the network that picks is the one that values
        assert two_updates(clip_reward=False, target=False, double_q=double_q) == [
            [0.0, 1.25],
            [0.25, 2.5],
        ]


def test_an_n_step_target_is_discounted_by_its_own_number_of_steps():
    model = Table([[0.0, 1.0], [0.25, 2.0]])
    dqn = make_dqn(model)
    dqn.learn(
        table_batch(
            reward=torch.tensor([[0.0, 1.0], [0.0, 0.0]]),
            num_steps=torch.tensor([2, 1]),
        )
    )
    # row 0: 0 + 0.5 * 1 + 0.25 * 2 = 1, error 0
    assert model.values[0].tolist() == [0.0, 1.0]


def test_the_target_network_moves_only_when_copied():
    agent = make_agent(tiny_config(), SPEC)
    dqn = agent.algorithm
    before = copy.deepcopy(dqn.target.state_dict())
    dqn.learn(random_batch())
    assert all(torch.equal(before[name], value) for name, value in dqn.target.state_dict().items())
    assert not all(torch.equal(before[name], value) for name, value in dqn.model.state_dict().items())
    dqn.sync_target()
    online = dqn.model.state_dict()
    assert all(torch.equal(online[name], value) for name, value in dqn.target.state_dict().items())


def random_batch(shape=(4, 3), batch=8, device="cpu"):
    obs = torch.randint(0, 256, (2, batch, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Transitions(
        obs[0].to(device),
        torch.zeros(batch, dtype=torch.int64, device=device),
        torch.ones(batch, 1, device=device),
        torch.ones(batch, dtype=torch.int64, device=device),
        torch.zeros(batch, dtype=torch.bool, device=device),
        obs[1].to(device),
    )


class NoReadBack(TorchDispatchMode):
    """Refuses `.item()`, and every `if` on a tensor, which both ask for a number from the device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            raise AssertionError("a number was read back from the device")
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_an_update_reads_nothing_back_from_the_device(double_q, optimizer):
    config = tiny_config(network="nature_cnn", double_q=double_q, optimizer=optimizer, hidden_sizes=(32,))
    agent = make_agent(config, EnvSpec("x", (84, 84), "uint8", ("a", "b"), 4))
    batch = random_batch((4, 84, 84))
    with NoReadBack():
        for _ in range(2):
            stats = agent.learn(batch)
            agent.sync_target()
        with pytest.raises(AssertionError, match="read back"):  # so the check can fail
            stats.loss.item()


def test_bf16_is_close_to_fp32():
    q = {}
    for precision in ("fp32", "bf16"):
        torch.manual_seed(0)
        model = NatureCNN(4, (84, 84), 6)
        dqn = make_dqn(model, computation=Computation(precision))
        q[precision] = dqn.predict(random_batch((4, 84, 84)).obs)
        assert q[precision].dtype == torch.float32
        dqn.learn(random_batch((4, 84, 84)))
        assert all(param.dtype == torch.float32 for param in model.parameters())
    torch.testing.assert_close(q["fp32"], q["bf16"], atol=0.01, rtol=0.1)


@pytest.mark.parametrize("network", ["online", "target"])
def test_bf16_tells_close_actions_apart(network):
    """At Q = 10 the numbers of bf16 are 1/16 apart; the last layer keeps the actions from tying."""
    model = NatureCNN(4, (84, 84), 3)
    with torch.no_grad():
        model.last.weight.zero_()
        model.last.bias.copy_(torch.tensor([10.0, 10.02, 10.01]))
    dqn = make_dqn(model, computation=Computation("bf16"))
    q = (dqn.predict if network == "online" else dqn.predict_by_target)(random_batch((4, 84, 84)).obs)
    torch.testing.assert_close(q, model.last.bias.expand_as(q))


def test_each_environment_has_a_coin_of_its_own():
    agent = make_agent(tiny_config(), SPEC)
    obs = torch.zeros(10_000, 4, 3, dtype=torch.uint8)
    greedy = agent.predict(obs[:1])[0]
    action = agent.sample(obs, epsilon=0.3)
    # with probability 0.3 random, half of which is the greedy action: 15 % others, give or take 4 standard deviations
    assert abs((action != greedy).mean() - 0.15) < 4 * (0.15 * 0.85 / 10_000) ** 0.5


def test_save_and_restore_bring_back_the_agent(tmp_path):
    config = tiny_config(optimizer="adam")
    agent, other = make_agent(config, SPEC), make_agent(tiny_config(optimizer="adam", seed=9), SPEC)
    agent.learn(random_batch())
    agent.save(tmp_path / "step_0000000001")
    other.restore(tmp_path / "step_0000000001")
    for each in (agent, other):
        each.learn(random_batch())
    obs = random_batch().obs
    assert torch.equal(agent.algorithm.predict(obs), other.algorithm.predict(obs))
    assert (agent.sample(obs, 0.5) == other.sample(obs, 0.5)).all()
    assert checkpoint.read_meta(tmp_path / "step_0000000001")["format_version"] == checkpoint.FORMAT_VERSION
    assert isinstance(other, Agent)


@pytest.mark.parametrize("name", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_weight_is_moved_by_its_own_gradient(name, precision):
    """torch's fused optimizers pair numbers by their place in memory, and the first convolution's gradient has another
    order than its weights."""
    model = NatureCNN(4, (84, 84), 3).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model.parameters(), OptimizerConfig(optimizer=name, learning_rate=0.01))
    dqn = DQN(model, optimizer, computation=Computation(precision))
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    obs, next_obs = torch.randint(0, 256, (2, 8, 4, 84, 84), dtype=torch.uint8)
    ones = torch.ones(8, dtype=torch.int64)
    dqn.learn(Transitions(obs, ones, torch.randn(8, 1), ones, torch.zeros(8, dtype=torch.bool), next_obs))
    for key, weight in model.named_parameters():
        grad, moved = weight.grad, weight.detach() - before[key]
        expected = {
            "sgd": -0.01 * grad,
            "adam": -0.01 * grad / (grad.abs() + 0.01),  # the first step: both averages are corrected to the gradient
            "rmsprop": -0.01 * grad / (0.05 * grad**2 - (0.05 * grad) ** 2 + 0.01).sqrt(),
        }[name]
        torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-6, msg=f"{key} by {name}")
