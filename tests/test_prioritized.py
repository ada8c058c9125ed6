"""Exact prioritized replay: chances, weights, and which transitions are there to be drawn."""

import numpy as np
import pytest
import torch

from atari_dqn.extensions.prioritized import SMALLEST, ProportionalPriorities, importance_weights
from atari_dqn.replay.index import SampleIndex


def sampler_of(errors, alpha, beta=0.0):
    """One leaf for each error."""
    sampler = ProportionalPriorities(len(errors), "cpu", alpha=alpha)
    sampler.beta.fill_(beta)
    sampler.note(np.arange(len(errors)), np.arange(0))
    sampler.learned(torch.arange(len(errors)), torch.tensor(errors))
    return sampler


def uniform(updates, size, seed):
    return torch.rand(updates, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def share(leaves, count):
    return torch.bincount(leaves, minlength=count).double() / len(leaves)


def test_chances_and_weights_by_hand():
    sampler = sampler_of([1.0, -4.0, 9.0], alpha=0.5, beta=1.0)
    # priorities 1, 2 and 3 of 6: two strata begin at 0 and 3, and the leaves at 0, 1 and 3
    leaves, weights = sampler.draw(torch.tensor([[0.1, 0.1], [0.9, 0.9]], dtype=torch.float64))
    assert leaves.tolist() == [0, 2, 1, 2]
    # weights 1 / p, divided by the largest of the minibatch: 1/1 and 1/3, then 1/2 and 1/3
    torch.testing.assert_close(weights, torch.tensor([1.0, 1 / 3, 1.0, 2 / 3]), atol=1e-5, rtol=0)
    sampler.beta.fill_(0.5)
    weights = sampler.draw(torch.full((1, 2), 0.1, dtype=torch.float64))[1]
    torch.testing.assert_close(weights, torch.tensor([1.0, 3**-0.5]), atol=1e-5, rtol=0)


def test_draws_are_in_proportion_to_the_priorities():
    errors = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 7.0], np.float32)
    leaves, _ = sampler_of(errors.tolist(), alpha=0.6).draw(uniform(3_000, 32, seed=0))
    chance = (errors.astype(np.float64) + SMALLEST) ** 0.6
    np.testing.assert_allclose(share(leaves, 6), chance / chance.sum(), atol=0.005)


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_weights_are_those_of_algorithm_1(beta):
    """With N and the sum of all priorities, as it is printed, on minibatches of a larger replay."""
    priority = np.random.default_rng(0).random(1_000) + 0.01
    drawn = np.random.default_rng(1).integers(1_000, size=(8, 32))
    chance = priority / priority.sum()
    weights = (1_000 * chance[drawn]) ** -beta
    weights /= weights.max(axis=1, keepdims=True)
    np.testing.assert_allclose(importance_weights(torch.from_numpy(priority[drawn]), beta), weights, rtol=1e-12)


def test_weights_take_the_bias_away():
    """With beta 1 a weighted mean over draws is the plain mean, up to the scale of each minibatch: here of all."""
    errors, values = [0.1, 0.5, 2.0, 3.0], torch.tensor([5.0, -1.0, 2.0, 4.0])
    leaves, weights = sampler_of(errors, alpha=0.7, beta=1.0).draw(uniform(1, 50_000, seed=1))
    assert 0 < weights.min() < weights.max() == 1.0
    weighted = (weights * values[leaves]).sum() / weights.sum()
    torch.testing.assert_close(weighted, values.mean(), atol=0.05, rtol=0)


def test_exponent_zero_is_uniform():
    """Chi-square, but strata spread the draws more evenly than chance would: 15 degrees of freedom, 37.7 once in 1,000.

    One transition a minibatch is drawn without strata.
    """
    errors = torch.rand(16, generator=torch.Generator().manual_seed(0)).tolist()
    sampler = sampler_of(errors, alpha=0.0, beta=1.0)
    leaves, weights = sampler.draw(uniform(16_000, 1, seed=3))
    counts = 16_000 * share(leaves, 16)
    assert ((counts - 1_000) ** 2 / 1_000).sum() < 37.7
    assert (weights == 1.0).all()
    leaves, _ = sampler.draw(uniform(1, 16, seed=4))
    assert leaves.tolist() == list(range(16)), "as many strata as leaves, each in its own"


