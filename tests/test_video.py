"""Films of the game that an evaluation scores: same actions, same score, true colours, every frame."""

import dataclasses
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from atari_dqn.cli import main
from atari_dqn.errors import UsageError
from atari_dqn.evaluation import protocols
from atari_dqn.evaluation.play import play
from atari_dqn.presets import PRESETS, nature
from atari_dqn.runs.evaluate import load_player
from atari_dqn.seeding import stream
from atari_dqn.video import record as video
from atari_dqn.video import writers
from atari_dqn.video.camera import AtariCamera
from atari_dqn.video.panel import (
    BACKGROUND,
    DISTRIBUTION_TOP,
    EXPECTED,
    GREEDY,
    OTHER,
    PANEL_WIDTH,
    RANDOM,
    AgentView,
    Panel,
    spelled,
    television,
)
from atari_dqn.video.writers import Mp4, filming
from tests.command_line import refused
from tests.fakes import make_run

ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the 'video' extra is not installed")
SHORT = dataclasses.replace(protocols.nature(3), max_episode_steps=60)


@pytest.fixture(scope="module")
def pong(tmp_path_factory):
    config = nature("pong").replace(device="cpu", compile="off", torch_threads=1, env_threads=1)
    return make_run(tmp_path_factory.mktemp("pong") / "run", config)


@pytest.fixture(scope="module")
def player(pong):
    return load_player(pong, which="last", device="cpu")


def film(player, out, **options):
    options = {"number": 1, "seed": 4, "overlay": False} | options
    return video.film_episode(player, SHORT, outs=[out], **options)


def read_video(path):
    """What ffmpeg says of a video, and its frames."""
    command = [ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    (facts,) = re.findall(r"Stream #0:0.*Video: (h264.*)", done.stderr.decode().split("Output #0")[0])
    width, height = map(int, re.search(r", (\d+)x(\d+)", facts).groups())
    return facts, np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)


def test_the_film_is_of_the_game_that_is_scored(player, tmp_path, monkeypatch):
    actions = {0: [], 1: [], 2: []}

    def note(moment):
        for number, action, started in zip(moment.playing, moment.action, moment.step.started, strict=True):
            if number in actions and not started:
                actions[number].append(int(action))

    scores = play(player.agent, player.config, SHORT, num_envs=2, seed=stream(4, "eval"), watch=note)
    filmed = []
    camera_play = AtariCamera.play
    monkeypatch.setattr(AtariCamera, "play", lambda self, action: filmed.append(action) or camera_play(self, action))
    for score in scores:
        filmed.clear()
        result = film(player, tmp_path / "game.png", number=score.number)
        assert (result.episode_return, result.episode_length) == (score.episode_return, score.episode_length)
        assert filmed == actions[score.number]
        assert (result.whole, result.frames) == (True, 4 * score.episode_length)
    assert len({tuple(played) for played in actions.values()}) == 3
    assert any(score.episode_return for score in scores)


def test_an_mp4_has_every_frame_at_60_a_second_in_the_colours_of_the_emulator(player, tmp_path):
    film(player, tmp_path / "game.png")
    result = film(player, tmp_path / "game.mp4")
    facts, frames = read_video(tmp_path / "game.mp4")
    assert "yuv420p(tv, bt709, progressive), 840x630" in facts
    assert "60 fps" in facts
    assert len(frames) == result.frames == 240
    with Image.open(tmp_path / "game.png") as picture:
        true, seen = np.array(picture).astype(int), frames[-1].astype(int)
    assert true[300, 400].tolist() == [144, 72, 17]  # the brown of Pong
    assert abs(true - seen).mean() < 2
    flat = [(300, 400), (85, 400), (610, 400), (30, 220)]  # field, upper wall, lower wall, a digit
    assert max(abs(true[at] - seen[at]).max() for at in flat) <= 4
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_gif_has_every_second_frame_at_half_the_size(player, tmp_path):
    result = film(player, tmp_path / "game.gif", overlay=True, seconds=1.0)
    assert (result.whole, result.frames, result.episode_length) == (False, 60, 15)
    with Image.open(tmp_path / "game.gif") as image:
        assert image.size == (640, 315)
        assert image.n_frames <= 30
        durations = []
        for index in range(image.n_frames):
            image.seek(index)
            durations.append(image.info["duration"])
    assert sum(durations) == 1000


def test_screens_are_stretched_to_a_television_without_new_colours():
    screen = np.random.default_rng(0).integers(0, 256, (210, 160, 3), np.uint8)
    picture = television(screen, 630)
    assert picture.shape == (630, 840, 3)
    assert (picture[::3] == picture[1::3]).all()  # each line three times
    assert (picture[1::3, 2::21] == screen[:, ::4]).all()  # four columns are 21 wide
    assert television(np.zeros((250, 160, 3), np.uint8), 210).shape == (210, 280, 3)


