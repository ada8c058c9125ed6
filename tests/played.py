"""Random play on environments, for tests that hold one backend to another or a resumed one to an undisturbed one."""

import numpy as np

from atari_dqn.storage import checkpoint


def play(envs, steps, seed=0, count=None):
    """Random play; yields the steps. `count` games are asked for at a time, all of them unless it is given."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        envs.send(rng.integers(envs.spec.num_actions, size=count or envs.num_envs))
        yield envs.recv()


def assert_same(one, two):
    for name, left, right in zip(one._fields, one, two, strict=True):
        assert (left == right).all(), name


def assert_resumed_as_undisturbed(envs, other, tmp_path, steps):
    """`other` goes on from states of `envs`, through checkpoints on disk, and both play the same `steps`.

    They are stopped at the first frame, at a cut just shown, at its opening just shown, and in mid-game, for games
    that are cut after 45 steps. Two games get seeds of their own.
    """
    for stop in (0, 45, 46, 137):
        envs.reset(np.arange(5, 5 + envs.num_envs))
        for number, _ in enumerate(play(envs, stop)):
            if number == 20:
                envs.seed_next_episode(1, 99)
        envs.seed_next_episode(2, 2**31 - 1)
        folder = tmp_path / f"state{stop}"
        checkpoint.save(folder, {"envs": envs.state_dict()}, {})
        other.load_state_dict(checkpoint.load(folder)[0]["envs"])
        for mine, theirs in zip(play(envs, steps, 1), play(other, steps, 1), strict=True):
            assert_same(mine, theirs)
        for left, right in zip(envs.state_dict().values(), other.state_dict().values(), strict=True):
            assert np.all(left == right)
