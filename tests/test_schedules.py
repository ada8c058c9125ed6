"""Schedules: ends, middle, and the law that pieces of time add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atari_dqn.dqn import schedules
from atari_dqn.dqn.schedules import (
    crossings,
    geometric,
    learning_plan,
    linear,
    replay_window,
)
from atari_dqn.presets import cartpole_parl, cartpole_tf2, nature, nnabla

STEPS = st.integers(0, 10_000)
PERIODS = st.integers(1, 300)


def test_linear_by_hand():
    values = [linear(step, start=1.0, end=0.1, steps=1_000_000) for step in (-5, 0, 500_000, 1_000_000, 9_000_000)]
    assert values == [1.0, 1.0, pytest.approx(0.55), 0.1, 0.1]


def test_linear_of_no_length_is_at_its_end():
    assert linear(0, start=1.0, end=0.1, steps=0) == 0.1


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_epsilon_never_rises_and_does_move(first, second):
    early, late = sorted((first, second))
    value = [linear(step, start=1.0, end=0.1, steps=1_000) for step in (early, late)]
    assert 0.1 <= value[1] <= value[0] <= 1.0
    if early < late <= 1_000:
        assert value[1] < value[0]


def test_geometric_by_hand():
    values = [geometric(times, start=1.0, end=0.3, factor=0.5) for times in (-1, 0, 1, 2, 50)]
    assert values == [1.0, 1.0, 0.5, 0.3, 0.3]


FACTORS = st.floats(0.0, 1.0)


@given(st.integers(0, 2_000), st.integers(0, 500), FACTORS)
def test_geometric_never_rises_nor_leaves_its_ends(times, more, factor):
    early, late = (geometric(count, start=1.0, end=0.01, factor=factor) for count in (times, times + more))
    assert 0.01 <= late <= early <= 1.0


@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.9, 1.0))
def test_geometric_is_a_product_until_its_floor(first, second, factor):
    whole = geometric(first + second, start=1.0, end=1e-30, factor=factor)
    halves = geometric(second, start=geometric(first, start=1.0, end=0.0, factor=factor), end=1e-30, factor=factor)
    assert whole == pytest.approx(halves)


@given(st.integers(0, 1_500))
def test_geometric_is_the_sources_loop(step):
    """cartpole_tf2: before every action epsilon is multiplied, and then raised to its floor."""
    epsilon = 1.0
    for _ in range(step + 1):
        epsilon = max(epsilon * 0.995, 0.01)
    assert schedules.epsilon(cartpole_tf2(), step) == pytest.approx(epsilon)


def test_epsilon_of_the_recipes_counts_from_the_first_step():
    parl = cartpole_parl()
    values = [schedules.epsilon(parl, step) for step in (0, 100, 45_000, 90_000, 400_000)]
    assert values == pytest.approx([0.1, 0.1 - 100 * 1e-6, 0.055, 0.01, 0.01])
    assert schedules.epsilon(cartpole_tf2(), 0) == 0.995
    waiting = cartpole_tf2().replace(random_warm_up=True)
    assert [schedules.epsilon(waiting, step) for step in (31, 32)] == [1.0, 0.995]


def test_n_step_falls_by_equal_factors():
    config = nature().replace(n_step=8, n_step_end=2, n_step_decay_steps=1_000, learning_starts=50_000)
    steps = (0, 50_000, 50_500, 51_000, 10**7)
    assert [schedules.n_step(config, step) for step in steps] == [8, 8, 4, 2, 2]


def test_the_window_is_a_share_of_what_was_played():
    config = nature().replace(replay_window_fraction=0.25, replay_window_min=1_000)
    assert [replay_window(config, step) for step in (0, 4_000, 4_004, 10**6)] == [1_000, 1_000, 1_001, 250_000]
    assert replay_window(nature(), 10**6) is None  # everything that is kept


def test_the_share_grows_to_all_once_returns_are_short():
    config = nature().replace(
        learning_starts=10_000,
        n_step=10,
        n_step_end=3,
        n_step_decay_steps=90_000,
        replay_window_fraction=0.25,
        replay_window_growth_steps=200_000,
    )
    steps = (40_000, 100_000, 200_000, 299_999, 300_000, 10**7)
    assert [replay_window(config, step) for step in steps] == [10_000, 25_000, 125_000, 299_997, None, None]


def test_the_exponent_of_priorities_falls_to_zero_or_stays():
    config = nature().replace(priority_alpha=0.6, learning_starts=10_000)
    assert [schedules.priority_alpha(config, step) for step in (0, 10**9)] == [0.6, 0.6]
    falling = config.replace(priority_decay_steps=200_000)
    values = [schedules.priority_alpha(falling, step) for step in (0, 10_000, 60_000, 210_000, 10**7)]
    assert values == pytest.approx([0.6, 0.6, 0.45, 0.0, 0.0])


def test_n_step_stays_unless_told():
    config = nature().replace(n_step=3)
    assert [schedules.n_step(config, step) for step in (0, 10**9)] == [3, 3]


def test_crossings_by_hand():
    assert crossings(0, 4, 4) == 1  # 4
    assert crossings(4, 7, 4) == 0
    assert crossings(4, 64, 4) == 15  # 8, 12, ..., 64


@given(st.lists(st.integers(1, 200), max_size=20), PERIODS)
def test_however_time_is_cut_the_crossings_add_up(pieces, period):
    total, now = 0, 0
    for piece in pieces:
        total += crossings(now, now + piece, period)
        now += piece
    assert total == now // period


def serial_plan(before, after, starts, update, target):
    """The algorithm box, one step at a time: u = an update, s = a target copy."""
    events = ""
    for step in range(before + 1, after + 1):
        if step > starts:
            events += "u" * (step % update == 0) + "s" * (step % target == 0)
    return events


@given(STEPS, st.integers(0, 300), STEPS, PERIODS, PERIODS)
def test_learning_plan_is_the_serial_algorithm(before, width, starts, update, target):
    plan = learning_plan(before, before + width, learning_starts=starts, update_period=update, target_period=target)
    events = "".join("u" * updates + "s" * sync for updates, sync in plan)
    assert events == serial_plan(before, before + width, starts, update, target)


def test_the_ratio_does_not_depend_on_the_number_of_environments():
    for num_envs in (1, 3, 16, 64, 100):
        steps = range(0, 30_000, num_envs)
        done = sum(
            updates
            for step in steps
            for updates, _ in learning_plan(
                step, step + num_envs, learning_starts=5_000, update_period=4, target_period=10_000
            )
        )
        assert done == (steps[-1] + num_envs) // 4 - 5_000 // 4


def test_epsilon_can_decay_from_step_0_behind_a_random_warm_up():
    config = nnabla("pong")  # 1 to 0.1 in 1,000,000 steps from 0 on, at random until 50,000
    assert [schedules.epsilon(config, step) for step in (0, 49_999)] == [1.0, 1.0]
    assert schedules.epsilon(config, 50_000) == pytest.approx(1 - 0.9 * 0.05)
    assert schedules.epsilon(config, 1_000_000) == pytest.approx(0.1)