@pytest.mark.parametrize("count", [2, 6, 18])
@pytest.mark.parametrize(("explored", "colour"), [(False, GREEDY), (True, RANDOM)])
def test_the_panel_marks_the_action_and_shows_the_planes(count, explored, colour):
    draw = np.random.default_rng(0)
    planes = draw.integers(0, 256, (4, 84, 84), np.uint8)
    q = np.linspace(-1, 1, count).astype(np.float32)
    panel = Panel("Pong", "", tuple(f"action {index}" for index in range(count)), 1 / 15)
    picture = panel.draw(AgentView(75, planes, q, count - 1, explored), 3.0)
    assert picture.shape == (630, PANEL_WIDTH, 3)
    assert (picture[172:256, 24:108, 0] == planes[0]).all()  # pixel for pixel
    assert (picture[172:256, PANEL_WIDTH - 108 : PANEL_WIDTH - 24, 0] == planes[3]).all()
    marked = (picture == colour).all(axis=2)[300:].sum(axis=1)
    bar = np.flatnonzero(marked > 150)  # a full bar is 206 wide
    line = min(40, (612 - 300) / count)
    assert (count - 1) * line <= bar.min()
    assert bar.max() < count * line
    assert (picture[-8:, 24:-24] == BACKGROUND).all()  # nothing runs over the end


def test_small_differences_between_actions_can_be_seen():
    panel = Panel("", "", ("a", "b", "c"), 1 / 15)

    def bars(values):
        decision = AgentView(0, np.zeros((4, 84, 84), np.uint8), np.array(values, np.float32), 0, False)
        picture = panel.draw(decision, 0.0)[:, 158 : PANEL_WIDTH - 84]
        lines = [picture[300 + 40 * action : 340 + 40 * action] for action in range(3)]
        return [int(((line == GREEDY) | (line == OTHER)).all(axis=2).sum(axis=1).max()) for line in lines]

    assert bars([5.02, 5.01, 5.0]) == pytest.approx([198, 99, 2], abs=3)  # full, half, the line that is always there
    # a large difference, 1.0, is forgotten by and by: 0.9 of it are left after a step, 0.00003 after 100
    bars([6.0, 5.5, 5.0])
    assert bars([5.02, 5.01, 5.0]) == pytest.approx([198, 196, 194], abs=3)
    for _ in range(100):
        last = bars([5.02, 5.01, 5.0])
    assert last == pytest.approx([198, 99, 2], abs=3)


def test_actions_are_spelled_in_words():
    words = {"noop": "noop", "fire": "fire", "rightfire": "right + fire", "downleft": "down-left", "torque": "torque"}
    assert {name: spelled(name) for name in words} == words
    assert spelled("uprightfire") == "up-right + fire"


def test_the_panel_shows_the_returns_that_a_distributional_network_expects():
    panel = Panel("", "", ("a", "b"), 1 / 15)
    planes, q = np.zeros((4, 84, 84), np.uint8), np.array([1.0, 2.0], np.float32)
    returns = (np.array([-1.0, 0.0, 3.0]), np.array([0.25, 0.25, 0.5]))
    picture = panel.draw(AgentView(0, planes, q, 1, False, returns), 0.0)
    columns = (picture[DISTRIBUTION_TOP:] == EXPECTED).all(axis=2).sum(axis=0)
    left, middle, right = columns[24:40].max(), columns[120:130].max(), columns[-40:-24].max()
    # the likeliest is as high as there is room, the others half of that; in between there is a line of one pixel
    assert right == columns.max() > 60
    assert left == pytest.approx(right / 2, abs=2)
    assert columns[200:300].max() <= 2
    assert middle == pytest.approx(left, abs=2)
    plain = panel.draw(AgentView(0, planes, q, 1, False), 0.0)
    assert not (plain == EXPECTED).all(axis=2).any()


def test_equal_chances_are_columns_of_equal_height():
    panel, planes, q = Panel("", "", ("a", "b"), 1 / 15), np.zeros((4, 84, 84), np.uint8), np.zeros(2, np.float32)
    returns = np.linspace(-10, 10, 51, dtype=np.float32), np.full(51, 1 / 51, np.float32)
    picture = panel.draw(AgentView(0, planes, q, 1, False, returns), 0.0)
    heights = (picture[DISTRIBUTION_TOP:] == EXPECTED).all(axis=2).sum(axis=0)
    assert len(set(heights[heights > 0])) == 1
    edges = np.flatnonzero(np.diff((heights > 0).astype(int)) == 1)
    assert len(edges) == 51


