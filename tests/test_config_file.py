"""`train --config FILE`: settings of a file, all or some; they go before the preset, and flags before both."""

import json
from types import SimpleNamespace

import pytest

from atari_dqn.cli import main
from atari_dqn.commands.suite import Suite, configs_of
from atari_dqn.commands.train import parse_command
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, quick
from tests.fakes import make_run


def written(path, table):
    path.write_text(json.dumps(table))
    return ["--config", str(path)]


def test_a_file_goes_before_the_preset_and_flags_before_both(tmp_path):
    flags = written(
        tmp_path / "some.json", {"preset": "quick", "seed": 5, "optimizer": {"learning_rate": 0.5}, "gamma": 0.9}
    )
    config = parse_command("pong", [*flags, "--gamma", "0.8"]).config
    assert config == quick("pong").replace(seed=5, learning_rate=0.5, gamma=0.8)
    assert parse_command("breakout", [*flags, "--seed", "7"]).config.seed == 7


def test_the_config_of_a_run_starts_another_one_by_file_or_by_folder(tmp_path):
    config = cartpole().replace(hidden_sizes=(8, 8), seed=3)
    folder = make_run(tmp_path / "run", config)
    for named in (folder, folder / "config.json"):
        assert parse_command(None, ["--config", str(named)]).config == config
    assert parse_command("gym:Acrobot-v1", ["--config", str(folder)]).config.game == "gym:Acrobot-v1"


def test_the_file_may_name_the_game(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    seen = []

    def train(config, *_, unasked, **more):
        seen.append((config.game, unasked))
        return SimpleNamespace(exit_code=0)

    monkeypatch.setattr("atari_dqn.runs.train.train", train)
    assert main(["train", *written(tmp_path / "some.json", {"game": "ALE/Pong-v5", "total_steps": 60_000})]) == 0
    assert seen == [("pong", False)]
    assert main(["train", *written(tmp_path / "some.json", {"seed": 3})]) == 2
    assert "train needs a GAME" in capsys.readouterr().err


WRONG = [
    ({"num_env": 8}, "unknown settings: num_env (did you mean num_envs?)"),
    ({"machin": {"device": "cpu"}}, "unknown settings: machin (did you mean machine?)"),
    ({"gamma": "high"}, "gamma must be a number, not 'high'"),
    ({"gamma": 1.5}, "gamma is 1.5"),
    ({"preset": "quik"}, "there is no preset 'quik'; did you mean quick?"),
    ([1, 2], "must be a JSON object"),
]


@pytest.mark.parametrize(("table", "told"), WRONG, ids=str)
def test_what_a_file_cannot_say(table, told, tmp_path):
    with pytest.raises(UsageError) as caught:
        parse_command("pong", written(tmp_path / "some.json", table))
    assert told in str(caught.value)


def test_files_and_flags_that_do_not_go_together(tmp_path):
    flags = written(tmp_path / "some.json", {"preset": "quick"})
    for more, told in (
        (["--resume"], "leave --config out"),
        (["--preset", "nature"], "is of preset 'quick', not 'nature'"),
    ):
        with pytest.raises(UsageError, match=told):
            parse_command("pong", [*flags, *more])
    (tmp_path / "text").write_text("{not json")
    for named, told in (("nowhere.json", "cannot be read"), ("text", "is not valid JSON"), (".", "cannot be read")):
        with pytest.raises(UsageError, match=told):
            parse_command("pong", ["--config", str(tmp_path / named)])


def test_a_suite_takes_one_for_all_its_games(tmp_path):
    flags = written(tmp_path / "some.json", {"preset": "quick", "gamma": 0.9})
    configs = configs_of(Suite(games=("pong", "breakout"), seeds=(1,)), (tuple(flags),))
    assert configs == [quick(game).replace(seed=1, gamma=0.9) for game in ("pong", "breakout")]
