"""Aggregates: numbers by hand, a naive twin of the bootstrap, and what an interval must and must not do."""

import numpy as np
import pytest

from atari_dqn.published.aggregates import (
    Estimate,
    aggregate,
    iqm,
    mean,
    mean_interval,
    median,
    optimality_gap,
    probability_of_improvement,
)

# two games with two seeds each
GAMES = [np.array([0.0, 1.0]), np.array([2.0, 9.0])]


def test_aggregates_by_hand():
    # all runs 0 1 2 9: a quarter of four is one run at each end, the middle is 1 2
    assert iqm(*GAMES) == 1.5
    # means of the games 0.5 and 5.5
    assert median(*GAMES) == 3.0
    assert mean(*GAMES) == 3.0
    # below 1 by 1, 0, 0, 0
    assert optimality_gap(*GAMES) == 0.25


def test_median_and_mean_differ_and_negative_scores_count():
    games = [np.array([-1.0]), np.array([0.5]), np.array([10.0])]
    assert median(*games) == 0.5
    assert mean(*games) == pytest.approx(9.5 / 3)
    # gaps 2, 0.5, 0
    assert optimality_gap(*games) == pytest.approx(2.5 / 3)
    # of three runs floor(3 / 4) = 0 are cut
    assert iqm(*games) == pytest.approx(9.5 / 3)


def test_games_with_different_numbers_of_seeds():
    games = [np.array([0.0, 0.0, 0.0]), np.array([1.0])]
    # every game counts the same in mean and gap, every run in the IQM: 0 0 0 1 -> 0 0
    assert mean(*games) == 0.5
    assert optimality_gap(*games) == 0.5
    assert iqm(*games) == 0.0


def naive_bootstrap(games, statistic, resamples=1000):
    rng = np.random.default_rng(1)
    drawn = [statistic(*[rng.choice(scores, len(scores)) for scores in games]) for _ in range(resamples)]
    return np.percentile(drawn, [2.5, 97.5])


@pytest.mark.parametrize("metric", [iqm, median, mean, optimality_gap])
def test_the_interval_is_that_of_the_naive_twin(metric):
    rng = np.random.default_rng(0)
    games = [rng.normal(level, 0.2, size=seeds) for level, seeds in ((0.2, 5), (0.7, 3), (1.1, 4), (0.5, 1))]
    value, low, high = aggregate(games, metric.__name__)
    assert value == pytest.approx(float(metric(*games)))
    assert low < value < high
    # percentiles of a thousand draws and more: the two differ by Monte Carlo noise only
    assert (low, high) == pytest.approx(tuple(naive_bootstrap(games, metric)), abs=0.02)


def test_runs_are_drawn_within_their_game():
    # no spread within a game, a lot between the games: a stratified interval has no width
    games = [np.array([0.1, 0.1, 0.1]), np.array([5.0, 5.0])]
    assert aggregate(games, "mean") == pytest.approx((2.55, 2.55, 2.55))


def test_without_a_second_run_there_is_no_interval():
    assert aggregate([np.array([0.3]), np.array([0.5])], "median") == Estimate(0.4, None, None)


def test_the_same_seed_is_the_same_interval():
    assert aggregate(GAMES, "iqm", seed=3) == aggregate(GAMES, "iqm", seed=3)


def test_probability_of_improvement_by_hand():
    # game 1: of (1 > 0) (1 = 1) (3 > 0) (3 > 1) come 1 + 1/2 + 1 + 1 = 3.5 of 4; game 2: 0 of 1
    estimate = probability_of_improvement(
        [np.array([1.0, 3.0]), np.array([2.0])], [np.array([0.0, 1.0]), np.array([4])]
    )
    assert estimate.value == pytest.approx((0.875 + 0.0) / 2)
    # resampled, game 1 lies between (1 against 1) = 1/2 and (3 against anything) = 1
    assert estimate.low == pytest.approx(0.25)
    assert estimate.high == pytest.approx(0.5)


def test_both_ways_add_up_to_one():
    rng = np.random.default_rng(2)
    ours, theirs = ([rng.integers(0, 4, size=3).astype(float) for _ in range(6)] for _ in range(2))
    there, back = probability_of_improvement(ours, theirs), probability_of_improvement(theirs, ours)
    assert there.value + back.value == pytest.approx(1.0)


def test_other_games_on_the_other_side_are_refused():
    with pytest.raises(ValueError, match="1 games against 2"):
        probability_of_improvement([np.ones(1)], [np.ones(1)] * 2)


@pytest.mark.parametrize("scores", [np.array([]), np.array([np.nan]), np.ones((2, 2))])
def test_scores_that_are_none_are_refused(scores):
    with pytest.raises(ValueError, match="finite numbers"):
        aggregate([scores], "mean")


def test_the_band_of_a_curve():
    # point 1: three equal seeds, no width; point 2: 0 3 6, whose resampled means lie in [0, 6] with (0 0 0) and (6 6 6)
    # at 1 in 27 each: the 2.5 and 97.5 percentiles are exactly those ends
    low, high = mean_interval(np.array([[1.0, 0.0], [1.0, 3.0], [1.0, 6.0]]))
    assert low.tolist() == pytest.approx([1.0, 0.0])
    assert high.tolist() == pytest.approx([1.0, 6.0])


def test_the_interval_of_the_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(10.0, 2.0, size=(50, 2))
    low, high = mean_interval(values)
    # half width of a 95 % interval of the mean of 50: 1.96 * std / sqrt(50)
    half = 1.96 * values.std(axis=0) / 50**0.5
    np.testing.assert_allclose(values.mean(axis=0) - low, half, rtol=0.15)
    np.testing.assert_allclose(high - values.mean(axis=0), half, rtol=0.15)


def test_one_seed_has_no_width_and_equal_seeds_have_none():
    for values in ([[3.0, 4.0]], [[3.0, 4.0]] * 5):
        low, high = mean_interval(np.array(values))
        assert low.tolist() == high.tolist() == [3.0, 4.0]
