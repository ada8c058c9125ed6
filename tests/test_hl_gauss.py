"""Values as means of histograms: the target, the loss, and a network that learns by it."""

import math

import numpy as np
import pytest
import torch

from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.ports import NullLogger
from atari_dqn.errors import UsageError
from atari_dqn.extensions.hl_gauss import SIGMA, HLGauss
from atari_dqn.types import EnvSpec, Transitions
from tests.fakes import ScriptedEnvs, make_trainer, tiny_config

PIXELS = EnvSpec("scripted", (84, 84), "uint8", ("a", "b", "c"), 4)


def test_the_target_is_the_chance_of_a_normal_distribution_in_each_bin():
    histograms = HLGauss(8, 2.0)  # bins of 0.5

    def below(edge, value):
        return 0.5 * (1 + math.erf((edge - value) / (SIGMA * 0.5 * math.sqrt(2))))

    for value in (-1.9, 0.0, 0.3):
        within = below(2.0, value) - below(-2.0, value)
        expected = [(below(low + 0.5, value) - below(low, value)) / within for low in np.arange(-2.0, 2.0, 0.5)]
        np.testing.assert_allclose(histograms.target(torch.tensor([value]))[0], expected, atol=1e-6)


def test_the_mean_of_a_target_is_its_value_away_from_the_limits():
    histograms = HLGauss(51, 10.0)
    values = torch.linspace(-8.5, 8.5, 173)
    torch.testing.assert_close(histograms.values(histograms.target(values).log()).squeeze(1), values, atol=2e-3, rtol=0)


def test_values_beyond_the_limits_count_as_the_limits():
    histograms = HLGauss(51, 10.0)
    far = histograms.target(torch.tensor([-1e9, -10.0, 10.0, 1e9]))
    torch.testing.assert_close(far[0], far[1])
    torch.testing.assert_close(far[2], far[3])
    torch.testing.assert_close(far.sum(dim=1), torch.ones(4))


def test_the_loss_is_of_the_actions_taken():
    histograms = HLGauss(4, 2.0)
    outputs = torch.randn(2, 3 * 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    action, value = torch.tensor([2, 0]), torch.tensor([0.7, -1.2])
    losses = histograms.loss(outputs, action, value)
    logits = outputs.detach().reshape(2, 3, 4)[[0, 1], [2, 0]]
    expected = -(histograms.target(value) * torch.log_softmax(logits, dim=1)).sum(dim=1)
    torch.testing.assert_close(losses.detach(), expected)
    losses.sum().backward()
    gradient = outputs.grad.reshape(2, 3, 4)
    torch.testing.assert_close(gradient[[0, 1], [2, 0]], torch.softmax(logits, dim=1) - histograms.target(value))
    gradient[[0, 1], [2, 0]] = 0.0
    assert not gradient.any()


def test_a_network_says_the_means():
    config = tiny_config(network="nature_cnn", hidden_sizes=(16,), categorical_bins=11, value_support=5.0)
    model = make_agent(config, PIXELS).algorithm.model
    obs = torch.randint(0, 256, (2, config.env.frame_stack, 84, 84), dtype=torch.uint8)
    outputs = model.outputs(obs)
    assert outputs.shape == (2, 3 * 11)
    means = (torch.softmax(outputs.reshape(2, 3, 11), dim=2) * torch.linspace(-5, 5, 23)[1::2]).sum(dim=2)
    torch.testing.assert_close(model(obs), means)
    assert not any("histograms" in name for name in model.state_dict()), "limits come from the config"
    with torch.autocast("cpu", torch.bfloat16):
        assert model(obs).dtype == torch.float32


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_the_mean_of_a_return_that_is_chance(precision):
    """Half of the transitions pay 1, and half end: the value is 1/2 and half of what follows, discounted."""
    spec = EnvSpec("scripted", (4,), "float32", ("a", "b"), 1)
    config = tiny_config(network="mlp", hidden_sizes=(32,), optimizer="adam", learning_rate=1e-2, categorical_bins=21)
    config = config.replace(value_support=3.0, gamma=0.5, precision=precision, n_step=1)
    agent = make_agent(config, spec)
    obs = torch.ones(64, config.env.frame_stack, 4)
    batch = Transitions(
        obs=obs,
        action=torch.ones(64, dtype=torch.int64),
        reward=(torch.arange(64) % 2).float()[:, None],
        num_steps=torch.ones(64, dtype=torch.int64),
        terminated=torch.arange(64) % 4 < 2,
        next_obs=torch.zeros_like(obs),
    )
    before = agent.algorithm.predict(batch.obs)[0, 0].item()
    with torch.no_grad():
        followed = agent.algorithm.predict_by_target(batch.next_obs).amax(dim=1)[0].item()
    for _ in range(200):
        stats = agent.learn(batch)
    after = agent.algorithm.predict(batch.obs)[0]
    assert after[1].item() == pytest.approx(0.5 + 0.5 * 0.5 * followed, abs=0.03)
    assert after[0].item() != before, "the layers below are shared"
    assert stats.td_error.item() == pytest.approx(0.5, abs=0.05), "no less: the rest is chance"


def test_histograms_bring_their_own_loss():
    with pytest.raises(UsageError, match="categorical_bins is 51, which brings its own loss"):
        tiny_config(network="mlp", categorical_bins=51, own_loss=True)


def test_values_that_fill_the_range_are_told_once():
    """A reward of 1 for ever is worth 10 at gamma 0.9; bins up to 1 cannot say it."""
    messages = []

    class Listener(NullLogger):
        def message(self, text):
            messages.append(text)

    class Rich(ScriptedEnvs):
        def recv(self):
            step = super().recv()
            return step._replace(reward=np.ones_like(step.reward))

    def messages_with(**settings):
        messages.clear()
        config = tiny_config(gamma=0.9, learning_rate=0.01, optimizer="adam", total_steps=2_000, **settings)
        make_trainer(config, Rich(num_envs=4, frame_shape=(3,), end_rate=0.0, life_rate=0.0), logger=Listener()).run()
        return messages

    for settings in ({"categorical_bins": 21}, {"distribution": "c51", "atoms": 21}):
        told = messages_with(**settings, value_support=1.0)
        assert len(told) == 1
        assert "cannot go beyond value_support (1)" in told[0]
    assert messages_with(categorical_bins=21, value_support=100.0) == []
    assert messages_with() == []
