"""Games that are watched as they are played: in a window, in a browser, by a network or by a person."""

import itertools
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing

import cv2
import numpy as np
import pytest

from atari_dqn.cli import main
from atari_dqn.commands import play
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, nature
from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps, step_directory
from atari_dqn.video import browser, by_hand, window
from atari_dqn.video.browser import Page
from atari_dqn.video.camera import AtariCamera
from atari_dqn.video.window import Window
from tests.command_line import refused
from tests.fakes import make_run

pygame = pytest.importorskip("pygame", reason="the 'play' extra is not installed")
PICTURE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


@pytest.fixture(autouse=True)
def no_display_and_no_waiting(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(pygame.time, "Clock", lambda: type("Clock", (), {"tick": lambda self, fps: None})())
    yield
    pygame.display.quit()


def press(*keys, down=True):
    for key in keys:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN if down else pygame.KEYUP, key=pygame.key.key_code(key)))


def test_a_window_shows_the_very_picture_and_hears_its_keys():
    with closing(Window("pong", 60)) as shown:
        shown.add(PICTURE)
        on_screen = pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)
        assert (on_screen == PICTURE).all()
        assert pygame.display.get_caption()[0] == "pong"
        press("left", "space")
        shown.add(PICTURE)
        assert shown.held() == {"left", "fire"}
        press("left", down=False)
        press("n")
        shown.add(PICTURE)
        assert shown.held() == {"fire"}
        assert (shown.next_episode(), shown.next_episode(), shown.closed) == (True, False, False)
        press("escape")
        shown.add(PICTURE)
        assert shown.closed


def test_a_paused_window_waits():
    with closing(Window("pong", 60)) as shown:
        ticks = itertools.count()

        class Clock:
            def tick(self, fps):
                if next(ticks) == 5:
                    press("p")

        press("p")
        shown.clock = Clock()
        shown.add(PICTURE)
        assert next(ticks) == 6


def test_where_there_is_no_display_a_window_says_so(monkeypatch, capsys):
    monkeypatch.delenv("SDL_VIDEODRIVER")
    monkeypatch.setattr(window, "has_display", lambda: False)
    with pytest.raises(UsageError, match="there is no display here for a window"):
        Window("pong", 60)
    monkeypatch.setattr(window, "has_display", lambda: True)
    monkeypatch.setattr(pygame.display, "get_driver", lambda: "offscreen")
    monkeypatch.setenv("DISPLAY", ":77")
    with pytest.raises(UsageError, match="no window can be opened on the display ':77'"):
        Window("pong", 60)
    assert main(["play", "pong"]) == 2
    assert "no window can be opened" in capsys.readouterr().err


SHOWN = """
import numpy as np
from PIL import ImageGrab
from atari_dqn.video.window import Window
window, picture = Window("pong", 60), np.random.default_rng(0).integers(0, 256, (200, 280, 3), np.uint8)
for _ in range(30):
    window.add(picture)
screen = np.asarray(ImageGrab.grab(xdisplay=None).convert("RGB"))
print(max((screen[y : y + 200, x : x + 280] == picture).mean() for y in range(41) for x in range(41)))
"""


def test_the_window_is_seen_on_a_display():
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        pytest.skip("Xvfb, a display without a screen, is not installed")
    with subprocess.Popen([xvfb, "-displayfd", "1", "-screen", "0", "320x240x24"], stdout=subprocess.PIPE) as server:
        try:
            display = f":{int(server.stdout.readline())}"
            here = {
                name: value for name, value in os.environ.items() if name not in ("SDL_VIDEODRIVER", "WAYLAND_DISPLAY")
            }
            code = [sys.executable, "-c", SHOWN]
            done = subprocess.run(code, env=here | {"DISPLAY": display}, capture_output=True, text=True, timeout=120)
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.0\n"  # somewhere on the display each pixel is the picture's


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = nature("pong").replace(device="cpu", compile="off", max_episode_steps=30)
    return make_run(tmp_path_factory.mktemp("pong") / "run", config)


