"""The tree of settings: flags, names, files, and how two configs are compared."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from atari_dqn.cli import main
from atari_dqn.config import DEFAULTS, GROUP_OF, Config
from atari_dqn.config_json import GROUPS, flattened
from atari_dqn.errors import UsageError
from atari_dqn.presets import PRESETS, nature, quick

ROOT = Path(__file__).parent.parent
FLAGS = """
    action-set atoms backend batch-size capacity center-pixels checkpoint-period clip-reward compile config cuda-graph
    device distribution double-q dueling env-groups env-threads epsilon-decay-factor epsilon-decay-steps epsilon-end
    epsilon-from-zero epsilon-ladder epsilon-start eval-early-steps eval-episodes eval-epsilon eval-num-envs
    eval-period eval-period-episodes eval-steps ez-greedy-warm-up film-seconds fire-on-reset frame-skip frame-stack
    game-end-updates gamma help hidden-sizes initializer layer-norm learning-rate learning-rate-end-ratio
    learning-starts log-period loss loss-reduction max-episode-steps max-grad-norm munchausen-alpha
    munchausen-temperature n-step n-step-decay-steps n-step-end network noisy-sigma noop-after-life-loss noop-max
    num-envs optimizer optimizer-eps overlap own-kernels pad-stack polynomial-degree precision preset priority-alpha
    priority-beta priority-beta-end priority-decay-steps priority-sampler random-warm-up replay replay-device
    replay-window-fraction replay-window-growth-steps replay-window-min reset-steps reset-updates resize resume
    reward-scale rmsprop-decay run-dir save-replay seed sticky-probability table-bins target target-update-period
    terminal-on-life-loss terminal-on-time-limit torch-threads total-episodes total-steps update-period value-bins
    value-limit wandb whole-game-warm-up yes
"""
"""Of `atari-dqn train`. Scripts depend on them: none is renamed or goes, and the next trick has to earn its own."""


def flags_of(help_text):
    found = set(re.findall(r"(?<!-)--([a-z][a-z-]*)", help_text))
    return {flag for flag in found if not (flag.startswith("no-") and flag.removeprefix("no-") in found)}


def test_the_list_of_flags_is_frozen(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
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
