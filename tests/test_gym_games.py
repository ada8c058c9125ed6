"""Games of gymnasium's beyond vectors: pictures, arguments, wrappers, plugins; and that no folder decides what runs."""

import json
import subprocess
import sys

import cv2
import gymnasium
import numpy as np
import pytest

from atari_dqn import Selection, evaluate_run, presets, train
from atari_dqn.cli import main
from atari_dqn.envs import make_envs
from atari_dqn.envs.classic import GymGame, make_game
from atari_dqn.envs.pictures import plane_of
from atari_dqn.errors import UsageError

SHORT = (
    "--num-envs 2 --total-steps 60 --learning-starts 40 --capacity 100 --batch-size 4 --update-period 10 "
    "--hidden-sizes 4 --eval-period 0 --log-period 20 --checkpoint-period 0 --precision fp32 --compile off "
    "--torch-threads 1"
)


class Shades(gymnasium.Env):
    """A picture of one colour, which is 10 times the step; `shape` and `dtype` say what is shown, `pay` the reward."""

    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, shape=(96, 96, 3), shown="uint8", pay=1.0):
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.shown, self.pay = shown, pay

    def _picture(self):
        return np.full(self.observation_space.shape, 10 * self.steps, self.shown)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self._picture(), {}

    def step(self, action):
        self.steps += 1
        return self._picture(), self.pay, self.steps == 20, False, {}


@pytest.fixture(autouse=True)
def shades():
    gymnasium.register("Shades-v0", Shades, max_episode_steps=50)
    yield
    del gymnasium.registry["Shades-v0"]


@pytest.fixture
def wrappers(tmp_path, monkeypatch):
    """A module of the user's beside their work."""
    (tmp_path / "my_wrappers.py").write_text(
        "import gymnasium\n"
        "def twice(env):\n    return gymnasium.wrappers.TransformReward(env, lambda reward: 2 * reward)\n"
        "def nothing(env):\n    return None\n"
        "def fails(env):\n    raise KeyError('mine')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_wrappers", None)


def pixels(**settings):
    return presets.pixels("gym:Shades-v0").replace(num_envs=2, **settings)


def test_a_picture_becomes_its_luminance_by_areas():
    noise = np.random.default_rng(0).integers(0, 256, (168, 168, 3), np.uint8)
    gray = noise @ np.array([0.299, 0.587, 0.114])
    blocks = gray.reshape(84, 2, 84, 2).mean(axis=(1, 3))  # twice as large: each pixel is the mean of four
    assert np.abs(plane_of(noise) - blocks).max() <= 1.0
    flat = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert (plane_of(flat) == plane_of(flat[..., None])).all()
    assert (plane_of(flat) == cv2.resize(flat, (84, 84), interpolation=cv2.INTER_AREA)).all()


@pytest.mark.parametrize("shape", [(96, 96, 3), (50, 60, 1), (84, 84)])
def test_games_of_pictures_show_planes(shape):
    envs = make_envs(pixels(env_kwargs=json.dumps({"shape": shape})))
    assert (envs.spec.frame_shape, envs.spec.frame_dtype, envs.spec.num_actions) == ((84, 84), "uint8", 3)
    envs.reset(np.array([0, 1]))
    for step in range(1, 4):
        envs.send(np.array([0, 2]))
        result = envs.recv()
        assert (result.frame == 10 * step).all() and result.frame.dtype == np.uint8
    envs.close()


