"""One update of each member, on random batches, against the papers' formulas in plain numpy.

The networks' outputs are taken as they are; everything behind them is written out here: what is chosen, what is
bootstrapped from, the loss, its weights, and what prioritized replay goes by.
"""

import numpy as np
import pytest
import torch

from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.bellman import NoChance
from atari_dqn.presets.family import FAMILY
from atari_dqn.types import EnvSpec, Transitions
from tests.test_c51 import by_loops as projected

BATCH, ACTIONS = 16, 3
SPEC = EnvSpec("cartpole", (4,), "float32", ("left", "none", "right"), 1)
OF_PAPER = "double_q n_step loss_reduction clip_reward gamma atoms value_support".split()


def make_algorithm(name):
    """A small network that learns as on Atari; its target is another one, and its random numbers stand still."""
    on_atari = FAMILY[name]("pong").flat()
    config = FAMILY[name]("cartpole").replace(batch_size=BATCH, hidden_sizes=(24,))
    algorithm = make_agent(config.replace(**{each: on_atari[each] for each in OF_PAPER}), SPEC).algorithm
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in (*algorithm.model.parameters(), *algorithm.target.parameters()):
            weights.add_(0.3 * torch.randn(weights.shape, generator=generator))
    algorithm.chance.renew(algorithm.model)
    algorithm.chance.renew(algorithm.target)
    algorithm.chance = NoChance()
    return algorithm, on_atari


def random_batch(seed, n):
    generator = torch.Generator().manual_seed(seed)
    num_steps = torch.randint(1, n + 1, (BATCH,), generator=generator)
    reward = 2 * torch.randn(BATCH, n, generator=generator) * (torch.arange(n) < num_steps[:, None])
    terminated = (num_steps < n) | (torch.rand(BATCH, generator=generator) < 0.3)
    obs, after = torch.randn(2, BATCH, 1, 4, generator=generator)
    action = torch.randint(ACTIONS, (BATCH,), generator=generator)
    return Transitions(obs, action, reward, num_steps, terminated, after), torch.rand(BATCH, generator=generator)


def exactly(tensor):
    return tensor.detach().double().numpy()


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def huber(error):
    return np.where(abs(error) <= 1, error**2 / 2, abs(error) - 0.5)


def distributions(outputs, settings):
    """By action, [B, A, M]: values, probabilities or quantiles, and the levels of these."""
    if settings["distribution"] == "iqn":
        quantiles = outputs.reshape(BATCH, ACTIONS + 1, 64)
        return quantiles[:, :-1], quantiles[:, -1]
    by_action = outputs.reshape(BATCH, ACTIONS, -1)
    if settings["distribution"] == "quantiles":
        return by_action, np.tile((np.arange(200) + 0.5) / 200, (BATCH, 1))
    return (softmax(by_action) if settings["distribution"] == "c51" else by_action), None


def means(by_action, settings):
    support = np.linspace(-10, 10, 51)
    return by_action @ support if settings["distribution"] == "c51" else by_action.mean(axis=2)


def by_the_papers(algorithm, batch, settings):
    """Losses and TD errors, [B] both."""
    each, action = np.arange(BATCH), batch.action.numpy()
    rewards = np.clip(exactly(batch.reward), -1, 1)
    reward = sum(0.99**i * rewards[:, i] for i in range(rewards.shape[1]))
    discount = np.where(batch.terminated, 0.0, 0.99 ** batch.num_steps.numpy())
    taken, levels = distributions(exactly(algorithm.outputs(algorithm.model, batch.obs)), settings)
    after, _ = distributions(exactly(algorithm.outputs(algorithm.target, batch.next_obs)), settings)
    taken, values_after = taken[each, action], means(after, settings)
    if settings["munchausen_alpha"]:
        policy = softmax(values_after / 0.03)
        after = np.einsum("ba,bam->bm", policy, after - 0.03 * np.log(policy)[:, :, None])
        here = softmax(exactly(algorithm.predict_by_target(batch.obs)) / 0.03)[each, action]
        reward = reward + 0.9 * np.clip(0.03 * np.log(here), -1, 0)
    else:
        picks = exactly(algorithm.predict(batch.next_obs)) if settings["double_q"] else values_after
        after = after[each, picks.argmax(axis=1)]
    if settings["distribution"] == "c51":
        support = np.linspace(-10, 10, 51)
        target = projected(support, after, reward, discount)
        surprise = (target * (np.log(np.maximum(target, 1e-300)) - np.log(taken))).sum(axis=1)  # their divergence
        return surprise, (target - taken) @ support
    target = reward[:, None] + discount[:, None] * after
    error = target.mean(axis=1) - taken.mean(axis=1)
    if settings["distribution"] == "none":
        return huber(error), error
    errors = target[:, None, :] - taken[:, :, None]
    return (abs(levels[:, :, None] - (errors < 0)) * huber(errors)).mean(axis=2).sum(axis=1), error


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", FAMILY)
def test_an_update_is_that_of_the_papers(name, weighted):
    algorithm, settings = make_algorithm(name)
    batch, weights = random_batch(int(weighted), settings["n_step"])
    losses, error = by_the_papers(algorithm, batch, settings)
    stats = algorithm.learn(batch, weights=weights if weighted else None)
    assert abs(error).max() > 1, "beyond the threshold of Huber's loss"
    used = losses * weights.numpy() if weighted else losses
    expected = used.sum() if settings["loss_reduction"] == "sum" else used.mean()
    np.testing.assert_allclose(stats.loss, expected, rtol=1e-4)
    np.testing.assert_allclose(stats.td_error, abs(error).mean(), rtol=1e-4)
    goes_by = losses if settings["distribution"] == "c51" else error
    np.testing.assert_allclose(algorithm.surprise, goes_by, rtol=1e-3, atol=1e-4)
