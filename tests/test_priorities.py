"""Prioritized draws: the distribution, the weights, and what is known of each row."""

import numpy as np
import pytest
import torch

from atari_dqn.errors import UsageError
from atari_dqn.extensions.priorities import LARGEST, SMALLEST, Priorities
from atari_dqn.runs import refusals
from tests.fakes import make_trainer, tiny_config

PRIORITIZED = {"priority_alpha": 0.6, "priority_beta": 0.4}


def with_alpha(num_rows, alpha, beta):
    priorities = Priorities(num_rows, "cpu", beta=beta)
    priorities.alpha.fill_(alpha)
    return priorities


def gumbel(count, generator):
    return torch.from_numpy(generator.gumbel(size=count).astype(np.float32))


def test_one_of_four_candidates_is_chosen_in_proportion_to_its_priority():
    generator = np.random.default_rng(0)
    priorities = with_alpha(4, 0.5, 0.0)
    rows = torch.arange(4)
    priorities.learned(rows, torch.tensor([0.0, 0.03, -0.15, 3.0]))
    chance = (torch.tensor([0.0, 0.03, 0.15, LARGEST]) + SMALLEST).sqrt()
    chance /= chance.sum()
    counts = np.zeros(4)
    for _ in range(20_000):
        places, _weights = priorities.choose(rows, gumbel(4, generator), 1)
        counts[places.item()] += 1
    np.testing.assert_allclose(counts / counts.sum(), chance, atol=4 * 0.5 / np.sqrt(20_000))


def test_weights_take_the_bias_away():
    """With beta 1, chance times weight is the same for all: a weighted mean over draws is the plain mean."""
    priorities = with_alpha(4, 1.0, 1.0)
    priorities.learned(torch.arange(4), torch.tensor([0.1, 0.2, 0.4, 0.8]))
    rows = torch.arange(4).repeat(4)
    places, weights = priorities.choose(rows, torch.zeros(16), 2)
    assert sorted(places.tolist()) == [3, 7, 11, 15], "without noise the largest"
    torch.testing.assert_close(weights, torch.ones(4))
    noise = torch.where(torch.arange(16) < 4, 50.0, 0.0)
    places, weights = priorities.choose(rows, noise, 2)
    assert sorted(places.tolist()) == [0, 1, 2, 3]
    product = weights * (priorities.error[rows[places]] + SMALLEST)
    torch.testing.assert_close(product, product.mean().expand(4))
    assert weights.mean() == pytest.approx(1.0)


def test_the_chosen_are_dealt_to_the_minibatches_in_turn():
    priorities = with_alpha(24, 1.0, 0.0)
    places, _ = priorities.choose(torch.arange(24), -torch.arange(24.0), 3)
    assert places.tolist() == [0, 3, 1, 4, 2, 5]


def test_exponent_zero_is_uniform():
    generator = np.random.default_rng(1)
    priorities = with_alpha(8, 0.0, 1.0)
    priorities.learned(torch.arange(8), torch.linspace(0, 1, 8))
    chosen = torch.cat([priorities.choose(torch.arange(8), gumbel(8, generator), 1)[0] for _ in range(4_000)])
    counts = torch.bincount(chosen, minlength=8).double().numpy()
    np.testing.assert_allclose(counts / counts.sum(), 1 / 8, atol=0.02)


def test_of_several_errors_at_one_row_the_largest_is_noted_in_any_order():
    rows, errors = torch.tensor([2, 1, 2, 2, 1]), torch.tensor([0.1, 0.2, -0.7, 0.3, 0.4])
    for order in (torch.arange(5), torch.arange(5).flip(0)):
        priorities = with_alpha(4, 0.5, 0.5)
        priorities.learned(rows[order], errors[order])
        torch.testing.assert_close(priorities.error, torch.tensor([LARGEST, 0.4, 0.7, LARGEST]))


