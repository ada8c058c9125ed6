"""The tree of settings: flags, names, files, and how two configs are compared."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from atari_dqn.cli import main
from atari_dqn.config import DEFAULTS, GROUP_OF, SETTINGS, Config
from atari_dqn.errors import UsageError
from atari_dqn.presets import PRESETS, nature, quick
from atari_dqn.settings.bounds import Range
from atari_dqn.settings.from_file import GROUPS, flattened
from atari_dqn.settings.learning import NetworkConfig

ROOT = Path(__file__).parent.parent
FLAGS = """
    action-set atoms backend batch-size capacity categorical-bins checkpoint-period clip-reward compile config
    cuda-graph device difficulty distribution double-q dueling env-groups env-kwargs env-threads
    epsilon-decay-factor epsilon-decay-steps epsilon-end epsilon-from-zero epsilon-ladder epsilon-start
    eval-early-steps eval-episodes eval-epsilon eval-num-envs eval-period eval-period-episodes eval-steps
    ez-greedy-warm-up film-seconds fire-on-reset frame-skip frame-stack game-end-updates game-mode gamma help
    hidden-sizes initializer layer-norm learning-rate learning-rate-end-ratio learning-starts log-period loss
    loss-reduction max-episode-steps max-grad-norm munchausen-alpha munchausen-temperature n-step
    n-step-decay-steps n-step-end network noisy-sigma noop-after-life-loss noop-max num-envs optimizer
    optimizer-eps overlap own-kernels pad-stack polynomial-degree precision preset priority-alpha priority-beta
    priority-beta-end priority-decay-steps priority-sampler random-warm-up replay replay-device
    replay-tiles replay-window-fraction replay-window-growth-steps replay-window-min reset-steps reset-updates resize
    resume reward-scale rmsprop-decay run-dir save-replay seed sticky-probability subtract-mean-frame table-bins target
    target-update-period terminal-on-life-loss terminal-on-time-limit torch-threads total-episodes total-steps
    update-period value-support wandb whole-game-warm-up wrapper yes
