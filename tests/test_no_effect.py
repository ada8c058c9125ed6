"""Settings that would do nothing: each is refused with its value and the remedy."""

import json

import pytest

from atari_dqn.cli import main
from atari_dqn.commands.train import parse_command
from atari_dqn.config import DEFAULTS, Config
from atari_dqn.errors import UsageError
from atari_dqn.presets import PRESETS, cartpole
from atari_dqn.settings.checks import UNUSED

VECTORS = [
    ("--sticky-probability 0.5", "sticky_probability 0.5 (leave it at 0.0)"),
    ("--frame-skip 4", "frame_skip 4 (leave it at 1)"),
    ("--noop-max 30", "noop_max 30 (leave it at 0)"),
    ("--action-set full", "action_set 'full' (leave it at 'paper')"),
    ("--fire-on-reset --terminal-on-life-loss", "fire_on_reset True (leave it at False)"),
]


@pytest.mark.parametrize(("flags", "told"), VECTORS, ids=[flags for flags, _ in VECTORS])
def test_games_without_an_emulator_refuse_settings_of_one(flags, told):
    with pytest.raises(UsageError, match="games of backend 'classic' do not use") as caught:
        parse_command("cartpole", flags.split())
    assert told in str(caught.value)


def test_all_unused_settings_are_named_at_once(capsys):
    words = "train cartpole --sticky-probability 0.5 --frame-skip 4 --noop-max 30 --action-set full".split()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert all(name in error for name in ("sticky_probability", "frame_skip", "noop_max", "action_set"))


def test_the_table_names_fields_and_lets_the_presets_pass():
    fields = set(DEFAULTS)
    assert {name for table in UNUSED.values() for name in table} <= fields
    for preset in PRESETS.values():
        preset("any")  # raises if it is refused


ALONE = [
    ("pong", "--priority-decay-steps 10", "priority_decay_steps is 10", "priority_alpha above 0"),
    ("pong", "--priority-sampler exact", "priority_sampler is 'exact'", "priority_alpha above 0"),
    ("pong", "--priority-beta 0.1", "priority_beta is 0.1", "priority_alpha above 0"),
    ("pong", "--n-step 5 --n-step-end 3", "n_step_end is 3", "n_step_decay_steps"),
    ("pong", "--n-step-decay-steps 10", "n_step_decay_steps is 10", "n_step above n_step_end"),
    ("pong", "--no-replay --replay-window-fraction 0.5", "replay_window_fraction is 0.5", "replay on"),
    ("pong", "--no-random-warm-up --epsilon-from-zero", "epsilon_from_zero is True", "random_warm_up on"),
    ("pong", "--frame-stack 1 --pad-stack first_frame", "pad_stack is 'first_frame'", "frame_stack above 1"),
    ("pong", "--replay-window-growth-steps 10", "replay_window_growth_steps is 10", "replay_window_fraction below 1"),
    ("pong", "--replay-window-min 10", "replay_window_min is 10", "replay_window_fraction below 1"),
    ("pong", "--reset-updates 10", "reset_updates is 10", "reset_steps"),
    ("cartpole", "--reset-steps 9000 --total-steps 9000", "reset_steps is (9000,)", "a step before total_steps"),
    (
        "cartpole",
        "--eval-early-steps 9001 --total-steps 9000",
        "eval_early_steps is (9001,)",
        "a step up to total_steps",
    ),
    ("pong", "--value-support 20", "value_support is 20.0", "it needs categorical_bins"),
    ("pong", "--loss mse --categorical-bins 51", "loss is 'mse'", "categorical_bins none"),
    ("pong", "--polynomial-degree 3", "polynomial_degree is 3", "network polynomial"),
    ("pong", "--table-bins 9", "table_bins is 9", "network tabular"),
    ("cartpole", "--network linear --hidden-sizes 8", "hidden_sizes is (8,)", "a network with hidden layers"),
    ("cartpole", "--network linear --layer-norm", "layer_norm is True", "a network with hidden layers"),
    ("pong", "--optimizer adam --rmsprop-decay 0.9", "rmsprop_decay is 0.9", "optimizer rmsprop"),
    ("pong", "--optimizer sgd --optimizer-eps 0.1", "optimizer_eps is 0.1", "optimizer rmsprop or adam"),
    ("cartpole", "--game-end-updates 3 --update-period 8", "update_period is 8", "game_end_updates none"),
    ("pong", "--no-target --target-update-period 8", "target_update_period is 8", "target on"),
    ("pong", "--epsilon-decay-factor 0.9 --epsilon-decay-steps 8", "epsilon_decay_steps is 8", "decay_factor none"),
    ("pong", "--eval-period-episodes 3 --eval-period 8", "eval_period is 8", "eval_period_episodes none"),
    ("pong", "--eval-episodes 3 --eval-steps 8", "eval_steps is 8", "eval_episodes none"),
    ("pong", "--preset rainbow --epsilon-ladder 2", "epsilon_ladder is 2.0", "epsilon_end above 0"),
    ("pong", "--preset iqn --atoms 9", "atoms is 9", "distribution c51 or quantiles"),
    ("pong", "--preset qr_dqn --value-support 20", "value_support is 20.0", "or distribution c51"),
    ("pong", "--preset c51 --loss mse", "loss is 'mse'", "distribution none"),
    ("pong", "--preset iqn --munchausen-temperature 1", "munchausen_temperature is 1.0", "munchausen_alpha above 0"),
    ("pong", "--preset double --priority-beta-end 1", "priority_beta_end is 1.0", "priority_sampler exact"),
    ("pong", "--resize games", "resize is 'games'", "backend workers"),
]


