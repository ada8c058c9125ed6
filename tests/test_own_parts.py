"""A network, a loss and an environment of the caller's own, through the same doors as ours."""

import json

import gymnasium
import numpy as np
import pytest
import torch
from torch import nn

from atari_dqn import Selection, evaluate_run, presets, train
from atari_dqn.cli import main
from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.algorithm import DQN
from atari_dqn.errors import UsageError
from atari_dqn.settings.learning import AlgorithmConfig
from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps
from atari_dqn.types import EnvSpec, Transitions
from tests.fakes import tiny_config

SPEC = EnvSpec("scripted", (3,), "uint8", ("a", "b"), 4)
QUICK = presets.cartpole().replace(
    total_steps=600, learning_starts=100, capacity=400, eval_period=400, eval_steps=100,
    batch_size=32, log_period=200, checkpoint_period=200, precision="auto",
)  # fmt: skip


class Linear(nn.Module):
    """The simplest network: one layer, and a count of its calls."""

    def __init__(self, num_inputs=4, num_actions=2):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(num_inputs, num_actions)
        self.calls = 0

    def forward(self, obs):
        self.calls += 1
        return self.layer(obs.flatten(1).float())


def quartic(error):
    return 0.25 * error**4


def final_state(folder):
    state, _ = checkpoint.load(list_steps(folder / "checkpoints")[-1])
    return state["agent"]["algorithm"]


def test_a_loss_by_hand():
    model = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(model.weight)
    settings = AlgorithmConfig(gamma=0.5, clip_reward=False)
    dqn = DQN(model, torch.optim.SGD(model.parameters(), lr=0.5), settings, loss=quartic)
    obs = torch.ones(1, 1)
    stats = dqn.learn(
        Transitions(obs, torch.tensor([1]), torch.tensor([[2.0]]), torch.tensor([1]), torch.tensor([True]), obs)
    )
    # error 2 - 0; loss 2**4 / 4 = 4; gradient of Q is -2**3 = -8, so the weight becomes 0.5 * 8 = 4
    assert stats.loss.item() == 4.0
    assert model.weight.detach().flatten().tolist() == [0.0, 4.0]


def test_an_agent_with_a_network_of_ones_own_trains_that_very_network():
    model = Linear(12)
    agent = make_agent(tiny_config(), SPEC, model=model)
    assert agent.algorithm.model is model
    assert agent.algorithm.target is not model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Linear(12, 3), r"Linear gives \(2, 3\) for observations \(2, 4, 3\).* one value per action: \(2, 2\)"),
        (nn.Flatten(), "Flatten has no parameters"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(model, message):
    with pytest.raises(UsageError, match=message):
        make_agent(tiny_config(), SPEC, model=model)


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    """A run with network and loss of its own, without interruption."""
    folder = tmp_path_factory.mktemp("own") / "run"
    model = Linear()
    assert train(QUICK, folder, model=model, loss=quartic).exit_code == 0
    assert model.calls > 100
    return folder


def test_the_folder_says_what_was_the_callers_own(own_run):
    config = json.loads((own_run / "config.json").read_text())
    assert (config["network"]["network"], config["algorithm"]["own_loss"]) == ("own", True)
    assert final_state(own_run)["model"]["layer.weight"].shape == (2, 4)


def test_a_resume_with_the_same_parts_is_the_undisturbed_run(own_run, tmp_path):
    half = QUICK.replace(total_steps=200)
    assert train(half, tmp_path / "run", model=Linear(), loss=quartic).exit_code == 0
    (tmp_path / "run/DONE").unlink()
    fresh = Linear()
    nn.init.zeros_(fresh.layer.weight)  # replaced by the stored weights
    assert train(QUICK, tmp_path / "run", model=fresh, loss=quartic, resume=True).exit_code == 0
    mine, theirs = final_state(tmp_path / "run"), final_state(own_run)
    for name in ("model", "target"):
        for key, value in theirs[name].items():
            assert torch.equal(mine[name][key], value)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": Linear()}, "cannot change own_loss True -> False"),
        ({"loss": quartic}, "cannot change network 'own' -> 'mlp'"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), "loss": quartic}, "fit another network"),
    ],
)
def test_a_resume_with_other_parts_is_refused(parts, message, own_run):
    with pytest.raises(UsageError, match=message):
        train(QUICK, own_run, resume=True, **parts)


def test_a_resume_from_python_cannot_change_the_config(own_run):
    with pytest.raises(UsageError, match="cannot change gamma 0.99 -> 0.5"):
        changed = QUICK.replace(gamma=0.5)
        train(changed, own_run, model=Linear(), loss=quartic, resume=True)


def test_an_evaluation_needs_the_network_but_not_the_loss(own_run, capsys):
    result = evaluate_run(own_run, Selection(episodes=2), model=Linear()).result
    assert (result.episodes, result.protocol) == (2, "greedy")
    with pytest.raises(UsageError, match="does not fit the network"):
        evaluate_run(own_run, Selection(episodes=2), model=nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


@pytest.mark.parametrize("line", ["evaluate FOLDER", "train cartpole --resume --run-dir FOLDER"])
def test_the_command_line_says_that_the_network_comes_from_python(line, own_run, capsys):
    assert main([word.replace("FOLDER", str(own_run)) for word in line.split()]) == 2
    assert "network is 'own': it comes from Python" in capsys.readouterr().err


def test_the_command_line_cannot_make_a_network_of_ones_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "cartpole", "--network", "own"]) == 2
    assert "network is 'own': it comes from Python" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


class Corridor(gymnasium.Env):
    """Ten cells, the right end pays 1."""

    def __init__(self):
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell = 0
        return np.array([0.0], np.float32), {}

    def step(self, action):
        self.cell = max(0, self.cell + 2 * int(action) - 1)
        arrived = self.cell == 9
        return np.array([self.cell / 9], np.float32), float(arrived), arrived, False, {}


@pytest.fixture
def corridor():
    gymnasium.register("Corridor-v0", Corridor)
    yield
    del gymnasium.registry["Corridor-v0"]


def test_an_environment_of_ones_own_from_python(corridor, tmp_path, capsys):
    config = QUICK.replace(game="gym:Corridor-v0", max_episode_steps=100)
    assert train(config, tmp_path / "run").exit_code == 0
    assert evaluate_run(tmp_path / "run", Selection(episodes=2)).result.game == "gym:Corridor-v0"


@pytest.mark.parametrize("game", ["Acrobot-v1", "MountainCar-v0"])
def test_any_gymnasium_id_with_vectors_trains_from_the_command_line(game, tmp_path):
    words = "--total-steps 300 --learning-starts 100 --capacity 300 --batch-size 32 --eval-period 0 --log-period 100"
    assert main(["train", f"gym:{game}", *words.split(), "--run-dir", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run/DONE").exists()


@pytest.mark.parametrize(
    ("game", "message"),
    [
        ("gym:NoSuch-v0", "gymnasium cannot make gym:NoSuch-v0"),
        ("gym:no_such_module:My-v0", "gymnasium cannot make gym:no_such_module:My-v0"),
        ("gym:Pendulum-v1", "DQN needs numbered actions"),
        ("gym:Blackjack-v1", "only vectors"),
        ("gym:", "gymnasium cannot make gym:"),
    ],
)
def test_other_games_are_refused_in_one_message(game, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", game]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert "Traceback" not in text