def test_errors_are_noted_at_their_rows_and_forgotten_where_the_replay_is_overwritten():
    trainer = make_trainer(tiny_config(num_envs=4, total_steps=400, overlap=False, **PRIORITIZED))
    learner, learn, noted = trainer.learner, trainer.agent.learn, {}

    def spy(batch, updates, weights):
        assert len(batch.action) == len(weights) == 8 * updates
        return learn(batch, updates, weights)

    note, ring = learner.sampler.priorities.learned, trainer.replay.ring
    append = ring.append

    def spy_note(rows, errors):
        noted.update(zip(rows.tolist(), errors.abs().clamp(max=LARGEST).tolist(), strict=True))
        note(rows, errors)

    def spy_append(frame):
        append(frame)
        written = ring.rows_at(ring.time)
        for row in range(written.start, written.stop):
            noted.pop(row, None)

    trainer.agent.learn, learner.sampler.priorities.learned, ring.append = spy, spy_note, spy_append
    trainer.run()
    learner.sampler.priorities.forget_overwritten(ring)
    expected = np.full(trainer.replay.ring.num_rows, LARGEST, np.float32)
    for row, error in noted.items():
        expected[row] = error
    np.testing.assert_array_equal(learner.sampler.priorities.error.numpy(), expected)
    assert 0 < len(noted) < trainer.replay.ring.num_rows
    assert (learner.sampler.priorities.error[ring.rows_at(ring.time)] == LARGEST).all(), "written after the last update"


def test_a_run_goes_on_with_its_priorities():
    config = tiny_config(num_envs=4, **PRIORITIZED)
    whole = make_trainer(config)
    whole.run()
    first = make_trainer(config.replace(total_steps=200))
    first.run()
    second = make_trainer(config, first.envs)
    second.replay.load_state_dict(first.replay.state_dict())
    second.replay.ring.frames.pixels.copy_(first.replay.ring.frames.pixels)
    second.load_state_dict(first.state_dict())
    second.run()
    torch.testing.assert_close(
        second.learner.sampler.priorities.error, whole.learner.sampler.priorities.error, rtol=0, atol=0
    )
    for name, value in whole.agent.get_weights().items():
        np.testing.assert_array_equal(second.agent.get_weights()[name], value)


def test_an_empty_replay_begins_with_new_priorities():
    config = tiny_config(num_envs=4, **PRIORITIZED)
    first = make_trainer(config)
    first.run()
    assert (first.learner.sampler.priorities.error < LARGEST).any()
    second = make_trainer(config)
    second.load_state_dict(first.state_dict())
    assert (second.learner.sampler.priorities.error == LARGEST).all()


def test_the_exponent_falls_while_a_run_goes_on():
    config = tiny_config(num_envs=4, total_steps=400, overlap=False, priority_decay_steps=300, **PRIORITIZED)
    trainer = make_trainer(config)
    chosen_at, choose = [], trainer.learner.sampler.priorities.choose

    def spy(*inputs):
        chosen_at.append(trainer.learner.sampler.priorities.alpha.item())
        return choose(*inputs)

    trainer.learner.sampler.priorities.choose = spy
    trainer.run()
    assert chosen_at[0] == pytest.approx(0.6, abs=0.02)
    assert chosen_at[-1] == 0.0
    assert sorted(chosen_at, reverse=True) == chosen_at
    assert len(set(chosen_at)) > 20


def test_without_a_replay_there_is_nothing_to_prefer():
    with pytest.raises(UsageError, match="priority_alpha is 0.6, but replay is off"):
        tiny_config(replay=False, **PRIORITIZED)


def test_uniform_draws_keep_no_priorities():
    trainer = make_trainer(tiny_config())
    assert trainer.learner.sampler.state_dict() == {}
    assert "priorities" not in trainer.learner.state_dict()


def test_a_replay_far_from_the_network_is_refused():
    config = tiny_config(device="cuda", replay_device="cpu", **PRIORITIZED)
    with pytest.raises(UsageError, match="the replay is on cpu and the network on cuda; bring them together"):
        refusals.refuse_far_priorities(config)
    refusals.refuse_far_priorities(config.replace(priority_alpha=0.0))
    refusals.refuse_far_priorities(config.replace(device="cpu"))
