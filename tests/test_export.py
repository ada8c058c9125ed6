"""Networks for other programs: the file plays the same actions, and the hub reads the folder."""

import json
import os
import shlex
import shutil
import sys
import warnings

import numpy as np
import pytest
import torch

from atari_dqn.cli import main
from atari_dqn.presets import PRESETS, cartpole
from atari_dqn.runs import export
from atari_dqn.runs.evaluate import load_player
from tests.command_line import refused
from tests.fakes import make_run

TINY = {"device": "cpu", "compile": "off", "precision": "fp32", "hidden_sizes": (16,)}


def player_of(run):
    return load_player(run, which="last", device="cpu")


def make(preset, game, folder):
    config = PRESETS[preset](game)
    return make_run(folder / preset, config.replace(**TINY))


def assert_same_play(player, answer):
    """`answer` gives Q-values for a batch of any size; so do the greedy actions of 1,000 observations agree."""
    obs = export.random_observations(player, 1_000, seed=7)
    q = np.concatenate([answer(part) for part in obs.split(300)])
    expected = player.agent.algorithm.predict(obs).numpy()
    assert q.shape == expected.shape == (1_000, player.spec.num_actions)
    np.testing.assert_allclose(q, expected, atol=1e-5)
    clear = np.ptp(np.sort(expected)[:, -2:], axis=1) > 1e-5  # no two best actions
    assert clear.mean() > 0.9
    assert (q.argmax(axis=1) == expected.argmax(axis=1))[clear].all()


