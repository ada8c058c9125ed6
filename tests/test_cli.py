"""The doors: each command on a tiny run, each wrong input's one message."""

import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from atari_dqn.commands.presets import differences
from atari_dqn.presets import PRESETS
from atari_dqn.runs.terminal import messages_shown
from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps
from tests.command_line import exit_code, refused
from tests.suite_runs import in_this_process
from tests.warm_process import COMMAND_LINE, WarmProcess

ROOT = Path(__file__).parent.parent
TINY = (
    "--total-steps 600 --learning-starts 100 --capacity 400 --eval-period 400 --eval-steps 100 --log-period 200 "
    "--checkpoint-period 200 --torch-threads 1 --epsilon-decay-steps 300 --batch-size 32"
).split()


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_messages_are_plain_lines_while_a_command_runs_and_warnings_are_marked(capsys):
    log = logging.getLogger("atari_dqn.runs.train")
    package = logging.getLogger("atari_dqn")
    before = package.level, list(package.handlers)
    with messages_shown():
        log.info("100 % done")
        log.warning("the disk is nearly full")
        log.error("failed: pong seed 0")
    assert capsys.readouterr() == ("", "100 % done\nwarning: the disk is nearly full\nfailed: pong seed 0\n")
    assert (package.level, package.handlers) == before
    log.info("what a library says")
    assert capsys.readouterr() == ("", "")


def test_no_command_prints_help(capsys):
    assert exit_code() == 0
    assert "usage: atari-dqn COMMAND" in capsys.readouterr().out


def test_help_has_units_and_sources(capsys):
    assert exit_code("train", "pong", "--help") == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Agent steps of random play before the first update" in text
    assert "--target-update-period" in text