def test_new_transitions_get_the_largest_priority_so_far():
    sampler = ProportionalPriorities(4, "cpu", alpha=0.5)
    sampler.note(np.array([0, 1]), np.arange(0))
    assert sampler.tree.values(torch.arange(4)).tolist() == [1.0, 1.0, 0.0, 0.0]
    sampler.learned(torch.tensor([0]), torch.tensor([-16.0]))
    sampler.learned(torch.tensor([0]), torch.tensor([0.25]))
    sampler.note(np.array([2]), np.arange(0))
    values = sampler.tree.values(torch.arange(4))
    torch.testing.assert_close(values, torch.tensor([0.5, 1.0, 4.0, 0.0]).double(), atol=1e-5, rtol=0)


def test_what_is_gone_is_never_drawn_even_if_it_is_learned_from_afterwards():
    sampler = sampler_of([1.0, 1.0, 1.0, 1.0], alpha=0.6)
    sampler.note(np.arange(0), np.array([1, 2]))
    sampler.learned(torch.tensor([1, 3]), torch.tensor([100.0, 0.1]))
    leaves, _ = sampler.draw(uniform(100, 8, seed=0))
    assert set(leaves.tolist()) == {0, 3}


@pytest.mark.parametrize("calls", ["each step", "now and then"])
def test_it_follows_the_learnable_rows(calls):
    """Random numbers of rows are admitted and dropped around a ring; the leaves that can be drawn are those rows."""
    generator, positions, capacity = np.random.default_rng(0), 9, 24
    learnable = SampleIndex(capacity, positions)
    sampler = ProportionalPriorities(capacity, "cpu", alpha=0.5)
    for time in range(200):
        if time >= positions - 2:
            learnable.evict((time + 2) % positions)
        rows = time % positions * 4 + np.flatnonzero(generator.random(4) < 0.6)
        learnable.append(time % positions, rows[: capacity - len(learnable)])
        if calls == "each step" or generator.random() < 0.1:
            sampler.follow(learnable)
            live = np.flatnonzero(sampler.tree.values(torch.arange(capacity)).numpy())
            assert sorted(learnable.ring[live]) == sorted(learnable.all())
            leaves, _ = sampler.draw(uniform(1, 4, seed=time))
            assert set(learnable.ring[leaves.numpy()]) <= set(learnable.all())
            sampler.learned(leaves, torch.rand(4, generator=torch.Generator().manual_seed(time)))
    assert learnable.end > 10 * capacity


def test_errors_that_are_no_numbers_leave_the_sampler_working():
    sampler = sampler_of([1.0, 2.0], alpha=0.6, beta=0.4)
    sampler.learned(torch.tensor([0, 1]), torch.tensor([float("nan"), float("inf")]))
    leaves, weights = sampler.draw(uniform(4, 2, seed=0))
    assert set(leaves.tolist()) == {0, 1}
    assert torch.isfinite(weights).all()


def test_a_sampler_goes_on_from_its_state():
    def turn(sampler, learnable, time):
        learnable.append(time % 8, time % 8 * 2 + np.arange(2))
        sampler.follow(learnable)
        leaves, weights = sampler.draw(uniform(2, 4, seed=time))
        sampler.learned(leaves, torch.randn(8, generator=torch.Generator().manual_seed(time)))
        learnable.evict((time - 5) % 8)
        return leaves, weights

    learnable, whole = SampleIndex(16, 8), ProportionalPriorities(16, "cpu", alpha=0.6)
    for time in range(11):
        turn(whole, learnable, time)
    copy = SampleIndex(16, 8)
    copy.load_state_dict(learnable.state_dict())
    second = ProportionalPriorities(16, "cpu", alpha=0.6)
    second.load_state_dict(whole.state_dict())
    for time in range(11, 20):
        for mine, theirs in zip(turn(whole, learnable, time), turn(second, copy, time), strict=True):
            assert torch.equal(mine, theirs)