"""
"""Of `atari-dqn train`. Scripts depend on them: none is renamed or goes, and the next trick has to earn its own."""


def flags_of(help_text):
    found = set(re.findall(r"(?<!-)--([a-z][a-z-]*)", help_text))
    return {flag for flag in found if not (flag.startswith("no-") and flag.removeprefix("no-") in found)}


def test_the_list_of_flags_is_frozen(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help", "all"])
    assert flags_of(capsys.readouterr().out) == set(FLAGS.split())


def test_a_setting_has_one_name_in_one_group():
    groups = [type(getattr(Config(), group)) for group in GROUPS]
    names = [field.name for kind in groups for field in dataclasses.fields(kind)]
    names += [field.name for field in dataclasses.fields(Config) if field.name not in GROUPS]
    assert sorted(names) == sorted(GROUP_OF) == sorted(DEFAULTS)
    assert {field.name for field in dataclasses.fields(Config)} - set(names) <= set(GROUPS)


def test_settings_are_replaced_by_their_names_whatever_the_group():
    config = nature("pong").replace(seed=3, num_envs=8, gamma=0.9, hidden_sizes=[16])
    assert (config.seed, config.env.num_envs, config.algorithm.gamma, config.network.hidden_sizes) == (3, 8, 0.9, (16,))
    assert config.differences(nature("pong")) == {
        "seed": (3, 0),
        "num_envs": (8, 64),
        "gamma": (0.9, 0.99),
        "hidden_sizes": ((16,), (512,)),
    }
    for preset in PRESETS.values():
        assert preset("any", seed=3, gamma=0.9) == preset("any").replace(seed=3, gamma=0.9)
    with pytest.raises(UsageError, match="there is no setting 'num_env'; did you mean num_envs?"):
        nature().replace(num_env=8)


def test_a_config_in_groups_and_a_flat_one_are_read():
    for preset in PRESETS.values():
        config = preset("any")
        assert json.loads(config.to_json())["env"]["num_envs"] == config.env.num_envs
        assert Config.from_json(config.to_json()) == config
        assert Config.from_json(json.dumps(config.flat())) == config
        assert flattened(json.loads(config.to_json())).keys() == config.flat().keys()


def test_a_setting_that_stands_twice_is_refused():
    table = json.loads(quick("pong").to_json()) | {"num_envs": 8}
    with pytest.raises(UsageError, match="the config says num_envs twice"):
        Config.from_json(json.dumps(table))
    with pytest.raises(UsageError, match="unknown settings: networks"):
        Config.from_json('{"game": "pong", "networks": {"network": "mlp"}}')


def test_configs_that_come_with_the_project_are_in_groups():
    found = [*ROOT.glob("benchmarks/results/**/config.json"), *ROOT.glob("atari_dqn/data/**/config.json")]
    assert len(found) > 10
    for path in found:
        text = path.read_text(encoding="utf-8")
        Config.from_json(text)
        assert json.loads(text).keys() <= {*GROUPS, "game", "preset", "seed", "total_steps", "total_episodes"}


def test_a_config_of_before_there_was_none_is_read():
    older = nature("pong").flat() | {
        "categorical_bins": 0,
        "max_grad_norm": 0.0,
        "epsilon_decay_factor": 1.0,
        "total_episodes": 0,
    }
    for new, old in {"categorical_bins": "value_bins", "value_support": "value_limit"}.items():
        older[old] = older.pop(new)
    assert Config.from_json(json.dumps(older)) == nature("pong")


BEYOND = [
    ({"num_envs": 0}, "num_envs is 0; it must be at least 1"),
    ({"num_envs": 5_000}, "num_envs is 5000; it must be at most 4,096: each is an emulator with memory of its own"),
    ({"gamma": float("nan")}, r"gamma is nan; it must lie in \[0, 1\]"),
    ({"replay_window_fraction": 0.0}, r"replay_window_fraction is 0.0; it must lie in \(0, 1\]"),
    ({"epsilon_decay_factor": 1.0}, r"epsilon_decay_factor is 1.0; it must be none, or lie in \[0, 1\)"),
    ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be a positive number"),
    ({"max_grad_norm": 0.0}, "max_grad_norm is 0.0; it must be none, or be a positive number"),
    ({"hidden_sizes": (8, 0)}, r"hidden_sizes is \(8, 0\); it must hold at most 16 numbers in \[1, 65536\]"),
    ({"preset": ""}, "preset is ''; it must have 1 to 100 printable characters"),
    ({"device": "cuda:a"}, "device is 'cuda:a'; it must be auto, cpu, cuda, cuda:0 or mps"),
    ({"loss": "mae"}, "loss is 'mae'; it must be one of huber, mse, clipped_mse"),
]


@pytest.mark.parametrize(("settings", "told"), BEYOND, ids=[next(iter(settings)) for settings, _ in BEYOND])
def test_what_lies_beyond_the_bounds_of_a_setting_is_refused(settings, told):
    with pytest.raises(UsageError, match=f"^{told}"):
        nature().replace(**settings)


WRONG_TYPES = [
    ({"num_envs": 1.5}, "num_envs is 1.5; it must be a whole number"),
    ({"num_envs": "8"}, "num_envs is '8'; it must be a whole number"),
    ({"total_steps": True}, "total_steps is True; it must be a whole number"),
    ({"total_episodes": "x"}, "total_episodes is 'x'; it must be a whole number or none"),
    ({"gamma": None}, "gamma is None; it must be a number"),
    ({"double_q": 1}, "double_q is 1; it must be True or False"),
    ({"double_q": "no"}, "double_q is 'no'; it must be True or False"),
    ({"device": 0}, "device is 0; it must be a text"),
    ({"hidden_sizes": 512}, "hidden_sizes is 512; it must be a list of whole numbers"),
    ({"hidden_sizes": "512"}, "hidden_sizes is '512'; it must be a list of whole numbers"),
    ({"hidden_sizes": [[8], [8, 8]]}, r"hidden_sizes is \(\[8\], \[8, 8\]\); it must be a list of whole numbers"),
    ({"hidden_sizes": np.array(8)}, r"hidden_sizes is array\(8\); it must be a list of whole numbers"),
    ({"gamma": np.array([0.9, 0.9])}, "gamma is array"),
]


@pytest.mark.parametrize(("settings", "told"), WRONG_TYPES, ids=[str(settings) for settings, _ in WRONG_TYPES])
def test_a_value_of_another_type_is_refused(settings, told):
    """From Python there is no parser before the config: what is taken silently would fail hours later, or act as 1."""
    with pytest.raises(UsageError, match=f"^{told}"):
        nature().replace(**settings)


def test_numbers_of_numpy_and_whole_floats_become_those_of_python():
    given = {
        "total_steps": 1e6,
        "seed": np.int64(3),
        "gamma": np.float32(0.5),
        "double_q": np.True_,
        "hidden_sizes": np.array([16, 8]),
        "eval_early_steps": [1e3, np.int32(5_000)],
    }
    config = nature().replace(**given)
    values = {name: config.flat()[name] for name in given}
    assert values == {
        "total_steps": 1_000_000,
        "seed": 3,
        "gamma": 0.5,
        "double_q": True,
        "hidden_sizes": (16, 8),
        "eval_early_steps": (1_000, 5_000),
    }
    assert [type(value) for value in values.values()] == [int, int, float, bool, tuple, tuple]
    assert Config.from_json(config.to_json()) == config
    assert Config.from_json('{"game": "pong", "total_steps": 1e6}').total_steps == 1_000_000
    assert hash(Config(network=NetworkConfig(hidden_sizes=[8]))) == hash(nature().replace(hidden_sizes=(8,)))


def test_a_group_of_another_type_is_refused():
    with pytest.raises(
        UsageError, match=r"^env is \{'num_envs': 8\}; it must be EnvConfig\(\.\.\.\), or change single"
    ):
        Config(env={"num_envs": 8})


def test_every_number_has_bounds():
    numbers = {name for name, setting in SETTINGS.items() if {int, float, tuple} & set(setting.kinds)}
    assert numbers == {name for name, setting in SETTINGS.items() if isinstance(setting.bounds, Range)}


def test_a_report_accepts_what_a_resume_may_change_but_for_the_length():
    change = {name for name, setting in SETTINGS.items() if setting.may.change}
    differ = {name for name, setting in SETTINGS.items() if setting.may.differ}
    assert change - differ == {"total_steps", "total_episodes"}
    assert differ - change == {"game", "seed", "precision", "overlap"}
    assert change | differ <= {
        name for name, setting in SETTINGS.items() if setting.group in ("", "logging", "machine")
    } | {"eval_num_envs"}


@pytest.mark.parametrize("words", [["pong", "--help"], ["--help", "all"], ["pong", "-h", "all"]], ids=" ".join)
def test_help_is_short_unless_all_is_asked_for(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", *words])
    shown = flags_of(capsys.readouterr().out)
    assert ended.value.code == 0
    hidden = {
        SETTINGS[name].group for name in SETTINGS.keys() - {"own_loss"} if name.replace("_", "-") not in shown
    } - {""}
    assert hidden == (set() if "all" in words else {"extensions", "evaluation", "logging", "machine"})