def test_pictures_are_learned_from_and_a_resume_is_the_undisturbed_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["train", "gym:Shades-v0", "--preset", "pixels", *SHORT.split(), "--run-dir"]
    assert main([*words, "whole"]) == 0
    assert main([*words, "halves", "--total-steps", "50"]) == 0
    assert main([*words, "halves", "--resume"]) == 0
    weights = [next(tmp_path.glob(f"{name}/checkpoints/step_*60/tensors.safetensors")) for name in ("whole", "halves")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert evaluate_run("whole", Selection(episodes=1)).result.mean == 20.0


def test_arguments_and_wrapper_make_the_game(wrappers):
    envs = make_envs(pixels(env_kwargs='{"pay": 3.0}', wrapper="my_wrappers:twice"))
    envs.reset(np.array([0, 1]))
    envs.send(np.array([0, 0]))
    assert envs.recv().reward.tolist() == [6.0, 6.0]
    envs.close()


def test_an_installed_plugin_registers_its_games(monkeypatch):
    class Entry:
        @staticmethod
        def load():
            return lambda: gymnasium.register("Paint/Shades-v0", Shades)

    named = []
    monkeypatch.setattr("atari_dqn.envs.classic.entry_points", lambda **which: named.append(which) or [Entry])
    game = make_game(GymGame("gym:Paint/Shades-v0"))
    assert game.shows_pictures
    make_game(GymGame("gym:Paint/Shades-v0"))  # it is known now
    del gymnasium.registry["Paint/Shades-v0"]
    assert named == [{"group": "gymnasium.envs", "name": "Paint"}]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--env-kwargs {", "env_kwargs is '{'; it must be a JSON object"),
        ("--env-kwargs [1]", "env_kwargs is '[1]'; it must be a JSON object"),
        ('--env-kwargs {"colour":1}', "gymnasium cannot make gym:Shades-v0: TypeError"),
        ('--env-kwargs {"shown":"float32"}', "gave a picture of float32; its observation_space says uint8"),
        ('--env-kwargs {"shape":[2,10,10,4]}', "--wrapper gymnasium.wrappers:FlattenObservation may make it a vector"),
        ("--wrapper my_wrappers", "wrapper is 'my_wrappers'; it must be MODULE:FUNCTION"),
        ("--wrapper no_such_module:f", "wrapper is 'no_such_module:f', which failed for gym:Shades-v0: ModuleNotFound"),
        ("--wrapper my_wrappers:missing", "AttributeError: module 'my_wrappers' has no attribute 'missing'"),
        ("--wrapper my_wrappers:fails", "which failed for gym:Shades-v0: KeyError: 'mine' (my_wrappers.py, line 7)"),
        ("--wrapper my_wrappers:nothing", "which made None of gym:Shades-v0: it must return a game"),
        ("--network mlp", "network is 'mlp', but gym:Shades-v0 shows images: use 'nature_cnn', as in --preset pixels"),
        ("--game-mode 1", "do not use game_mode 1 (leave it at None)"),
    ],
)
def test_what_cannot_work_is_refused_in_one_message(flags, message, wrappers, capsys):
    assert main(["train", "gym:Shades-v0", "--preset", "pixels", "--run-dir", "run", *flags.split()]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert "Traceback" not in text


def test_atari_games_have_no_arguments_and_no_wrapper():
    for setting in ({"env_kwargs": "{}"}, {"wrapper": "module:function"}):
        with pytest.raises(UsageError, match="games of backend 'native' do not use"):
            presets.nature().replace(**setting)


def test_no_folder_decides_what_is_executed(wrappers, capsys):
    """What a run folder names is executed only if the command line says so, too."""
    wrapped = ["--wrapper", "my_wrappers:twice"]
    train_words = ["train", "gym:Shades-v0", "--preset", "pixels", *SHORT.split(), "--run-dir", "run"]
    assert main([*train_words, *wrapped]) == 0
    sys.modules.pop("my_wrappers")
    capsys.readouterr()
    longer = [*train_words, "--resume", "--total-steps", "70"]
    for words, remedy in (
        (["evaluate", "run", "--episodes", "1"], "add --allow-import"),
        (["video", "run"], "add --allow-import"),
        (longer, "give that flag here, too"),
        ([*train_words[:1], "--config", "run", "--run-dir", "other"], "give that flag here, too"),
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "my_wrappers:twice" in said and remedy in said
        assert "my_wrappers" not in sys.modules
    assert main(["evaluate", "run", "--episodes", "1", "--allow-import", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["mean"] == 40.0
    assert main([*longer, *wrapped]) == 0


def test_a_run_from_python_evaluates_what_it_trained(wrappers, tmp_path):
    config = pixels(wrapper="my_wrappers:twice", total_steps=60, learning_starts=40, capacity=100, batch_size=4,
                    hidden_sizes=(4,), eval_period=0)  # fmt: skip
    assert train(config, tmp_path / "run").evaluate(Selection(episodes=1)).result.mean == 40.0


def test_a_vector_is_made_of_what_is_no_picture():
    flat = pixels(env_kwargs='{"shape": [10, 10, 4]}', wrapper="gymnasium.wrappers:FlattenObservation", network="mlp")
    envs = make_envs(flat)
    assert (envs.spec.frame_shape, envs.spec.frame_dtype) == ((400,), "float32")
    envs.close()


def test_a_library_that_sets_up_the_root_logger_shows_nothing_twice():
    code = "import logging; from atari_dqn.runs.terminal import messages_shown\nwith messages_shown():\n"
    code += " logging.warning('theirs'); logging.getLogger('atari_dqn.runs').info('ours')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert said.splitlines() == ["WARNING:root:theirs", "ours"]
