"""The published recipes once more, number by number, from their sources."""

import ast
import inspect
import itertools
import json
import re

import pytest

from atari_dqn.config import DEFAULTS, Config
from atari_dqn.presets import PRESETS, cartpole_parl, cartpole_tf2, nature, nnabla, quick, rl_zoo
from atari_dqn.settings.from_file import GROUPS, RENAMED
from tests.golden_presets import GOLDEN, current


def settings(config, *names):
    return tuple(config.flat()[name] for name in names)


def test_cartpole_tf2_has_the_numbers_of_its_source():
    recipe = cartpole_tf2()
    assert settings(recipe, "network", "hidden_sizes", "optimizer", "learning_rate") == ("mlp", (32, 16), "adam", 0.005)
    assert settings(recipe, "gamma", "batch_size", "capacity", "reward_scale") == (0.95, 32, 10_000, 0.01)
    assert settings(recipe, "epsilon_start", "epsilon_decay_factor", "epsilon_end") == (1.0, 0.995, 0.01)
    assert settings(recipe, "game_end_updates", "total_episodes", "learning_starts") == (10, 1_000, 32)
    assert settings(recipe, "max_episode_steps", "num_envs", "n_step", "double_q") == (500, 1, 1, False)
    assert settings(recipe, "loss", "clip_reward", "loss_reduction") == ("mse", False, "mean")


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
    assert (
        recipe.exploration.epsilon_start - recipe.exploration.epsilon_end
    ) / recipe.exploration.epsilon_decay_steps == pytest.approx(1e-6)
    assert settings(recipe, "total_episodes", "eval_period_episodes", "eval_episodes") == (2_000, 50, 5)
    assert settings(recipe, "max_episode_steps", "num_envs", "n_step", "double_q") == (200, 1, 1, False)
    assert settings(recipe, "loss", "clip_reward", "loss_reduction") == ("mse", False, "mean")


def test_no_recipe_ends_by_its_steps():
    for recipe in (cartpole_tf2(), cartpole_parl()):
        longest = recipe.env.max_episode_steps + 1  # the clock also counts the step that opens a game
        assert recipe.total_steps >= recipe.total_episodes * longest


def test_every_preset_knows_its_name_and_takes_a_game():
    for name, preset in PRESETS.items():
        assert settings(preset("some_game"), "preset", "game") == (name, "some_game")
        assert preset("x").replace(seed=3).seed == 3


def test_every_field_of_every_preset_is_as_it_was():
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert current() == golden, "if this change of a preset is wanted: python -m tests.golden_presets"


def test_nnabla_is_the_paper_but_for_these():
    differing = nnabla("pong").differences(nature("pong"))
    assert {name: mine for name, (mine, _) in differing.items()} == {
        "preset": "nnabla",
        "action_set": "minimal",
        "pad_stack": "first_frame",
        "noop_after_life_loss": True,
        "loss": "clipped_mse",
        "epsilon_from_zero": True,
        "initializer": "he_normal",
    }


def test_rl_zoo_has_the_numbers_of_its_source():
    recipe = rl_zoo("breakout")
    assert settings(recipe, "optimizer", "learning_rate", "optimizer_eps", "max_grad_norm") == ("adam", 1e-4, 1e-8, 10)
    assert settings(recipe, "loss", "loss_reduction", "batch_size", "gamma") == ("huber", "mean", 32, 0.99)
    assert settings(recipe, "update_period", "target_update_period", "capacity") == (4, 1_000, 10_000)
    # exploration_fraction 0.1 of 10 million steps, from the first on
    assert settings(recipe, "epsilon_decay_steps", "epsilon_end", "epsilon_from_zero") == (1_000_000, 0.01, True)
    assert settings(recipe, "learning_starts", "total_steps", "random_warm_up") == (100_000, 10_000_000, True)
    assert settings(recipe, "fire_on_reset", "noop_after_life_loss", "pad_stack") == (True, True, "zeros")
    assert settings(recipe, "initializer", "action_set", "sticky_probability") == ("torch7", "minimal", 0.0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"full_action_space": False, "clip_td_error": True}, ("minimal", "huber")),
        ({"full_action_space": True, "clip_td_error": False}, ("full", "mse")),
    ],
)
def test_a_config_of_an_older_version_is_read_in_the_words_of_this_one(old, new):
    table = nature("pong").flat()
    del table["action_set"], table["loss"]
    config = Config.from_json(json.dumps(table | old))
    assert settings(config, "action_set", "loss") == new


def test_a_config_with_the_names_of_before_is_read():
    table = quick("pong").flat()
    for old, new in RENAMED.items():
        table[old] = table.pop(new)
    assert Config.from_json(json.dumps(table)) == quick("pong")


# who ran what where, and how it was logged: no source has an opinion on it
WITHOUT_SOURCE = set(
    "game preset seed backend own_loss eval_num_envs film_seconds log_period checkpoint_period save_replay device "
    "replay_device replay_tiles precision compile cuda_graph own_kernels torch_threads env_threads resize".split()
)
UNITS = "steps frames planes? episodes games updates transitions rewards units bins degree cells seconds environments"


def help_texts():
    for kind in [Config, *(type(getattr(Config(), group)) for group in GROUPS)]:
        (table,) = ast.parse(inspect.getsource(kind)).body
        for field, text in itertools.pairwise(table.body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                yield field.target.id, " ".join(text.value.value.split())


def test_each_setting_says_where_its_value_comes_from():
    texts = dict(help_texts())
    assert texts.keys() == DEFAULTS.keys()
    for name in texts.keys() - WITHOUT_SOURCE:
        assert re.search(r"\bPaper\b|\bPaper's code\b|\bOurs\b|\b(19|20)\d\d\b", texts[name]), f"{name}: {texts[name]}"


def test_each_count_names_its_unit():
    for name, text in help_texts():
        if type(DEFAULTS[name]) is int and name not in ("seed", "torch_threads", "env_threads"):
            assert re.search(rf"(?i)\b({UNITS.replace(' ', '|')})\b", f"{text} {name.split('_')[-1]}"), (
                f"{name}: {text}"
            )
