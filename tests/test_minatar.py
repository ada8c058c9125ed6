"""Small pictures with channels, as MinAtar shows them: learned from as they are. `minatar` itself is not needed."""

import json

import gymnasium
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from atari_dqn import Selection, evaluate_run, presets
from atari_dqn.cli import main
from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.networks import make_model
from atari_dqn.networks.dead_units import dead_units
from atari_dqn.networks.minatar_cnn import MinAtarCNN
from atari_dqn.runs import export
from atari_dqn.runs.evaluate import load_player
from atari_dqn.settings.learning import NetworkConfig
from atari_dqn.types import EnvSpec
from atari_dqn.video.panel import BACKGROUND, AgentView, Panel

SHORT = (
    "--num-envs 2 --total-steps 60 --learning-starts 40 --capacity 100 --batch-size 4 "
    "--hidden-sizes 4 --eval-period 0 --log-period 20 --checkpoint-period 0 --update-period 10"
)
BREAKOUT = EnvSpec("breakout", (10, 10, 4), "bool", ("n", "l", "r"), 1)


class Squares(gymnasium.Env):
    """A square in one of `shape[2]` channels, at a random place; the reward is 1 where the action names its channel."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(self, shape=(10, 10, 4), kind="bool", most=1, shown=None, lit=None, render_mode=None):
        self.observation_space = gymnasium.spaces.Box(0, most, tuple(shape), np.dtype(kind).type)
        self.action_space = gymnasium.spaces.Discrete(4)
        self.shown, self.lit, self.render_mode = shown or kind, most if lit is None else lit, render_mode

    def _picture(self):
        self.place = tuple(self.np_random.integers(0, self.observation_space.shape))
        picture = np.zeros(self.observation_space.shape, self.shown)
        picture[self.place] = self.lit
        return picture

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._picture(), {}

    def step(self, action):
        self.steps += 1
        reward = float(action == self.place[2])
        return self._picture(), reward, self.steps == 20, False, {}

    def render(self):
        """As MinAtar does it: small, in floats."""
        picture = np.zeros((10, 10, 3))
        picture[self.place[:2]] = 1.0
        return picture


@pytest.fixture(autouse=True)
def squares(monkeypatch):
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    gymnasium.register("Squares-v0", Squares, max_episode_steps=50)


def minatar(**kwargs):
    config = presets.minatar("gym:Squares-v0").replace(num_envs=2)
    return config.replace(env_kwargs=json.dumps(kwargs)) if kwargs else config


def test_the_network_is_that_of_its_paper():
    model = make_model(BREAKOUT, NetworkConfig("minatar_cnn", hidden_sizes=(128,)), frame_stack=1, seed=0)
    shapes = [tuple(param.shape) for param in model.parameters()]
    assert shapes == [(16, 4, 3, 3), (16,), (128, 1024), (128,), (3, 128), (3,)]
    obs = torch.rand(5, 1, 10, 10, 4, generator=torch.Generator().manual_seed(0))
    x = obs[:, 0].permute(0, 3, 1, 2)  # as everyone writes it
    x = F.relu(F.conv2d(x, model.conv1.weight, model.conv1.bias)).flatten(1)
    torch.testing.assert_close(model(obs), model.last(F.relu(model.hidden[0](x))))
    lit = obs > 0.5
    torch.testing.assert_close(model(lit), model(lit.float()))
    torch.testing.assert_close(model(255 * lit.to(torch.uint8)), model(lit.float()))
    assert dead_units(model, lit).keys() == {"conv1", "hidden.1"}


def test_pictures_of_a_stack_lie_side_by_side_and_none_is_too_small_in_silence():
    model = MinAtarCNN(2, (3, 7, 5), 4)
    assert model(torch.zeros(6, 2, 3, 7, 5, dtype=torch.bool)).shape == (6, 4)
    assert model.conv1.in_channels == 10
    with pytest.raises(UsageError, match=r"pictures are 10 x 2; minatar_cnn takes 3 x 3 and more"):
        MinAtarCNN(1, (10, 2, 4), 4)


@pytest.mark.parametrize(
    ("kwargs", "dtype", "lit"),
    [
        ({}, "bool", True),
        ({"shown": "float32"}, None, None),
        ({"kind": "int64"}, "bool", True),
        ({"kind": "uint8", "most": 255}, "uint8", 255),
        ({"kind": "uint8", "most": 255, "shape": [10, 10, 3]}, "uint8", 255),
        ({"kind": "float64"}, "float32", 1.0),
    ],
)
def test_pictures_with_channels_are_shown_as_they_are(kwargs, dtype, lit):
    if dtype is None:
        with pytest.raises(
            UsageError, match="gave a picture of float32 from 0.0 to 1.0; its observation_space says bool"
        ):
            make_envs(minatar(**kwargs))
        return
    envs = make_envs(minatar(**kwargs))
    assert (envs.spec.frame_shape, envs.spec.frame_dtype) == (tuple(kwargs.get("shape", (10, 10, 4))), dtype)
    envs.reset(np.array([0, 1]))
    envs.send(np.array([0, 2]))
    frame = envs.recv().frame
    assert frame.dtype == dtype and (np.unique(frame) == [0, lit]).all() and (frame != 0).sum() == 2
    envs.close()


def test_a_run_is_resumed_evaluated_exported_and_filmed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["train", "gym:Squares-v0", "--preset", "minatar", *SHORT.split(), "--run-dir"]
    assert main([*words, "whole"]) == 0
    assert main([*words, "halves", "--total-steps", "50"]) == 0
    assert main([*words, "halves", "--resume"]) == 0
    weights = [next(tmp_path.glob(f"{name}/checkpoints/step_*60/tensors.safetensors")) for name in ("whole", "halves")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    score = evaluate_run("whole", Selection(episodes=1)).result.mean

    player = load_player(tmp_path / "whole", which="last", device="cpu")
    obs = export.random_observations(player, 50)
    assert player.act(obs).shape == (50,) and player.act(obs[0].numpy()).shape == ()
    with pytest.raises(
        UsageError, match=r"obs is torch.float32; the network of gym:Squares-v0 takes truth values, bool"
    ):
        player.act(obs.float())
    assert main(["export", "whole", "--to", "torchscript", "--out", "network.pt"]) == 0
    assert "obs [N, 1, 10, 10, 4] bool -> q [N, 4] float32" in capsys.readouterr().out

    assert main(["video", "whole", "--overlay", "--json", "--out", "film.gif"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["episode_return"] == score
    with Image.open("film.gif") as image:
        game = np.array(image.convert("L"))[:, 53:367]
    assert (game > 250).mean() > 0.005
    assert ((game > 50) & (game < 200)).mean() < 0.005, "squares are drawn sharp"


@pytest.mark.parametrize("shape", [(10, 10, 4), (10, 10, 30), (96, 96, 3), (120, 40, 1)])
def test_the_panel_shows_the_channels(shape):
    seen = np.ones((1, *shape), bool)
    picture = Panel("", "", ("left", "right"), 1 / 30).draw(AgentView(0, seen, np.array([0.0, 1.0]), 1, False), 0.0)
    lit = (picture[172:268, 24:416] == 255).all(axis=2)
    columns = np.diff(lit.any(axis=0).astype(int), prepend=0)
    assert (columns == 1).sum() == min(shape[2], 12)
    assert (picture[268:274] == BACKGROUND).all()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--preset pixels",
            "network is 'nature_cnn', but gym:Squares-v0 shows pictures of 10 x 10 x 4: use 'minatar_cnn'",
        ),
        (
            "--preset cartpole",
            "network is 'mlp', but gym:Squares-v0 shows pictures of 10 x 10 x 4: use 'minatar_cnn', as in",
        ),
        ('--env-kwargs {"shape":[2,2,4]}', "pictures are 2 x 2; minatar_cnn takes 3 x 3 and more"),
        ('--env-kwargs {"kind":"float32","most":2}', "only vectors (a Box of one axis, not empty) and pictures"),
        (
            '--env-kwargs {"kind":"int64","most":255,"lit":300}',
            "gave a picture of int64 from 0 to 300; its observation_space",
        ),
        (
            '--env-kwargs {"kind":"float32","lit":-1}',
            "gave a picture of float32 from -1.0 to 0.0; its observation_space",
        ),
        (
            '--env-kwargs {"kind":"float32","lit":1e999}',
            "gave a picture of float32 from 0.0 to inf; its observation_space",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_message(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    preset = [] if "--preset" in flags else ["--preset", "minatar"]
    assert main(["train", "gym:Squares-v0", *preset, *SHORT.split(), "--run-dir", "run", *flags.split()]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert "Traceback" not in text


def test_the_network_is_for_nothing_else():
    for spec in (EnvSpec("pong", (84, 84), "uint8", ("a",), 4), EnvSpec("cartpole", (4,), "float32", ("a",), 1)):
        with pytest.raises(UsageError, match="network is 'minatar_cnn', but .* use '(nature_cnn|mlp)'"):
            make_model(spec, NetworkConfig("minatar_cnn"), frame_stack=1, seed=0)