@pytest.mark.parametrize("preset", ["c51", "qr_dqn", "iqn", "rainbow", "noisy", "dueling", "quick"])
def test_a_member_of_the_family_can_be_filmed_with_what_it_expects(preset, tmp_path):
    config = PRESETS[preset]("pong").replace(device="cpu", compile="off", precision="fp32")
    run = make_run(tmp_path / "run", config.replace(torch_threads=1, env_threads=1, hidden_sizes=(16,)))
    player = load_player(run, which="last", device="cpu")
    few = dataclasses.replace(SHORT, max_episode_steps=8)
    video.film_episode(player, few, outs=[tmp_path / "film.png"], number=1, seed=4, overlay=True, seconds=1)
    picture = np.array(Image.open(tmp_path / "film.png"))
    distributional = config.extensions.distribution != "none" or config.extensions.categorical_bins
    assert (picture == EXPECTED).all(axis=2).any() == bool(distributional)
    assert (picture == GREEDY).all(axis=2).any() or (picture == RANDOM).all(axis=2).any()


def test_a_film_that_fails_leaves_what_stood_there(tmp_path):
    (tmp_path / "game.mp4").write_bytes(b"the film before")
    with pytest.raises(KeyError), filming([tmp_path / "game.mp4", tmp_path / "game.gif"], 60) as films:
        for each in films:
            each.add(np.zeros((64, 64, 3), np.uint8))
        raise KeyError
    assert (tmp_path / "game.mp4").read_bytes() == b"the film before"
    assert [path.name for path in tmp_path.iterdir()] == ["game.mp4"]


def test_why_ffmpeg_gave_up_is_told(tmp_path):
    (tmp_path / "game.mp4").mkdir()
    mp4 = Mp4(tmp_path / "game.mp4", 60)
    with pytest.raises(video.UsageError, match=r"game\.mp4: ffmpeg says .*"):
        for _ in range(1000):
            mp4.add(np.zeros((64, 64, 3), np.uint8))
    mp4.close()  # told once


def test_a_camera_that_sees_another_game_is_noticed(player, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "episode_seed", lambda root, number: 99)
    result = main(["video", "nowhere"])
    assert result == 2
    with pytest.raises(video.UsageError, match="the camera saw another episode"):
        film(player, tmp_path / "game.png")
    assert list(tmp_path.iterdir()) == []


# --- the command


def test_the_command_films_into_the_run_folder(pong, capsys):
    words = ["video", str(pong), "--overlay", "--gif", "--seconds", "0.5", "--episode", "2", "--json"]
    assert main(words) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert "pong, episode 2 of protocol nature with seed 0\nscore " in said.err
    assert "agent steps, not played out\n" in said.err
    assert result["files"] == [str(pong / "videos" / f"nature_last_game2{end}") for end in (".mp4", ".gif")]
    facts, frames = read_video(result["files"][0])
    assert frames.shape == (32, 630, 1280, 3)  # whole steps: 8 of 4 frames
    assert "60 fps" in facts


WRONG = [
    ("--episode 30", "protocol nature has 30 episodes; they count from 0"),
    ("--episode -1", "episode is -1; it must be at least 0"),
    ("--seconds 0", "seconds is 0.0"),
    ("--seconds nan", "seconds is nan"),
    ("--out x.avi", "x.avi must end in .mp4 or .gif or .png"),
    ("--out config.json/x.gif", "cannot write"),
    ("--checkpoint best", "has not been evaluated"),
    ("--protocol best", "best"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[words for words, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(words, message, pong, capsys, monkeypatch):
    monkeypatch.chdir(pong)
    assert message in refused(capsys, "video", ".", *words.split())


def test_a_run_of_the_plain_wrappers_is_filmed(tmp_path):
    run = make_run(tmp_path / "run", nature().replace(backend="reference", device="cpu", compile="off"))
    assert main(["video", str(run), "--seconds", "0.1", "--out", str(tmp_path / "game.gif")]) == 0
    assert (tmp_path / "game.gif").stat().st_size > 0


def test_a_missing_extra_is_named(tmp_path, monkeypatch, pong, capsys):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(video.UsageError, match=r"pip install 'atari-dqn\[video\]'"):
        Mp4(tmp_path / "game.mp4", 60)
    assert main(["video", str(pong), "--seconds", "0.1", "--out", str(tmp_path / "game.gif")]) == 0


def test_a_full_disk_ends_in_one_message_though_the_clean_up_fails_too(tmp_path, monkeypatch):
    def full(film, *arguments):
        film.file.close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writers.GifFilm, "add", full)
    monkeypatch.setattr(writers.GifFilm, "close", full)
    picture = np.zeros((4, 4, 3), np.uint8)
    with (
        pytest.raises(UsageError, match=r"cannot write .*film\.gif \(No space left on device\)"),
        writers.filming([tmp_path / "film.gif"], 60) as (film,),
    ):
        film.add(picture)
    assert list(tmp_path.iterdir()) == []
