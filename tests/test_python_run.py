"""A run from Python: what `train` hands back, a trained network that acts, and the public names."""

import ast
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import atari_dqn
from atari_dqn import Selection, load, presets, train
from atari_dqn.errors import UsageError

QUICK = presets.cartpole().replace(total_steps=600, learning_starts=100, capacity=400, eval_period=300, eval_steps=100,
    batch_size=32, log_period=200, checkpoint_period=200,
)  # fmt: skip
PONG = "pretrained:pong"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(QUICK, tmp_path_factory.mktemp("runs") / "cartpole")


def test_a_run_knows_its_end_its_folder_and_its_curves(run):
    assert (run.exit_code, run.finished, run.config.game) == (0, True, "cartpole")
    assert repr(run) == f"Run(folder={run.folder!r}, exit_code=0)"
    assert (run.folder / "DONE").exists()
    assert [point["step"] for point in run.metrics if "train/loss" in point] == [200, 400, 600]
    assert [point["step"] for point in run.metrics if "eval/episode_return" in point] == [304, 600]


def test_a_run_is_evaluated_as_by_the_command(run):
    result = run.evaluate(Selection(episodes=3)).result
    assert (result.protocol, result.episodes, result.step) == ("greedy", 3, 600)
    best = run.evaluate(Selection(episodes=1), which="best").result
    with (run.folder / "evals.csv").open() as file:
        assert best.step in {int(row["step"]) for row in csv.DictReader(file) if row["best"] == "True"}


def test_a_network_of_ones_own_is_left_as_it_is(tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    run = train(QUICK.replace(total_steps=304), tmp_path / "run", model=model)
    nn.init.zeros_(model[1].weight)
    assert run.evaluate(Selection(episodes=1)).result.step == 304
    assert not model[1].weight.any()


def test_a_run_of_a_game_with_pictures_is_filmed(tmp_path):
    config = presets.nature().replace(
        total_steps=80, learning_starts=40, capacity=400, num_envs=4, batch_size=4, hidden_sizes=(4,),
        eval_period=0, log_period=40,
    )  # fmt: skip
    run = train(config, tmp_path / "run")
    film = run.video(tmp_path / "pong.gif", seconds=0.5)
    assert (film.game, film.step, film.whole) == ("pong", 80, False)
    assert (tmp_path / "pong.gif").read_bytes()[:3] == b"GIF"


def test_act_is_what_an_evaluation_plays(run):
    player = load(run.folder, device="cpu")
    obs = np.random.default_rng(0).normal(size=(5, 1, 4))  # float64, as gymnasium may give it
    actions = player.act(obs)
    assert (actions.shape, actions.dtype) == ((5,), np.int64)
    q = player.agent.algorithm.predict(torch.as_tensor(obs, dtype=torch.float32))
    assert actions.tolist() == q.argmax(1).tolist()
    alone = player.act(obs[2])
    assert alone.shape == () and int(alone) == actions[2]
    assert player.act(obs[:0]).shape == (0,)


def test_a_network_of_the_package_acts_on_planes():
    player = load(PONG, device="cpu")
    obs = np.random.default_rng(1).integers(0, 256, (9, 4, 84, 84), np.uint8)  # more than one batch of an evaluation
    actions = player.act(obs)
    assert [int(player.act(torch.from_numpy(one))) for one in obs] == actions.tolist()
    assert player.action_names == ("noop", "fire", "right", "left", "rightfire", "leftfire")


@pytest.mark.parametrize(
    ("obs", "message"),
    [
        (np.zeros((4, 84, 84), np.float32), "obs is torch.float32; the network of pong takes pixels as uint8"),
        (np.zeros((84, 84, 4), np.uint8), r"obs has the shape \(84, 84, 4\); the network of pong takes \('N', 4, 84"),
        (np.zeros((1, 2, 4, 84, 84), np.uint8), "obs has the shape"),
        ("no pixels", "obs is of type str; give a numpy array or a tensor"),
    ],
)
def test_other_observations_are_refused(obs, message):
    with pytest.raises(UsageError, match=message):
        load(PONG, device="cpu").act(obs)


def test_type_checkers_see_the_names_that_are_promised():
    tree = ast.parse(Path(atari_dqn.__file__).read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: f"{node.module}.".removeprefix("atari_dqn.").rstrip(".") or alias.name
            for node in checked.body for alias in node.names}  # fmt: skip
    assert seen == atari_dqn._HOMES
    assert all(alias.asname == alias.name for node in checked.body for alias in node.names)
    assert all(hasattr(atari_dqn, name) for name in atari_dqn.__all__)


def test_the_package_and_its_help_need_no_torch():
    code = "import sys, atari_dqn; from atari_dqn.cli import main; main([]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
