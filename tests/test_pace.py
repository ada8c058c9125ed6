"""How long a run takes from here, by hand; and how it is told in 80 columns."""

import pytest

from atari_dqn.presets import cartpole, nature
from atari_dqn.runs.pace import (
    PACE_SECONDS,
    Moment,
    Pace,
    counted,
    duration,
    evaluations_left,
    expected_steps,
    fitted,
    parts,
    score,
    short,
)

# 100 steps of random play, 900 of play and learning; an update every 4 steps; evaluations of 100 steps at 500 and 1,000
SMALL = nature().replace(
    device="cpu",
    num_envs=4,
    env_threads=1,
    total_steps=1_000,
    learning_starts=100,
    capacity=1_000,
    update_period=4,
    eval_period=500,
    eval_steps=100,
)


def played(pace, *, steps, seconds, since=(0.0, 0), learning=False):
    """A pace that has seen `steps` agent steps in `seconds`."""
    clock, step = since
    pace.see(clock, step, learning=learning)
    pace.see(clock + seconds, step + steps, learning=learning)
    return pace


def test_before_learning_begins_the_time_left_comes_from_the_measured_update():
    pace = played(Pace(SMALL, update_seconds=0.04), steps=50, seconds=0.5)  # 0.01 s to play a step
    # 50 steps of play, 900 of play and a quarter of an update, 2 evaluations of 100 steps of play
    expected = 50 * 0.01 + 900 * (0.01 + 0.04 / 4) + 2 * 100 * 0.01
    assert pace.seconds_left(Moment(50, learning_starts_at=100)) == pytest.approx(expected)


def test_a_gpu_learns_while_the_games_play():
    pace = played(Pace(SMALL.replace(device="cuda"), 0.02), steps=50, seconds=0.5)
    # a step of play takes 0.01 s, a quarter of an update 0.005 s: the games decide
    assert pace.seconds_left(Moment(50, learning_starts_at=100)) == pytest.approx(
        50 * 0.01 + 900 * 0.01 + 2 * 100 * 0.01
    )


def test_afterwards_it_comes_from_the_rate_of_the_last_two_minutes_and_from_evaluations_as_they_were():
    pace = played(Pace(SMALL, update_seconds=0.04), steps=100, seconds=1.0)
    played(pace, steps=100, seconds=PACE_SECONDS, since=(1.0, 100), learning=True)  # slow ...
    for second in range(1, 1 + int(PACE_SECONDS)):  # ... then 2 steps a second
        pace.see(1.0 + PACE_SECONDS + second, 200 + 2 * second, learning=True)
    assert pace.rate == pytest.approx(2.0)
    pace.evaluation_seconds = 30.0
    assert pace.seconds_left(Moment(440, 100)) == pytest.approx(560 / 2 + 2 * 30)
    # one of the two is under way, and has taken 10 s
    assert pace.seconds_left(Moment(500, 100, evaluating=10.0)) == pytest.approx(500 / 2 + 2 * 30 - 10)
    assert pace.seconds_left(Moment(1_000, 100, evaluated_at=1_000)) == 0.0


def test_every_evaluation_counts_once():
    config = SMALL.replace(eval_early_steps=(0, 50, 200, 500))
    assert evaluations_left(config, 0, 1_000) == 4  # 50, 200, 500, 1,000
    assert evaluations_left(config, 50, 1_000) == 3
    assert evaluations_left(config, 500, 1_100) == 2  # 1,000, and the end


def test_the_updates_of_a_network_drawn_anew_count():
    config = SMALL.replace(eval_period=0, reset_steps=(300, 600), reset_updates=50)
    pace = played(Pace(config, update_seconds=0.1), steps=100, seconds=10.0, since=(0.0, 300), learning=True)
    # 600 steps at 10 a second; 50 updates at step 600, and 20 that are pending
    left = pace.seconds_left(Moment(400, 100, pending_updates=20))
    assert left == pytest.approx(600 / 10 + 70 * 0.1)


def test_what_is_not_known_is_not_told():
    pace = played(Pace(SMALL, update_seconds=None), steps=50, seconds=0.5)
    assert pace.seconds_left(Moment(50, 100)) is None, "no update was measured"
    assert Pace(cartpole().replace(device="cpu"), None).seconds_left(Moment(0, 1_000)) is None
    # without any play an agent step on Atari takes an estimate of 0.0003 s on one core
    about = 100 * 0.0003 + 900 * (0.0003 + 0.01) + 2 * 100 * 0.0003
    assert Pace(SMALL, 0.04).seconds_left(Moment(0, 100)) == pytest.approx(about)


def test_a_run_of_so_many_games_ends_with_them():
    config = cartpole().replace(total_steps=10_000, total_episodes=50)
    assert expected_steps(config, Moment(0, 100)) == 10_000
    assert expected_steps(config, Moment(1_000, 100, episodes=10)) == 5_000
    assert expected_steps(config, Moment(9_000, 100, episodes=10)) == 10_000, "the steps end it before"


DURATIONS = {0.4: "0 s", 12.0: "12 s", 59.6: "1:00 min", 245.0: "4:05 min", 4_800.0: "1:20 h", 27 * 3_600.0: "27:00 h"}
DURATIONS |= {76 * 3_600.0 + 1_000: "3 d 4 h"}


@pytest.mark.parametrize(("seconds", "told"), DURATIONS.items())
def test_durations(seconds, told):
    assert duration(seconds) == told


def test_numbers():
    assert [short(n) for n in (0, 600_000, 1_250_000, 50_000_000)] == ["0", "600,000", "1.25 M", "50 M"]
    assert [counted(n, "run") for n in (0, 1, 2_000)] == ["0 runs", "1 run", "2,000 runs"]
    assert [score(x) for x in (-18.24, 999.96, 12_345.6)] == ["-18.2", "1,000.0", "12,346"]


def test_what_is_told_and_in_which_order():
    pace = played(Pace(SMALL, 0.04), steps=100, seconds=10.0, since=(0.0, 100), learning=True)
    pace.evaluation_seconds = 5.0
    moment = Moment(240, 100, mean_return=-18.24, best=-15.0)
    # 760 steps at 10 a second and two evaluations of 5 s
    assert parts(moment, pace) == [
        " 24 %", "240/1,000", "1:26 min left", "10 steps/s", "return -18.2", "best -15.0",
    ]  # fmt: skip
    noted = parts(moment._replace(note="evaluating: 2 / 30 games"), pace)
    assert noted == [" 24 %", "240/1,000", "1:26 min left", "evaluating: 2 / 30 games", "best -15.0"]


def test_as_much_is_told_as_fits_the_most_important_first():
    told = ["100 %", "49.99 M/50 M", "27:05 h left", "12,345 steps/s", "return 312.4", "best 401.2"]
    assert fitted(told, 80) == "100 %  49.99 M/50 M  27:05 h left  12,345 steps/s  return 312.4  best 401.2"
    assert fitted(told, 40) == "100 %  49.99 M/50 M  27:05 h left"
    assert fitted(told, 3) == "100 %"
