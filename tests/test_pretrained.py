"""Networks in the package: exported in half precision, found by name, read into float32."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from atari_dqn.cli import main
from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.evaluation import protocols
from atari_dqn.presets import nature
from atari_dqn.runs import pretrained
from atari_dqn.runs.evaluate import load_player
from atari_dqn.runs.network_folder import write_network
from tests.fakes import make_run

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = nature("pong").replace(device="cpu", precision="bf16", compile="off", torch_threads=1)
    folder = make_run(tmp_path_factory.mktemp("trained") / "run", config)
    (folder / "evals.csv").write_text(
        "step,frames,protocol,episodes,mean,std,human_normalized,epsilon,best\n"
        "400,1600,monitor,9,-20.0,1.0,,0.05,True\n700,2800,monitor,8,-19.5,1.25,,0.05,True\n"
    )
    (folder / "evaluations").mkdir()
    (folder / "evaluations/nature_last.json").write_text(
        '{"game": "pong", "step": 700, "protocol": "nature", "human_pair": "nature", "episodes": 30, "mean": -18.25,'
        ' "std": 2.0, "scores": [-21.0, -15.0], "seed": 0}\n'
    )
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """What the script makes of the run, in a folder of networks."""
    out = tmp_path_factory.mktemp("networks") / "pong"
    command = [sys.executable, str(ROOT / "scripts/export_pretrained.py"), str(run), "--out", str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out}: step 700 of {run}, 3.37 MB\n"
    return out


@pytest.fixture
def package(exported, monkeypatch):
    """The package with one network in it."""
    monkeypatch.setattr(pretrained, "home", lambda: exported.parent)


def test_weights_come_back_in_float32_rounded(run, exported):
    whole = load_player(run, which="last", device="cpu").agent.algorithm.model.state_dict()
    player = load_player(exported, which="last", device="cpu")
    assert (player.step, player.config.machine.precision) == (700, "fp32")
    for network in (player.agent.algorithm.model, player.agent.algorithm.target):
        for name, value in network.state_dict().items():
            assert value.dtype == torch.float32
            fraction, _ = torch.frexp(value)
            assert torch.equal(fraction * 128, (fraction * 128).round())  # seven significant bits
            torch.testing.assert_close(value, whole[name], rtol=1 / 128, atol=2**-24)
    with safe_open(exported / pretrained.MODEL, framework="pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.half}  # noqa: SIM118
        assert (file.metadata()["game"], file.metadata()["seed"], file.metadata()["step"]) == ("pong", "0", "700")
    assert (exported / pretrained.MODEL).stat().st_size < pretrained.MAX_BYTES


def test_the_card_says_where_the_network_comes_from(exported):
    card = (exported / pretrained.CARD).read_text()
    lines = card.splitlines()
    assert lines[0] == "# pretrained:pong"
    assert "| command | `atari-dqn train pong` |" in lines
    assert "| checkpoint | last, agent step 700 of 50,000,000 (2,800 frames) |" in lines
    assert "| checkpoint in float32 | nature | 30 | -18.2 ± 2.0 | -21 to -15 | 0 |" in lines
    assert "| checkpoint in training | monitor | 8 | -19.5 ± 1.2 | | |" in lines
    assert "-20.0" not in card  # of another step
    assert [line.split(" |")[0] for line in lines if line.startswith(("| commit", "| hardware", "| software"))] == [
        "| commit", "| hardware", "| software",
    ]  # fmt: skip


def test_evaluate_and_video_take_it_by_name(package, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert pretrained.available() == ["pong"]
    assert main(["video", "pretrained:pong", "--seconds", "0.2", "--out", "pong.gif"]) == 0
    assert (tmp_path / "pong.gif").exists()
    protocol = dataclasses.replace(protocols.nature(), max_episode_steps=20)
    monkeypatch.setattr("atari_dqn.evaluation.protocols.nature", lambda *_, **__: protocol)
    assert main(["evaluate", "pretrained:pong", "--protocol", "nature", "--episodes", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = lines.index("pong, protocol nature, checkpoint of step 700")
    assert lines[said + 1] == "score: 0.0 +- 0.0 over 1 episode, from 0 to 0"


@pytest.mark.parametrize("command", ["evaluate", "video"])
def test_an_unknown_name_says_which_exist(command, package, monkeypatch, capsys, tmp_path):
    assert main([command, "pretrained:pongg"]) == 2
    assert capsys.readouterr().err.endswith(
        "no network is called 'pretrained:pongg'; did you mean pretrained:pong? the package has: pretrained:pong\n"
    )
    monkeypatch.setattr(pretrained, "home", lambda: tmp_path / "nothing")
    assert main([command, "pretrained:pong"]) == 2
    error = capsys.readouterr().err.removeprefix("loading torch ...\n")
    assert error.count("\n") == 1
    assert "this package comes without trained networks; make one with atari-dqn train pong" in error


def test_a_name_leads_nowhere_else(package, tmp_path):
    with pytest.raises(UsageError, match="no network is called"):
        pretrained.find(Path("pretrained:../networks/pong"))
    assert pretrained.find(tmp_path) is None


def test_a_network_from_before_a_setting_existed_is_read(exported, tmp_path):
    table = json.loads((exported / pretrained.CONFIG).read_text())
    del table["logging"]["film_seconds"]
    (tmp_path / pretrained.CONFIG).write_text(json.dumps(table))
    assert pretrained.config_of(tmp_path) == pretrained.config_of(exported)
    (tmp_path / pretrained.CONFIG).write_text(json.dumps(table | {"film_minutes": 3}))
    with pytest.raises(UsageError, match="unknown settings: film_minutes"):
        pretrained.config_of(tmp_path)


@pytest.mark.parametrize("harm", ["cut", "other", "config"])
def test_damage_is_named(harm, exported, tmp_path):
    folder = tmp_path / "pong"
    folder.mkdir()
    for path in exported.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    model = folder / pretrained.MODEL
    if harm == "cut":
        model.write_bytes(model.read_bytes()[:-2])
    elif harm == "other":
        config = Config.from_json((folder / pretrained.CONFIG).read_text())
        (folder / pretrained.CONFIG).write_text(config.replace(hidden_sizes=(8,)).to_json())
    else:
        (folder / pretrained.CONFIG).write_text("{")
    with pytest.raises(
        UsageError, match="config.json cannot be used" if harm == "config" else "model.safetensors does"
    ):
        load_player(folder, which="last", device="cpu")


def test_weights_beyond_half_precision_are_refused(run, tmp_path):
    player = load_player(run, which="last", device="cpu")
    with torch.no_grad():
        next(iter(player.agent.algorithm.model.parameters()))[0] = 70_000.0
    with pytest.raises(UsageError, match="half precision holds no weight above 65504"):
        write_network(player.agent, player.config, 1, "", tmp_path / "out", {})
    assert not (tmp_path / "out").exists()


def test_what_the_package_ships_can_be_played():
    for game in pretrained.available():
        folder = pretrained.home() / game
        assert (folder / pretrained.MODEL).stat().st_size < pretrained.MAX_BYTES
        assert (folder / pretrained.CARD).read_text().startswith(f"# pretrained:{game}\n")
        assert load_player(Path(f"pretrained:{game}"), which="last", device="cpu").config.game == game