@pytest.mark.parametrize(("preset", "game"), [("quick", "pong"), ("iqn", "breakout"), ("noisy", "pong")])
def test_a_torchscript_file_plays_the_same_actions(preset, game, tmp_path, capsys):
    run, out = make(preset, game, tmp_path), tmp_path / "network.pt"
    assert main(["export", str(run), "--to", "torchscript", "--out", str(out)]) == 0
    actions = len(player_of(run).action_names)
    told = capsys.readouterr().out
    assert "network of step 700, its Q-values within " in told
    assert f"obs [N, 4, 84, 84] uint8 -> q [N, {actions}] float32" in told
    facts = {"facts.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.load(str(out), _extra_files=facts)
    assert json.loads(facts["facts.json"])["game"] == game
    assert_same_play(player_of(run), lambda obs: script(obs).numpy())


@pytest.mark.parametrize("preset", ["pretrained:pong", "cartpole"])
def test_onnxruntime_plays_the_same_actions(preset, tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxruntime", reason="the 'export' extra is not installed")
    pytest.importorskip("onnxscript", reason="the 'export' extra is not installed")
    monkeypatch.chdir(tmp_path)
    run = preset if preset.startswith("pretrained:") else make_run(tmp_path / "run", cartpole())
    assert main(["export", str(run), "--to", "onnx"]) == 0
    assert "its Q-values within " in capsys.readouterr().out
    (file,) = tmp_path.glob("*.onnx")  # one file, the weights in it
    session = export.load_onnxruntime().InferenceSession(file, providers=["CPUExecutionProvider"])
    player = player_of(tmp_path / "run" if preset == "cartpole" else preset)
    facts = session.get_modelmeta().custom_metadata_map
    assert (facts["game"], json.loads(facts["actions"])) == (player.config.game, list(player.action_names))
    assert_same_play(player, lambda obs: session.run(["q"], {"obs": obs.numpy()})[0])


@pytest.mark.parametrize(("set_by_user", "off"), [(None, "1"), ("0", "0")])
def test_onnxruntime_sends_nothing_unless_the_user_lets_it(set_by_user, off, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", "the package")
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    if set_by_user:
        monkeypatch.setenv("ORT_DISABLE_TELEMETRY", set_by_user)
    assert export.load_onnxruntime() == "the package"
    assert os.environ["ORT_DISABLE_TELEMETRY"] == off


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = make("quick", "pong", tmp_path_factory.mktemp("pong"))
    assert main(["evaluate", str(folder), "--num-envs", "2", "--out", str(folder / "evaluations"), "--episodes", "2",
                 "--max-episode-steps", "40"]) == 0  # fmt: skip
    return folder


def test_the_hub_reads_the_folder_and_so_does_the_package(run, tmp_path, capsys):
    out = tmp_path / "hub"
    assert main(["export", str(run), "--to", "hub-folder", "--out", str(out)]) == 0
    assert len({path.stat().st_mode for path in out.iterdir()}) == 1, "whoever may read the card may read the weights"
    told = capsys.readouterr().out
    assert "scores: nature " in told and f"hf upload USER/hub {out} ." in told
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    before, after = player_of(run), player_of(out)
    for name, weights in before.agent.get_weights().items():
        np.testing.assert_array_equal(after.agent.get_weights()[name], weights)
    assert after.step == before.step

    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    card = hub.ModelCard.load(out / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag) == ("atari-dqn", "reinforcement-learning")
    assert "pong" in card.data.tags
    (result,) = card.data.eval_results
    evaluation = json.loads((run / "evaluations/nature_last.json").read_text())
    assert (result.metric_type, result.dataset_name) == ("mean_reward", "pong")
    assert result.metric_value == f"{evaluation['mean']:.1f} +/- {evaluation['std']:.1f}"
    assert "| preset | quick |" in card.text and "| these weights | nature | 2 |" in card.text


def test_a_pretrained_network_brings_its_card_along(tmp_path):
    out = tmp_path / "hub"
    assert main(["export", "pretrained:pong", "--to", "hub-folder", "--out", str(out)]) == 0
    text = (out / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlibrary_name: atari-dqn\n")
    assert "# pretrained:pong" in text
    assert '      value: "19.4 +/- 1.3"\n      name: "nature, 30 episodes"\n' in text
    again = tmp_path / "again"  # of a folder that was made so
    assert main(["export", str(out), "--to", "hub-folder", "--out", str(again)]) == 0
    assert (again / "README.md").read_text(encoding="utf-8") == text


ODD = "a|b <img src=x> [c](d) `e` \U0001f600"


def test_a_card_is_text_whatever_its_run_says(tmp_path, monkeypatch):
    """No name, command or machine of a run opens a column, a tag or a link, and what is to be typed is quoted."""
    markdown = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    run = make_run(tmp_path / "run", cartpole().replace(preset=ODD, double_q=True))
    meta = json.loads((run / "meta.json").read_text())
    meta |= {"command": ["atari-dqn", "train", ODD], "cpu": ODD, "commit": None, "packages": ["torch"]}
    (run / "meta.json").write_text(json.dumps(meta))
    (run / "evals.csv").write_text(f"step,protocol,episodes,mean,std\n700,{ODD},2,1.5,0.5\n")
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), "--to", "hub-folder", "--out", "it's $(a) hub"]) == 0
    text = (tmp_path / "it's $(a) hub/README.md").read_text(encoding="utf-8")
    head, body = text.removeprefix("---\n").split("\n---\n", 1)
    page = markdown.MarkdownIt("commonmark").enable("table").render(body)
    assert "<img" not in page and "<a " not in page
    facts, scores = page.split("<table>")[1:]
    assert facts.count("<td") == 2 * facts[: facts.index("</table>")].count("<tr>") - 2
    assert scores[: scores.index("</table>")].count("<td") == 6
    assert "<code>atari-dqn train 'a|b &lt;img src=x&gt; [c](d) `e` \U0001f600'</code>" in facts
    assert "double_q True" in facts and "<td>unknown</td>" in facts
    lines = body.split("```bash\n")[1].split("\n```")[0].splitlines()
    assert [shlex.split(line)[2] for line in lines[:2]] == ["it's $(a) hub"] * 2
    assert shlex.split(lines[2])[2] == 'from atari_dqn import load; print(load("it\'s $(a) hub").action_names)'
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert yaml.safe_load(head)["tags"] == ["deep-reinforcement-learning", "dqn", "cartpole"]


@pytest.mark.parametrize("damage", ["step,protocol\n700,monitor\n", "step,mean\n700,x\n", "", "\0\n", "step\n700\n"])
def test_a_damaged_log_of_evaluations_costs_its_rows_only(damage, tmp_path):
    run = make_run(tmp_path / "run", cartpole())
    (run / "evals.csv").write_text(damage)
    assert main(["export", str(run), "--to", "hub-folder", "--out", str(tmp_path / "hub")]) == 0
    assert "nothing was evaluated at this step" in (tmp_path / "hub/README.md").read_text(encoding="utf-8")


def test_a_card_says_where_a_game_of_a_module_is_allowed(tmp_path, monkeypatch):
    (tmp_path / "card_games.py").write_text(
        "import gymnasium\ngymnasium.register('Mine-v0', 'gymnasium.envs.classic_control.cartpole:CartPoleEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = make_run(tmp_path / "run", cartpole("gym:card_games:Mine-v0"))
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), "--to", "hub-folder", "--allow-import"]) == 0
    body = (tmp_path / "gym_card_games_Mine-v0_hub/README.md").read_text(encoding="utf-8")
    assert "atari-dqn watch gym_card_games_Mine-v0_hub --allow-import\n" in body
    assert 'load("gym_card_games_Mine-v0_hub", allow_import=True)' in body


def test_scores_in_another_mode_of_the_game_are_not_those_of_the_card(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    table = json.loads((copy / "evaluations/nature_last.json").read_text())
    (copy / "evaluations/mode.json").write_text(json.dumps(table | {"game": "pong_mode1", "protocol": "other"}))
    (copy / "evaluations/nature_best.json").write_text(json.dumps(table | {"checkpoint": "best"}))
    assert main(["export", str(copy), "--to", "hub-folder", "--out", str(tmp_path / "hub")]) == 0
    text = (tmp_path / "hub/README.md").read_text(encoding="utf-8")
    assert text.count("these weights") == 1 and text.count("- type: mean_reward") == 1


WRONG = [
    ("--to onnx --out net.pt", "net.pt must end in .onnx"),
    ("--to torchscript --out net", "net must end in .pt"),
    ("--to hub-folder --out full", "full is there already; choose another --out"),
    ("--to torchscript --out full/README.md/net.pt", "cannot write a network into full/README.md"),
    ("--to keras", "keras"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[words for words, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(words, message, run, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/README.md").write_text("mine")
    assert message in refused(capsys, "export", run, *words.split())
    assert (tmp_path / "full/README.md").read_text() == "mine"


def test_a_missing_extra_is_named(run, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main(["export", str(run), "--to", "onnx"]) == 2
    assert "pip install 'atari-dqn[export]'" in capsys.readouterr().err
