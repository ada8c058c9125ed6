"""Films of games of gymnasium's: the game that is scored, as it draws itself."""

import io
import json
from contextlib import closing

import gymnasium
import numpy as np
import pytest
from PIL import Image

from atari_dqn.cli import main
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import monitor
from atari_dqn.presets import cartpole
from atari_dqn.video.best_game import BestEpisodeGif
from atari_dqn.video.gym_camera import GymCamera
from atari_dqn.video.panel import BACKGROUND, TEXT, AgentView, Panel, letterbox
from tests.fakes import make_run

pytest.importorskip("pygame", reason="the 'play' extra is not installed")


class Undrawn(gymnasium.Env):
    """A game without pictures."""

    observation_space = gymnasium.spaces.Box(-1, 1, (3,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.random(3, np.float32), {}

    def step(self, action):
        return self.np_random.random(3, np.float32), 1.0, False, False, {}


class Drawn(Undrawn):
    """Its picture is its newest numbers; its metadata are of no use."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": None}

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def step(self, action):
        self.shown = self.np_random.integers(0, 256, (4, 4, 3), np.uint8)
        return super().step(action)

    def reset(self, *, seed=None, options=None):
        self.shown = np.zeros((4, 4, 3), np.uint8)
        return super().reset(seed=seed)

    def render(self):
        return self.shown


@pytest.fixture(autouse=True)
def games(monkeypatch):
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    gymnasium.register("Undrawn-v0", Undrawn, max_episode_steps=30)
    gymnasium.register("Drawn-v0", Drawn, max_episode_steps=30)


@pytest.mark.parametrize("game", ["cartpole", "gym:Drawn-v0"])
def test_a_film_shows_the_game_that_is_scored(game, tmp_path, capsys):
    run = make_run(tmp_path / "run", cartpole(game).replace(max_episode_steps=12))
    film = tmp_path / "film.gif"
    assert main(["video", str(run), "--episode", "2", "--seed", "5", "--overlay", "--json", "--out", str(film)]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["evaluate", str(run), "--only-episode", "2", "--seed", "5", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (shown["protocol"], shown["whole"]) == ("greedy", True)
    assert [shown["episode_return"]] == scored["scores"]
    assert shown["frames"] == shown["episode_length"] == scored["mean_length"]
    with Image.open(film) as image:
        assert image.size == (640, 315)
        picture = np.array(image.convert("RGB"))
        assert image.n_frames > 1
    assert len(np.unique(picture[:, :420].reshape(-1, 3), axis=0)) > 2


def test_the_camera_shows_the_game_of_its_seed_at_its_own_pace():
    with closing(GymCamera(cartpole())) as camera:
        first = camera.open(3)
        assert (first.shape, camera.fps, camera.action_names) == ((400, 600, 3), 50, ("left", "right"))
        ends = [camera.play(0)[0] for _ in range(8)]
        assert (camera.open(3) == first).all()
        assert (camera.play(0)[0].screen == ends[0].screen).all()
        assert (ends[3].screen != first).any()
        assert camera.play(0, draw=False)[0].screen is camera.play(0, draw=False)[0].screen
    assert GymCamera(cartpole("gym:Drawn-v0")).fps == 30


def test_a_game_that_does_not_draw_itself_is_named(tmp_path, capsys):
    with pytest.raises(UsageError, match=r"gym:Undrawn-v0 cannot be filmed, it does not draw itself with render_mode="):
        GymCamera(cartpole("gym:Undrawn-v0"))
    run = make_run(tmp_path / "run", cartpole("gym:Undrawn-v0").replace(max_episode_steps=9))
    assert main(["video", str(run)]) == 2
    assert "cannot be filmed" in capsys.readouterr().err
    assert not (run / "videos").exists() or not list((run / "videos").iterdir())


def test_a_missing_extra_is_named(monkeypatch):
    def make(*arguments, **options):
        raise gymnasium.error.DependencyNotInstalled('pygame is not installed, run `pip install "gymnasium[...]"`')

    monkeypatch.setattr(gymnasium, "make", make)
    with pytest.raises(UsageError, match=r"a film of cartpole needs the 'play' extra: pip install 'atari-dqn\[play\]'"):
        GymCamera(cartpole())


def test_pictures_of_any_form_are_shown_whole():
    wide, tall = np.full((100, 300, 3), 200, np.uint8), np.full((1000, 500, 3), 200, np.uint8)
    for picture, share in ((wide, 4 / 9), (tall, 3 / 8)):
        framed = letterbox(picture, 210)
        assert framed.shape == (210, 280, 3)
        assert (framed[105, 140] == 200).all()
        assert (framed == 200).all(axis=2).mean() == pytest.approx(share, abs=0.01)
        assert (framed[0, 0] == BACKGROUND).all()


def test_the_panel_shows_the_numbers_of_a_vector():
    seen = np.array([[0.0] * 30, [-1.5] * 30], np.float32)
    panel = Panel("", "", ("left", "right"), 1 / 50)
    picture = panel.draw(AgentView(0, seen, np.array([0.0, 1.0], np.float32), 1, False), 0.0)
    lines = (picture[170:270] == TEXT).all(axis=2).any(axis=1)
    assert (np.diff(lines.astype(int)) == 1).sum() == 4  # 4 lines of 6, and no more
    assert not (picture[264:276] == TEXT).all(axis=2).any()


def test_tensorboard_gets_a_film_where_there_is_one():
    told = []

    class Logger:
        def log(self, step, values):
            told.extend((tag, value.gif) for tag, value in values.items())

        def message(self, text):
            told.append(text)

    for game in ("cartpole", "gym:Undrawn-v0"):
        config = cartpole(game).replace(film_seconds=1)
        highlight = BestEpisodeGif(config, monitor(config))
        highlight.actions[:] = [0, 1] * 40
        highlight.show("eval/best_game", 5, Logger(), 10)
        highlight.show("eval/best_game", 5, Logger(), 20)
    (tag, gif), _, message = told  # what cannot be filmed is told once
    assert tag == "eval/best_game"
    with Image.open(io.BytesIO(gif)) as image:
        assert image.size == (280, 210)
        durations = 0
        for index in range(image.n_frames):
            image.seek(index)
            durations += image.info["duration"]
    assert durations == 720  # the pole falls after 36 steps of 1/50 s
    assert message.startswith("no film in TensorBoard: gym:Undrawn-v0 cannot be filmed")
