"""Random actions: their chance, how long they are held, and that they come back with a state."""

import numpy as np

from atari_dqn.dqn.exploration import LONGEST_HOLD, EpsilonGreedy
from tests.fakes import make_trainer, tiny_config


def make(num_envs=4, num_actions=6, seed=0, **settings):
    return EpsilonGreedy(num_envs, num_actions, np.random.default_rng(seed), schedule=lambda step: 0.05, **settings)


def drawn(exploration, steps, epsilon, **settings):
    """[steps, N] bool and actions, -1 where the environment does not explore."""
    count = len(exploration.held)
    settings = {"first": 0, "count": count, "hold": True} | settings
    pairs = [exploration.draw(epsilon, **settings) for _ in range(steps)]
    return np.array([np.where(explores, action, -1) for explores, action in pairs])


def holds(actions):
    """Lengths of the runs of one action, of one environment; two draws of the same action look like one hold."""
    ends = np.flatnonzero(np.diff(actions)) + 1
    return np.diff(np.concatenate([[0], ends, [len(actions)]]))


def test_with_a_spread_environments_explore_with_powers_of_epsilon():
    share = (drawn(make(4, ladder=2.0), 40_000, 0.05, hold=False) >= 0).mean(axis=0)
    expected = 0.05 ** np.array([0.5, 1.0, 1.5, 2.0])
    assert (abs(share - expected) < 4 * (expected / 40_000) ** 0.5).all()
    assert (drawn(make(4, ladder=2.0), 10, 1.0, hold=False) >= 0).all(), "the warm-up is random for all"


def test_with_a_spread_groups_in_turns_are_the_environments_that_they_are():
    both = make(4, ladder=3.0)
    second_half = drawn(both, 20_000, 0.05, first=2, count=2, hold=False)[:, :2] >= 0
    expected = 0.05 ** np.linspace(1 / 3, 3, 4)[2:]
    assert (abs(second_half.mean(axis=0) - expected) < 4 * (expected / 20_000) ** 0.5).all()


def test_lengths_fall_with_their_square():
    lengths = holds(drawn(make(1, num_actions=10**9), 60_000, 1.0)[:, 0])
    zeta = np.pi**2 / 6
    for length in (1, 2, 3):
        expected = 1 / (zeta * length**2)
        assert abs((lengths == length).mean() - expected) < 4 * (expected / len(lengths)) ** 0.5
    assert 60 < lengths.max() <= LONGEST_HOLD


def test_a_hold_begins_with_the_chance_epsilon_and_ends():
    actions = drawn(make(1, num_actions=10**9), 60_000, 0.05)[:, 0]
    free = np.concatenate([[-1], actions[:-1]]) == -1  # before it: no hold that might go on
    begins = (actions != -1) & free
    assert abs(begins.sum() / free.sum() - 0.05) < 0.01


def test_every_second_environment_holds_on_its_own_and_those_of_another_group_stand_still():
    exploration = make(6, num_actions=10**9)
    groups = [], []
    for time in range(1000):
        groups[time % 2].append(drawn(exploration, 1, 1.0, first=3 * (time % 2), count=3)[0])
    actions = np.concatenate(groups, axis=1)
    for env in range(6):
        lengths = holds(actions[:, env])
        assert (lengths == 1).any()
        assert (lengths > 3).any() == (env % 2 == 0)
    assert len(np.unique(actions)) == sum(len(np.unique(actions[:, env])) for env in range(6))


def test_without_holding_every_step_has_its_own_coin_and_a_hold_under_way_ends():
    exploration = make(1000)
    drawn(exploration, 5, 1.0)
    assert (exploration.left > 0).any()
    assert (drawn(exploration, 1, 0.0, hold=False) == -1).all()
    assert (drawn(exploration, 1, 0.0) == -1).all()


def test_a_state_goes_on_the_same():
    exploration, other = make(seed=1), make(seed=2)
    drawn(exploration, 50, 0.3)
    other.load_state_dict(exploration.state_dict())
    assert (drawn(exploration, 200, 0.3) == drawn(other, 200, 0.3)).all()


def test_a_run_holds_actions_in_its_warm_up_only():
    config = tiny_config(total_steps=1_600, ez_greedy_warm_up=True)
    trainer = make_trainer(config)
    held = []
    draw = trainer.agent.exploration.draw
    trainer.agent.exploration.draw = lambda *given, **named: held.append(named["hold"]) or draw(*given, **named)
    trainer.run()
    turning = config.replay.learning_starts // config.env.num_envs
    assert held == [True] * turning + [False] * (400 - turning)
    plain = make_trainer(config.replace(ez_greedy_warm_up=False))
    plain.run()
    assert (plain.replay.action != trainer.replay.action).any()
