"""The fast path against the plain one, frame by frame."""

import numpy as np
import pytest

from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.envs.reference import ReferenceEnvs

GAMES = ("pong", "breakout", "seaquest", "space_invaders", "ms_pacman", "enduro", "boxing")
# The two resize in different arithmetic: ale-py's own comparison of its paths allows the same.
MAX_DIFFERING_PIXELS, MAX_DIFFERENCE = 25, 2


@pytest.mark.parametrize("game", GAMES)
def test_native_and_reference_play_the_same_game(game):
    """Without no-ops, which the two draw differently; across lost lives, ends and a time limit."""
    rules = AtariRules(game, noop_max=0, max_episode_steps=350)
    fast, plain = NativeEnvs(rules, 1, num_threads=1), ReferenceEnvs(rules, 1)
    rng = np.random.default_rng(0)
    opening = [envs.reset(np.array([7])) for envs in (fast, plain)]
    assert_same_frames(*opening)
    assert fast.spec == plain.spec
    for _ in range(500):
        action = rng.integers(fast.spec.num_actions, size=1)
        for envs in (fast, plain):
            envs.send(action)
        one, two = fast.recv(), plain.recv()
        game_over = one.finished[0] and not one.truncated[0]
        if not game_over:  # nothing learns from the frame after game over, and the native one is stale
            assert_same_frames(one, two)
        for name in ("reward", "terminated", "truncated", "started", "finished"):
            assert getattr(one, name) == getattr(two, name), name
    fast.close()
    plain.close()


def assert_same_frames(one, two):
    difference = np.abs(one.frame.astype(int) - two.frame.astype(int))
    assert (difference > 0).sum() <= MAX_DIFFERING_PIXELS
    assert difference.max() <= MAX_DIFFERENCE
