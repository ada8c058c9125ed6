"""The published recipes once more, number by number, from their sources."""

import dataclasses
import json

import pytest

from atari_dqn.presets import PRESETS, cartpole_parl, cartpole_tf2
from tests.golden_presets import GOLDEN, current


def settings(config, *names):
    return tuple(getattr(config, name) for name in names)


def test_cartpole_tf2_has_the_numbers_of_its_source():
    recipe = cartpole_tf2()
    assert settings(recipe, "network", "hidden_sizes", "optimizer", "learning_rate") == ("mlp", (32, 16), "adam", 0.005)
    assert settings(recipe, "gamma", "batch_size", "capacity", "reward_scale") == (0.95, 32, 10_000, 0.01)
    assert settings(recipe, "epsilon_start", "epsilon_decay_factor", "epsilon_end") == (1.0, 0.995, 0.01)
    assert settings(recipe, "game_end_updates", "total_episodes", "learning_starts") == (10, 1_000, 32)
    assert settings(recipe, "max_episode_steps", "num_envs", "n_step", "double_q") == (500, 1, 1, False)
    assert settings(recipe, "clip_td_error", "clip_reward", "loss_reduction") == (False, False, "mean")


def test_cartpole_parl_has_the_numbers_of_its_source():
    recipe = cartpole_parl()
    assert settings(recipe, "network", "hidden_sizes", "optimizer", "learning_rate") == (
        "mlp",
        (128, 128),
        "adam",
        5e-4,
    )
    assert settings(recipe, "gamma", "batch_size", "capacity", "reward_scale") == (0.99, 64, 200_000, 1.0)
    assert settings(recipe, "learning_starts", "whole_game_warm_up", "random_warm_up") == (200, True, False)
    # an update every 5 steps, a copy every 200 updates
    assert settings(recipe, "update_period", "target_update_period") == (5, 1_000)
    # 1e-6 a step
    assert (recipe.epsilon_start - recipe.epsilon_end) / recipe.epsilon_decay_steps == pytest.approx(1e-6)
    assert settings(recipe, "total_episodes", "eval_period_episodes", "eval_episodes") == (2_000, 50, 5)
    assert settings(recipe, "max_episode_steps", "num_envs", "n_step", "double_q") == (200, 1, 1, False)
    assert settings(recipe, "clip_td_error", "clip_reward", "loss_reduction") == (False, False, "mean")


def test_no_recipe_ends_by_its_steps():
    for recipe in (cartpole_tf2(), cartpole_parl()):
        longest = recipe.max_episode_steps + 1  # the clock also counts the step that opens a game
        assert recipe.total_steps >= recipe.total_episodes * longest


def test_every_preset_knows_its_name_and_takes_a_game():
    for name, preset in PRESETS.items():
        assert settings(preset("some_game"), "preset", "game") == (name, "some_game")
        assert dataclasses.replace(preset("x"), seed=3).seed == 3


def test_every_field_of_every_preset_is_as_it_was():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert current() == golden, "if this change of a preset is wanted: python -m tests.golden_presets"