@pytest.mark.parametrize(("game", "flags", "setting", "needed"), ALONE, ids=[flags for _, flags, _, _ in ALONE])
def test_a_flag_whose_condition_is_off_is_refused(game, flags, setting, needed):
    with pytest.raises(UsageError, match="does nothing here") as caught:
        parse_command(game, flags.split())
    assert setting in str(caught.value)
    assert needed in str(caught.value)


TAKEN_BACK = [
    "--replay-window-fraction 1 --replay-window-growth-steps none --replay-window-min 0",
    "--priority-alpha 0 --priority-decay-steps none",
    "--n-step-decay-steps none --n-step-end 1",
]


@pytest.mark.parametrize("flags", TAKEN_BACK)
def test_an_idea_of_a_preset_is_taken_back_by_the_papers_values(flags):
    config = parse_command("pong", ["--preset", "quick", *flags.split()]).config.flat()
    for flag in flags.split()[::2]:
        name = flag.removeprefix("--").replace("-", "_")
        assert config[name] == DEFAULTS[name]


PAIRS = [
    {"eval_period": 8, "eval_period_episodes": 3},
    {"eval_steps": 8, "eval_episodes": 3},
    {"update_period": 8, "game_end_updates": 3},
    {"target_update_period": 8, "game_end_updates": 3},
    {"epsilon_decay_steps": 8, "epsilon_decay_factor": 0.9},
    {"loss": "mse", "categorical_bins": 51},
]


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_two_settings_that_exclude_each_other_are_refused_wherever_they_are_said(pair, tmp_path):
    first, second = pair
    (tmp_path / "config.json").write_text(json.dumps(pair))
    said = {
        "from Python": lambda: cartpole().replace(**pair),
        "of a preset": lambda: cartpole(**pair),
        "in two steps": lambda: cartpole().replace(**{second: pair[second]}).replace(**{first: pair[first]}),
        "in a file": lambda: parse_command("cartpole", ["--config", str(tmp_path)]),
        "in flags": lambda: parse_command(
            "cartpole", [f"--{name.replace('_', '-')}={value}" for name, value in pair.items()]
        ),
    }
    for ask in said.values():
        with pytest.raises(UsageError, match=f"^{first} is {pair[first]!r}, which does nothing here: it needs .*"):
            ask()


def test_a_flag_may_wake_what_a_file_says(tmp_path):
    (tmp_path / "config.json").write_text('{"priority_decay_steps": 70000}')
    config = parse_command("pong", ["--config", str(tmp_path), "--priority-alpha", "0.5"]).config
    assert (config.extensions.priority_alpha, config.extensions.priority_decay_steps) == (0.5, 70_000)


def test_the_record_of_a_run_is_read_as_it_is():
    """A preset of that day may have had other idle values, and a run made by a program any."""
    config = cartpole().with_idle(preset="of_another_day", priority_decay_steps=8)
    assert Config.from_json(config.to_json()) == config


def test_what_a_preset_says_may_lie_idle():
    """Switching one thing off by one flag must not need a second flag for all that hangs on it."""
    assert (
        parse_command("pong", "--preset quick --priority-alpha 0".split()).config.extensions.priority_decay_steps
        == 200_000
    )
    assert (
        parse_command("cartpole", "--network linear".split()).config.network.hidden_sizes
        == cartpole().network.hidden_sizes
    )


EMPTY = [
    (["train", ""], "an empty word stands after train"),
    (["train", "cartpole", "--preset", ""], "an empty word stands after --preset"),
    (["train", "cartpole", "--preset="], "--preset= has no value"),
    (["train", "cartpole", "--run-dir", ""], "an empty word stands after --run-dir"),
    (["suite", "--games", ""], "an empty word stands after --games"),
    (["evaluate", ""], "an empty word stands after evaluate"),
    (["video", ""], "an empty word stands after video"),
    (["report", ""], "an empty word stands after report"),
    (["report", "runs", "--out", ""], "an empty word stands after --out"),
]


@pytest.mark.parametrize(("words", "told"), EMPTY, ids=[" ".join(words) for words, _ in EMPTY])
def test_an_empty_word_is_no_default(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_config_of_an_older_version_which_took_them_is_read_without_them():
    stored = cartpole("cartpole").flat()
    older = stored | {"frame_skip": 4, "noop_max": 30, "sticky_probability": 0.5, "full_action_space": True}
    del older["action_set"]
    assert Config.from_json(json.dumps(older)) == cartpole("cartpole")
