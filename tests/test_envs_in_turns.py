"""Groups that take turns: each plays what it would play alone, and a state can be taken while some play."""

import numpy as np
import pytest

from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.presets import nature
from atari_dqn.storage import checkpoint
from tests.fakes import ScriptedEnvs

SEEDS = np.arange(4) + 7


def pong(**settings):
    return make_envs(nature("pong").replace(num_envs=4, env_threads=1, **settings))


def actions(turn):
    return np.random.default_rng(turn).integers(3, size=2)  # Pong has three actions in the paper


def assert_same(one, two):
    for name, left, right in zip(one._fields, one, two, strict=True):
        assert left.dtype == right.dtype, name
        assert (left == right).all(), name


def test_each_group_plays_what_it_would_play_alone():
    envs, alone = pong(env_groups=2), [make_envs(nature("pong").replace(num_envs=2)) for _ in range(2)]
    first = envs.reset(SEEDS)
    parts = [group.reset(seeds) for group, seeds in zip(alone, (SEEDS[:2], SEEDS[2:]), strict=True)]
    for array, left, right in zip(first, *parts, strict=True):
        assert (array == np.concatenate([left, right])).all()
    envs.send(actions(0))
    for turn in range(1, 41):
        envs.send(actions(turn))  # both play now
        alone[(turn - 1) % 2].send(actions(turn - 1))
        assert_same(envs.recv(), alone[(turn - 1) % 2].recv())
    for each in (envs, *alone):
        each.close()  # a group still plays


def test_a_state_can_be_taken_while_a_group_plays(tmp_path):
    envs, other = pong(env_groups=2), pong(env_groups=2)
    envs.reset(SEEDS)
    for turn in range(12):
        envs.send(actions(turn))
        if turn:
            envs.recv()
    checkpoint.save(tmp_path / "step_0000000001", {"envs": envs.state_dict()}, {})  # one is under way
    other.load_state_dict(checkpoint.load(tmp_path / "step_0000000001")[0]["envs"])
    for turn in range(12, 24):
        for each in (envs, other):
            each.send(actions(turn))
        assert_same(envs.recv(), other.recv())
    for each in (envs, other):
        each.close()


def test_a_game_can_be_seeded_in_any_group():
    envs = make_envs(nature("pong").replace(num_envs=4, env_groups=2))
    envs.groups = [Noting(), Noting()]
    for index in range(4):
        envs.seed_next_episode(index, 10 + index)
    assert [group.seeded for group in envs.groups] == [[(0, 10), (1, 11)], [(0, 12), (1, 13)]]


class Noting(ScriptedEnvs):
    def __init__(self):
        super().__init__(2)
        self.seeded = []

    def seed_next_episode(self, index, seed):
        self.seeded.append((index, seed))


def test_what_never_began_cannot_be_waited_for():
    envs = pong(env_groups=2)
    envs.reset(SEEDS)
    with pytest.raises(RuntimeError, match="no step under way"):
        envs.recv()
    envs.close()


def test_groups_must_divide_the_environments():
    with pytest.raises(UsageError, match=r"env_groups \(3\) must divide num_envs \(64\)"):
        nature("pong").replace(env_groups=3)
