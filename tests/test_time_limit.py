"""The time limit of a Gymnasium game: its own, unless a flag says less, and never another one without a word."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from atari_dqn import presets
from atari_dqn.commands.suite import Suite, configs_of
from atari_dqn.commands.train import parse_command
from atari_dqn.envs import time_limit_told
from atari_dqn.runs.evaluate import Selection, evaluate_policy


class Endless(gymnasium.Env):
    """A point for every step, for ever."""

    observation_space = Box(-1, 1, (1,), np.float32)
    action_space = Discrete(2)

    def __init__(self, render_mode=None):
        pass

    def reset(self, *, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), 1.0, False, False, {}


@pytest.fixture(autouse=True)
def games():
    gymnasium.register("Long-v0", Endless, max_episode_steps=1_000)
    gymnasium.register("Short-v0", Endless, max_episode_steps=30)
    gymnasium.register("Endless-v0", Endless)
    yield
    for name in ("Long-v0", "Short-v0", "Endless-v0"):
        del gymnasium.registry[name]


LIMITS = [
    ("gym:Long-v0", "", 1_000, None),
    (
        "gym:Long-v0",
        "--max-episode-steps 200",
        200,
        "time limit: 200 agent steps, though gym:Long-v0 itself ends after",
    ),
    ("gym:Long-v0", "--preset cartpole_parl", 1_000, None),
    ("gym:Short-v0", "", 30, None),
    ("gym:Short-v0", "--max-episode-steps 60", 60, "time limit: 30 agent steps, that of gym:Short-v0, before"),
    ("gym:Endless-v0", "", 500, "time limit: 500 agent steps; gym:Endless-v0 has none of its own"),
    ("cartpole", "", 500, None),
    ("cartpole", "--preset cartpole_parl", 200, None),
    ("pong", "", 27_000, None),
]


@pytest.mark.parametrize(("game", "flags", "limit", "told"), LIMITS, ids=[f"{row[0]} {row[1]}" for row in LIMITS])
def test_the_limit_is_that_of_the_game_and_another_one_is_told(game, flags, limit, told):
    config = parse_command(game, flags.split()).config
    assert config.env.max_episode_steps == limit
    line = time_limit_told(config)
    assert line is None if told is None else line.startswith(told)


def test_python_is_told_that_the_preset_says_less():
    assert "though gym:Long-v0 itself ends after 1,000" in time_limit_told(presets.cartpole("gym:Long-v0"))


def test_each_game_of_a_suite_has_its_own():
    configs = configs_of(Suite(games=("gym:Long-v0", "cartpole", "gym:Short-v0")), ())
    assert [config.env.max_episode_steps for config in configs] == [1_000, 500, 30]


def test_evaluations_keep_to_it_and_take_another():
    def lengths(**settings):
        return {
            episode.episode_length
            for episode in evaluate_policy("gym:Long-v0", "random", Selection(episodes=2, **settings)).episodes
        }

    assert lengths() == {1_000}
    assert lengths(max_episode_steps=70) == {70}


def test_a_resumed_run_keeps_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from tests.fakes import make_run

    make_run(tmp_path / "run", presets.cartpole("gym:Long-v0").replace(max_episode_steps=77))
    config = parse_command("gym:Long-v0", ["--resume", "--run-dir", str(tmp_path / "run")]).config
    assert config.env.max_episode_steps == 77
