"""Vector games of gymnasium behind the protocol, against a plain loop over gymnasium itself."""

import gymnasium
import numpy as np
import pytest

from atari_dqn.cli import main
from atari_dqn.envs import make_envs
from atari_dqn.presets import cartpole
from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps


def make(game="cartpole", num_envs=3, max_episode_steps=500):
    config = cartpole().replace(game=game, num_envs=num_envs, max_episode_steps=max_episode_steps)
    return make_envs(config)


def actions(envs, steps, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(envs.spec.num_actions, size=(steps, envs.num_envs))


@pytest.mark.parametrize(
    ("game", "identifier", "limit"),
    [
        ("cartpole", "CartPole-v1", 500),
        ("cartpole", "CartPole-v1", 12),
        (
            "gym:MountainCar-v0",
            "MountainCar-v0",
            100_000,
        ),  # random play always ends at its 200 steps
    ],
)
def test_play_is_that_of_gymnasium(game, identifier, limit):
    """Every row of one environment against a naive loop that knows nothing of vectors."""
    envs, plain = make(game, 2, limit), gymnasium.make(identifier)
    first = envs.reset(np.array([4, 11]))
    frame, _ = plain.reset(seed=11)
    assert (first.frame[1] == frame.astype(np.float32)).all()
    length, over, ends = 0, False, []
    for action in actions(envs, 450):
        envs.send(action)
        step = envs.recv()
        if over:
            frame, _ = plain.reset()
            expected = (0.0, False, False, True, False)
            length, over = 0, False
        else:
            frame, reward, terminated, truncated, _ = plain.step(action[1])
            length += 1
            truncated = truncated or length == limit
            over = terminated or truncated
            expected = (reward, terminated, truncated, False, over)
            if over:
                ends.append("terminated" if terminated else "truncated")
        assert (step.frame[1] == frame.astype(np.float32)).all()
        assert tuple(field[1] for field in step[1:]) == expected
    assert len(ends) >= 2
    assert set(ends) <= ({"truncated"} if "Mountain" in game else {"terminated", "truncated"})
    envs.close()
    plain.close()


@pytest.mark.parametrize("game", ["cartpole", "gym:Acrobot-v1"])
def test_a_resumed_run_is_an_uninterrupted_one(game, tmp_path):
    envs, other = make(game, max_episode_steps=30), make(game, max_episode_steps=30)
    envs.reset(np.array([1, 2, 3]))
    for number, action in enumerate(actions(envs, 130)):
        if number == 50:
            envs.seed_next_episode(1, 77)
        envs.send(action)
        envs.recv()
    envs.seed_next_episode(0, 55)
    checkpoint.save(tmp_path / "state", {"envs": envs.state_dict()}, {})
    other.load_state_dict(checkpoint.load(tmp_path / "state")[0]["envs"])
    for action in actions(envs, 250, seed=1):
        envs.send(action)
        other.send(action)
        for mine, theirs in zip(envs.recv(), other.recv(), strict=True):
            assert (mine == theirs).all()
    envs.close()
    other.close()


def test_version_0_of_cartpole_is_version_1_with_games_of_200_steps():
    """Play that keeps the pole up, so that the limit is what ends games."""
    old, new = make("gym:CartPole-v0", 1, 100_000), make("cartpole", 1, 200)
    step = old.reset(np.array([5]))
    new.reset(np.array([5]))
    lengths, length = [], 0
    for _ in range(900):
        action = (step.frame[:, 2] + 0.5 * step.frame[:, 3] + 0.05 * step.frame[:, 1] > 0).astype(np.int64)
        old.send(action)
        new.send(action)
        step = old.recv()
        for mine, theirs in zip(step, new.recv(), strict=True):
            assert (mine == theirs).all()
        length = 0 if step.started[0] else length + 1
        if step.truncated[0]:
            lengths.append(length)
    assert lengths == [200] * 4
    old.close()
    new.close()


def test_frames_are_vectors_of_float32():
    envs = make(num_envs=2)
    assert envs.spec.frame_shape == (4,)
    assert envs.spec.frame_dtype == "float32"
    assert envs.spec.frame_skip == 1
    assert envs.reset(np.array([1, 2])).frame.dtype == np.float32
    envs.close()


class Loose(gymnasium.Env):
    """A game whose seed decides nothing: it draws from numpy's global numbers."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.random.random(2).astype(np.float32), {}

    def step(self, action):
        return np.random.random(2).astype(np.float32), 1.0, bool(np.random.random() < 0.1), False, {}


gymnasium.register("Loose-v0", entry_point=Loose)


def test_games_that_take_another_course_on_a_resume_are_told_and_given_up_for_new_ones(tmp_path, capsys):
    words = "train gym:Loose-v0 --learning-starts 50 --batch-size 8 --num-envs 3 --torch-threads 1 --run-dir".split()
    assert main([*words, str(tmp_path), "--total-steps", "300"]) == 0
    state, _ = checkpoint.load(list_steps(tmp_path / "checkpoints")[-1])
    capsys.readouterr()
    assert main([*words, str(tmp_path), "--total-steps", "600", "--resume"]) == 0
    told = "warning: 3 of 3 games of gym:Loose-v0 took another course than before"
    assert told in capsys.readouterr().err

    envs = make("gym:Loose-v0")
    envs.load_state_dict(state["envs"])
    envs.send(np.zeros(3, np.int64))
    assert envs.recv().started.all()  # and not the frame of another course, as if it followed


def test_a_game_that_its_seed_decides_goes_on_without_a_word(caplog):
    envs, other = (make() for _ in range(2))
    envs.reset(np.arange(3))
    for _ in range(40):
        envs.send(np.zeros(3, np.int64))
        envs.recv()
    other.load_state_dict(envs.state_dict())
    assert not caplog.messages
    for each in (envs, other):
        each.send(np.ones(3, np.int64))
    for one, two in zip(envs.recv(), other.recv(), strict=True):
        assert (one == two).all()


def test_a_state_of_any_step_goes_on_without_a_word_also_where_a_game_has_just_been_seeded_afresh(monkeypatch, caplog):
    monkeypatch.setattr("atari_dqn.envs.RESEED_AFTER", 15)
    envs, other = (make() for _ in range(2))
    envs.reset(np.arange(3))
    for _ in range(120):
        state = envs.state_dict()
        other.load_state_dict(state)
        for each in (envs, other):
            each.send(np.zeros(3, np.int64))
        for one, two in zip(envs.recv(), other.recv(), strict=True):
            assert (one == two).all()
    assert (state["seeds"] != np.arange(3)).all()
    assert not caplog.messages