def test_presets_are_listed_and_one_says_what_it_changes(capsys):
    assert exit_code("presets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(PRESETS)
    assert exit_code("presets", "rl_zoo") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["setting", "rl_zoo", "nature", "unit"]
    assert ["target_update_period", "1,000", "10,000", "agent", "steps"] in [line.split() for line in lines]
    assert not any(line.startswith("gamma") for line in lines), "as in nature"
    assert exit_code("presets", "nature") == 0
    assert any(line.startswith("gamma") for line in capsys.readouterr().out.splitlines())
    assert exit_code("presets", "quick") == 0
    table = {line.split()[0]: line.split()[1:3] for line in capsys.readouterr().out.splitlines()}
    assert table["replay_window_fraction"] == ["0.333333", "1"]
    assert table["reset_steps"] == ["110,000", "none"]
    assert exit_code("presets", "rainbo") == 2
    assert "did you mean rainbow?" in capsys.readouterr().err


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_changes_fits_a_terminal(name):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(differences(name))
    assert max(map(len, console.export_text().splitlines())) <= 80


def test_a_run_and_its_evaluation(capsys):
    assert exit_code("train", "cartpole", *TINY) == 0
    folder = Path("runs/cartpole/cartpole/seed0")
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "meta.json", "metrics.jsonl", "evals.csv", "checkpoints", "DONE"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    done = json.loads((folder / "DONE").read_text())
    # an update every 4 agent steps after the 100 of the warm-up
    assert (done["steps"], done["updates"], done["seed"]) == (600, (600 - 100) // 4, 0)
    points = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [(point["step"], point["frame"]) for point in points if "train/epsilon" in point] == [
        (200, 200), (400, 400), (600, 600),
    ]  # fmt: skip
    assert {path.name for path in (folder / "checkpoints").glob("step_*")} >= {"step_0000000400", "step_0000000600"}
    assert exit_code("evaluate", str(folder), "--episodes", "3", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["game"], result["protocol"], result["episodes"], result["human_normalized"]) == (
        "cartpole", "greedy", 3, None,
    )  # fmt: skip
    assert exit_code("evaluate", str(folder / "checkpoints" / "step_0000000400"), "--episodes", "1") == 0
    # the same command again: finished; another config: another run
    assert exit_code("train", "cartpole", *TINY) == 2
    assert "finished" in capsys.readouterr().err
    assert exit_code("train", "cartpole", *TINY, "--gamma", "0.5") == 2
    assert "gamma 0.99, not 0.5" in capsys.readouterr().err
    # a longer resume goes on where the run ended
    assert exit_code("train", "cartpole", "--resume", "--total-steps", "800") == 0
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [200, 400, 600, 800]
    assert exit_code("train", "cartpole", "--resume", "--gamma", "0.5") == 2
    assert "cannot change gamma" in capsys.readouterr().err


def test_an_atari_run_from_pixels(capsys):
    # without a limit an evaluation would play a whole game, of 760 steps
    words = "--preset quick --num-envs 2 --eval-num-envs 1 --max-episode-steps 60 --precision fp32".split()
    assert exit_code("train", "pong", *words, *TINY, "--batch-size", "8", "--total-steps", "300") == 0
    text = capsys.readouterr().err
    assert "replay: " in text
    assert "GiB are free" in text
    assert "paper, 5-min games: random -20.7, human 9.3, DQN 18.9 (200 M frames)" in text


WRONG = [
    ("train", "needs a GAME"),
    ("trane", "unknown command 'trane'"),
    ("train pongg", "did you mean pong"),
    ("train pong --preset quik", "did you mean quick?"),
    ("train pong --preset zzz", "choose one of nature"),
    ("train cartpole --preset nature", "use cartpole"),
    ("train cartpole --preset cartpole_tf2 --reward-scale 0", "reward_scale is 0.0"),
    ("train cartpole --epsilon-decay-factor 1.01", "epsilon_decay_factor is 1.01"),
    ("train pong --epsilon-ladder 0.5", "epsilon_ladder is 0.5"),
    ("train cartpole --subtract-mean-frame", "subtract_mean_frame is on, but network 'mlp' is not nature_cnn"),
    (
        "train cartpole --network linear --categorical-bins 51",
        "categorical_bins is 51, but network 'linear' has no",
    ),
    ("train cartpole --network linear --dueling", "dueling is on, but network 'linear' has no such end"),
    ("train cartpole --dueling --hidden-sizes 8 1", "dueling halves the last hidden layer"),
    ("train pong --categorical-bins 1", "categorical_bins is 1; it must be none, or be at least 2"),
    ("train pong --value-support 0", "value_support is 0.0"),
    ("train pong --replay-window-growth-steps -1", "replay_window_growth_steps is -1"),
    ("train pong --replay-window-fraction 0", "replay_window_fraction is 0.0; it must lie in (0, 1]"),
    ("train cartpole --polynomial-degree 5", "polynomial_degree is 5"),
    ("train cartpole --table-bins 1", "table_bins is 1"),
    ("train cartpole --total-episodes -1", "total_episodes is -1"),
    ("train cartpole --network tabular --table-bins 90", "lower table_bins"),
    ("train gym:Acrobot-v1 --preset nature", "use cartpole"),
    ("train gym:LunarLander-v3", "Box2D is not installed"),
    ("train gym:Pendulum-v1", "DQN needs numbered actions"),
    ("train gym:FrozenLake-v1", "only vectors"),
    ("train gym:Nonsense-v0", "cannot make gym:Nonsense-v0"),
    ("train gym:", "cannot make gym:"),
    ("train pong --preset cartpole_parl", "does not fit 'pong'"),
    ("train pong --network tabular", "use 'nature_cnn'"),
    ("train pong --num-envz 3", "num-envz"),
    ("train pong --num-envs 0", "num_envs is 0"),
    ("train pong --total-steps -5", "total_steps is -5"),
    ("train pong --gamma 1.5", "gamma is 1.5"),
    ("train pong --n-step-decay-steps 10 --n-step-end 2", "n_step_end (2) is above n_step (1)"),
    ("train pong --capacity 100", "capacity (100) is too small"),
    ("train pong --batch-size 60000", "larger than the warm-up"),
    ("train pong --num-envs many", "Error parsing --num-envs: 'many' is no whole number"),
    ("train pong --categorical-bins x", "Error parsing --categorical-bins: 'x' is no whole number"),
    ("train pong --gamma x", "Error parsing --gamma: 'x' is no number"),
    ("train pong --hidden-sizes 8 x", "Error parsing --hidden-sizes: 'x' is no whole number"),
    ("train pong --eval-early-steps 1.5", "Error parsing --eval-early-steps: '1.5' is no whole number"),
    ("suite --games pong --seeds 0 x", "Error parsing --seeds: 'x' is no whole number"),
    ("ablation --out a --seeds x", "Error parsing --seeds: 'x' is no whole number"),
    ("video runs --seconds x", "Error parsing --seconds: 'x' is no number"),
    *(
        (line, f"--{name} is a switch and takes no value, but is given 'x'; write --{name} or --no-{name}")
        for line, name in (
            ("train pong --double-q=x", "double-q"),
            ("train pong --no-double-q=x", "double-q"),
            ("train pong --overlap x", "overlap"),
            ("suite --games pong --own_kernels x --seeds 1", "own-kernels"),
            ("suite --games pong --dry-run x", "dry-run"),
            ("evaluate runs --json x", "json"),
        )
    ),
    ("train pong breakout", "'breakout' is one word too many: it is the value of no flag"),
    ("train pong -seed 3", "'-seed' is one word too many: it is the value of no flag; flags begin with two dashes"),
    ("evaluate runs --seed 1 2", "'2' is one word too many"),
    ("suite pong --seeds 1", "'pong' is one word too many"),
    ("train pong --seed", "--seed needs a value: a whole number, for example --seed 0"),
    ("train pong --preset --seed 1", "--preset needs a value, for example --preset nature"),
    ("train pong --config", "--config needs a value: a path (JSON file of settings, such as a run's config.json, "),
    ("evaluate pong --policy", "--policy needs a value, one of: network, random, random-10hz, noop"),
    ("evaluate runs --episodes --json", "--episodes needs a value: a whole number, for example --episodes 1"),
    ("report runs --out", "--out needs a value: a path, for example --out report"),
    ("compare nature quick --out --games pong", "--out needs a value: a path, for example --out report"),
    ("train pong --device cuda:99", "device is 'cuda:99'"),
    ("train pong --device tpu", "it must be auto, cpu, cuda"),
    ("train pong --yes --num-envs 2 --device cpu --capacity 90000000000", "GiB are free"),
    ("train pong --yes --device cpu --precision tf32", "only CUDA GPUs have"),
    ("train pong --run-dir afile", "is a file"),
    ("train cartpole --run-dir /sys/run", "cannot write the run folder /sys/run"),  # a folder that cannot be written
    ("train pong --resume", "holds no run"),
    ("evaluate nowhere", "holds no run"),
    ("evaluate nowhere --episodes 0", "episodes is 0"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(line, message, capsys):
    Path("afile").write_text("")
    assert message in refused(capsys, *line.split())
    assert not Path("runs").exists()


def test_a_damaged_config_or_checkpoint_is_named(capsys):
    assert exit_code("train", "cartpole", *TINY) == 0
    folder = Path("runs/cartpole/cartpole/seed0")
    for path in folder.glob("checkpoints/*/tensors.safetensors"):
        path.write_bytes(b"nothing")
    assert exit_code("evaluate", str(folder)) == 2
    assert "no readable checkpoint" in capsys.readouterr().err
    for text, message in (('{"game": 3}', "game must be a text, not 3"), ('{"seed": 3}', "the config names no game")):
        (folder / "config.json").write_text(text)
        assert exit_code("evaluate", str(folder)) == 2
        assert f"config.json: {message}" in capsys.readouterr().err


def test_a_run_of_a_version_with_fewer_options_is_read(capsys):
    assert exit_code("train", "cartpole", *TINY) == 0
    folder = Path("runs/cartpole/cartpole/seed0")
    table = json.loads((folder / "config.json").read_text())
    assert table["extensions"].pop("dueling") is False and table["extensions"].pop("categorical_bins") is None
    (folder / "config.json").write_text(json.dumps(table))
    assert exit_code("evaluate", str(folder)) == 0
    assert exit_code("train", "cartpole", *TINY, "--resume") == 0
    assert "Traceback" not in capsys.readouterr().err


def test_a_checkpoint_of_another_game_or_network_is_refused(capsys):
    words = ["cartpole", *TINY, "--run-dir"]
    assert exit_code("train", *words, "mine") == 0
    assert exit_code("train", *words, "wide", "--hidden-sizes", "8") == 0
    shutil.rmtree("mine/checkpoints")
    shutil.copytree("wide/checkpoints", "mine/checkpoints")
    assert exit_code("train", "cartpole", "--resume", "--run-dir", "mine") == 2
    assert "does not fit the networks" in capsys.readouterr().err
    newest = list_steps(Path("mine/checkpoints"))[-1]
    meta = json.loads((newest / "meta.json").read_text()) | {"game": "gym:Acrobot-v1"}
    (newest / "meta.json").write_text(json.dumps(meta))
    (newest / checkpoint.SUMS).write_text(checkpoint.checksums(newest))
    assert exit_code("train", "cartpole", "--resume", "--run-dir", "mine") == 2
    assert "is a checkpoint of 'gym:Acrobot-v1'" in capsys.readouterr().err


def test_a_full_gpu_is_told_with_what_was_asked_for(monkeypatch, capsys):
    def run_out(_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.00 GiB free.")

    monkeypatch.setattr("atari_dqn.dqn.trainer.Trainer.run", run_out)
    assert exit_code("train", "cartpole", *TINY) == 2
    error = capsys.readouterr().err
    assert "Tried to allocate 2.00 GiB" in error
    assert "--replay-device cpu" in error


def start_long_run():
    words = ["train", "cartpole", *TINY, "--total-steps", "1000000", "--checkpoint-period", "5000"]
    process = WarmProcess(COMMAND_LINE, words)
    folder = Path("runs/cartpole/cartpole/seed0")
    for _ in range(600):
        if list(folder.glob("checkpoints/step_??????????")):
            return process, folder
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.kill()
    raise AssertionError(f"no checkpoint: {process.communicate()[1]}")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_saves_and_goes_on(number, code, capsys):
    process, folder = start_long_run()
    process.send_signal(number)
    _, error = process.communicate(timeout=10)  # clusters kill after a grace period
    assert process.returncode == code
    assert "Go on with --resume" in error
    steps = [int(path.name[5:]) for path in (folder / "checkpoints").glob("step_*")]
    assert exit_code("train", "cartpole", "--resume", "--total-steps", str(max(steps) + 500)) == 0
    assert (folder / "DONE").exists()


def test_a_killed_run_resumes_and_a_running_one_is_left_alone(capsys):
    process, folder = start_long_run()
    assert exit_code("train", "cartpole", "--resume") == 2
    assert f"process {process.pid} is training" in capsys.readouterr().err
    process.kill()
    process.communicate()
    steps = [int(path.name[5:15]) for path in (folder / "checkpoints").glob("step_*")]
    assert exit_code("train", "cartpole", "--resume", "--total-steps", str(max(steps) + 500)) == 0
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    steps = [record["step"] for record in map(json.loads, lines) if "train/epsilon" in record]
    assert len(steps) == len(set(steps))


def process(*words, **environment):
    """The command line in a process of its own, its output in a pipe."""
    command = [sys.executable, "-m", "atari_dqn", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


# rich, which draws the table of presets, ends the process by itself, with code 1
@pytest.mark.parametrize(("words", "code"), [([], 141), (["train", "--help"], 141), (["presets"], 1)])
def test_a_reader_that_has_gone_is_no_traceback(words, code):
    with process(*words) as shown:
        shown.stdout.close()  # before the first line
        assert shown.stderr.read() == b""
    assert shown.returncode == code


def test_a_full_disk_under_the_output_is_no_traceback(monkeypatch, capsys):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert exit_code("presets") == 2
    assert capsys.readouterr().err == "atari-dqn: the disk that is written to is full; make room, then try again\n"


def test_a_run_goes_on_when_nobody_reads_what_it_says(tmp_path):
    with process("train", "cartpole", *TINY, "--run-dir", str(tmp_path / "run")) as run:
        run.stdout.close()
        run.stderr.close()
    assert run.returncode == 0
    assert json.loads((tmp_path / "run/DONE").read_text())["steps"] == 600


@pytest.mark.parametrize("words", [[], ["presets"], ["train", "--help"]], ids=" ".join)
def test_a_terminal_of_ascii_is_enough(words):
    shown = process(*words, PYTHONIOENCODING="ascii", COLUMNS="80")
    output, errors = shown.communicate()
    assert (shown.returncode, errors) == (0, b"")
    assert output.isascii()


def test_presets_are_compared_with_one_command(capsys, monkeypatch):
    monkeypatch.setattr("atari_dqn.suite.jobs.start_process", in_this_process)
    monkeypatch.setattr("atari_dqn.suite.cost.MEASURE_SECONDS", 0.2)
    short = [*TINY, "--total-steps", "300", "--max-episode-steps", "30"]
    words = ["compare", "cartpole", "c51", "--games", "cartpole", "--seeds", "0", "1", "--out", "page", *short]
    assert exit_code(*words, "--dry-run") == 0
    assert not Path("runs").exists()
    assert exit_code(*words) == 0
    for preset in ("cartpole", "c51"):
        for seed in (0, 1):
            assert (Path("runs/cartpole") / preset / f"seed{seed}" / "DONE").exists()
    header, *rows = (Path("page") / "scores.csv").read_text().splitlines()
    assert {row.split(",")[0] for row in rows} == {"cartpole", "c51"}
    capsys.readouterr()
    for wrong, hint in (
        (["compare", "cartpole", "--games", "cartpole"], "two presets"),
        (["compare", "cartpole", "c52", "--games", "cartpole"], "did you mean c51?"),
        (["compare", "cartpole", "c51", "--preset", "iqn", "--games", "cartpole"], "before the flags"),
        (["compare", "qr_dqn", "iqn", "--games", "cartpole", "--atoms", "9", *TINY], "atoms is 9, which does nothing"),
        (["compare", "cartpole", "c51", "--games", "cartpole", "--out", __file__, *TINY], "choose another --out"),
    ):
        assert exit_code(*wrong) == 2
        assert hint in capsys.readouterr().err
    assert not Path("runs/cartpole/qr_dqn").exists(), "nothing is trained before all is understood"