class Looker:
    """A window that is closed after some games, and that remembers the titles of what it is shown."""

    def __init__(self, title, fps):
        self.closed, self.pictures = False, 0

    def add(self, picture):
        assert picture.shape[0] == 630
        self.pictures += 1

    def next_episode(self):
        return self.pictures % 40 == 0 and self.pictures > 0

    def close(self):
        self.closed = True


def test_each_game_is_played_by_the_newest_checkpoint(run, monkeypatch, capsys):
    monkeypatch.setattr(window, "Window", Looker)
    steps, first = iter(range(3)), list_steps(run / "checkpoints")[-1]
    add = Looker.add

    def trains_on(looker, picture):
        """After the first game a newer checkpoint is there."""
        add(looker, picture)
        if looker.pictures == 40 and next(steps) == 0:
            state, meta = checkpoint.load(first)
            later = meta["step"] + 5
            checkpoint.save(step_directory(run / "checkpoints", later), state, meta | {"step": later})

    monkeypatch.setattr(Looker, "add", trains_on)
    assert main(["watch", str(run), "--episodes", "2", "--episode", "3"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("episode ")]
    before = int(first.name.removeprefix("step_"))
    assert [line.partition(": ")[0] for line in told] == [
        f"episode 3, network of step {before:,}", f"episode 4, network of step {before + 5:,}",
    ]  # fmt: skip
    assert all(" steps, not played out" in line and len(line) < 80 for line in told)


def test_cartpole_is_watched_to_its_end(tmp_path, capsys):
    folder = make_run(tmp_path / "run", cartpole())
    assert main(["watch", str(folder), "--episodes", "2"]) == 0
    assert "episode 1, network of step 700: score " in capsys.readouterr().err


def read_pictures(stream):
    """The pictures of a stream of PNGs, one after the other."""
    assert stream.readline().strip() == b"--picture"
    while True:
        assert stream.readline() == b"Content-Type: image/png\r\n"
        length = int(stream.readline().removeprefix(b"Content-Length: "))
        assert stream.readline() == b"\r\n"
        png = np.frombuffer(stream.read(length), np.uint8)
        assert (stream.readline(), stream.readline()) == (b"\r\n", b"--picture\r\n")
        yield cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_a_page_shows_each_colour_as_it_is(monkeypatch):
    monkeypatch.setattr(browser.time, "sleep", lambda seconds: None)
    with closing(Page("pong, <run>", 60)) as page:
        assert page.address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(page.address, timeout=10) as answer:
            text = answer.read().decode()
        assert "pong, &lt;run&gt;" in text and 'src="/pictures"' in text
        assert "<p hidden>This has ended" in text and "{{" not in text, "its script shows that nothing comes any more"
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(f"{page.address}etc/passwd", timeout=10)
        refused.value.close()
        with urllib.request.urlopen(f"{page.address}pictures", timeout=10) as stream:
            pictures, other = read_pictures(stream), 255 - PICTURE
            for first, second in ((PICTURE, PICTURE), (PICTURE, other), (other, other)):
                page.add(first)
                page.add(second)  # two frames become the brighter pixels
                assert (next(pictures) == np.maximum(first, second)).all()
        with pytest.raises(UsageError, match=r"port \d+ cannot be served .*; choose another --port"):
            Page("", 60, urllib.parse.urlsplit(page.address).port)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(page.address, timeout=10)


def test_a_page_keeps_the_pace_of_its_game(monkeypatch):
    slept, clock = [], iter([0.0, 0.001, 0.002, 5.0, 5.001])
    monkeypatch.setattr(browser.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(browser.time, "sleep", slept.append)
    with closing(Page("", 50)) as page:
        for _ in range(4):
            page.add(PICTURE)
    # due at 0.02 and 0.04; then 5 s were lost: the next two are due at 4.98 and 5.0, and no more are hurried
    assert slept == pytest.approx([0.019, 0.038, 0.0, 0.0], abs=1e-6)


def test_without_a_display_it_is_shown_in_a_browser(run, monkeypatch, capsys):
    monkeypatch.setattr("atari_dqn.commands.watch.has_display", lambda: False)
    monkeypatch.setattr(browser.time, "sleep", lambda seconds: None)
    assert main(["watch", str(run), "--episodes", "1", "--protocol", "monitor"]) == 0
    assert "no display here, so in a browser: http://127.0.0.1:" in capsys.readouterr().err


WRONG = [
    ("watch {run} --episodes -1", "episodes is -1; it must be at least 0"),
    ("watch {run} --port 70000", "port is 70000; it must lie in [0, 65,535]"),
    ("watch nowhere", "nowhere holds no run"),
    ("watch pretrained:pang", "did you mean pretrained:pong?"),
    ("play cartpole", "cartpole is no game of Atari"),
    ("play pongg", "did you mean pong"),
    ("play pong --seed -3", "seed is -3"),
    ("play pong --sticky-probability 2", "sticky_probability is 2.0"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[words for words, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(words, message, run, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *words.format(run=run).split())


# --- a person plays


@pytest.mark.parametrize(
    ("held", "name"),
    [
        ("", "noop"),
        ("right up fire", "uprightfire"),
        ("left right", "noop"),
        ("up down left", "left"),
        ("fire", "fire"),
    ],
)
def test_keys_become_actions_of_the_emulator(held, name):
    assert by_hand.action_held(held.split()) == name


def test_every_action_of_the_emulator_can_be_pressed():
    parts = ("up", "down", "left", "right", "fire")
    pressed = {by_hand.action_held(held) for count in range(6) for held in itertools.combinations(parts, count)}
    config = nature("pong").replace(frame_skip=1, action_set="full")
    with closing(AtariCamera(config)) as camera:
        assert pressed == set(camera.action_names)


@pytest.mark.parametrize(
    ("game", "told"),
    [
        ("pong", ["", "the game knows: left, right, fire"]),
        ("freeway", ["", "the game knows: up, down"]),
        ("boxing", []),
    ],
)
def test_a_person_is_told_which_keys_do_something(game, told):
    assert play._used(game) == told


class Person:
    """A window before which somebody holds some keys for some frames."""

    def __init__(self, *held):
        self.keys, self.shown, self.closed = list(held), [], False

    def held(self):
        return frozenset(self.keys[len(self.shown)].split()) if len(self.shown) < len(self.keys) else frozenset()

    def add(self, picture):
        self.shown.append(picture)
        self.closed = len(self.shown) == len(self.keys)

    def next_episode(self):
        return False


class OneSecondGames:
    """A camera of games that are over after 60 frames, with a point for each of them that is played with fire."""

    action_names = ("noop", "fire")

    def __init__(self):
        self.opened = []

    def open(self, seed):
        self.opened.append(seed)
        self.left = 60
        return PICTURE

    def play(self, action):
        self.left -= 1
        return [by_hand_shot(PICTURE, float(action), self.left == 0)]

    def picture(self, screen, height):
        return np.zeros((height, 840, 3), np.uint8)


def by_hand_shot(*fields):
    from atari_dqn.video.camera import Shot

    return Shot(*fields)


def test_a_person_plays_game_after_game():
    # fire is still held as the first game ends: only when it is pressed anew, after a second, the next one opens
    person = Person(*["fire"] * 40, *[""] * 10, *["fire"] * 90, *[""] * 5, *["fire"] * 30)
    camera, told = OneSecondGames(), []
    ended = by_hand.play_games(camera, person, by_hand.ScoreBoard("Pong", []), seed=7, told=told.append)
    assert (ended, told) == (1, ["game 1: score 50 after 0:01"])
    assert camera.opened == [7, 8]
    assert {picture.shape for picture in person.shown} == {(630, 1280, 3)}


def test_the_score_is_what_the_emulator_counts(capsys, monkeypatch):
    """Somebody who does nothing in Pong loses every point."""
    monkeypatch.setattr(Window, "add", lambda self, picture: None)
    monkeypatch.setattr(by_hand.ScoreBoard, "beside", lambda *_, **__: None)
    monkeypatch.setattr(AtariCamera, "picture", lambda *_: None)
    monkeypatch.setattr(Window, "held", lambda self: frozenset())
    monkeypatch.setattr(by_hand, "show_end", lambda shown, picture: shown.close())
    assert main(["play", "Pong"]) == 0
    assert capsys.readouterr().out.startswith("game 1: score -21 after ")
