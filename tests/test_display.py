"""What a run shows while it comes along: a bar on a terminal of 80 columns, plain lines elsewhere."""

import dataclasses
import logging
import os
import re
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from atari_dqn.cli import main
from atari_dqn.evaluation.play import EvalStep
from atari_dqn.evaluation.protocols import EvalProtocol, monitor
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.presets import cartpole, nature
from atari_dqn.published.scores import nature_49, published
from atari_dqn.runs.display import Display
from atari_dqn.runs.evaluate import evaluation_lines
from atari_dqn.runs.safety import Watchdog
from atari_dqn.runs.summary import RunSummary, first_lines, next_commands, summary_lines
from atari_dqn.runs.terminal import WHOLE, messages_shown, redraws
from atari_dqn.runs.train import _play
from tests.fakes import make_step, make_trainer, tiny_config

CONFIG = nature().replace(
    device="cpu", num_envs=4, total_steps=600_000, learning_starts=10_000, eval_period=0, log_period=2_000
)


def fake_trainer(step, *, updates=0, pending=0):
    learner = SimpleNamespace(updates=updates, reset=SimpleNamespace(pending_updates=pending))
    counters = {"step": step, "learning_starts_at": 10_000, "learns": step >= 10_000, "episodes": 3}
    evaluations = SimpleNamespace(evaluated_at=0, best_score=-15.0, best_step=10)
    scores = {"metrics": SimpleNamespace(recent_return=-19.0), "evaluations": evaluations}
    return SimpleNamespace(config=CONFIG, learner=learner, **counters, **scores)


@pytest.fixture
def clock(monkeypatch):
    """Seconds of `time.monotonic`, in a list of one."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_messages_break_at_words_of_a_terminal_and_what_may_be_copied_does_not(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    path, log = "/home/somebody" + "/a_folder" * 8, logging.getLogger("atari_dqn.runs.machine")
    with messages_shown():
        log.info("optimizer: compiled in 12 s, the next run takes it from a cache; --compile decides")
        log.warning(f"the newest checkpoint is kept in {path}")
        log.info(f"watch:  tensorboard --logdir {path}", extra=WHOLE)
    assert capsys.readouterr().err.splitlines() == [
        "optimizer: compiled in 12 s, the next run takes it from a cache; --compile",
        "decides",
        "warning: the newest checkpoint is kept in",
        path,
        f"watch:  tensorboard --logdir {path}",
    ]


def test_the_command_that_watches_a_run_stays_one_line_on_a_terminal(monkeypatch):
    folder = Path("/" + "a_folder/" * 9 + "run")
    with pseudo_terminal(monkeypatch) as text, messages_shown(), Display() as display:
        display.doing("opening the run folder")
        _play(make_trainer(tiny_config(total_steps=100)), SimpleNamespace(path=folder), display, Watchdog())
    assert f"watch:  tensorboard --logdir {folder}" in text[0]


def test_plain_lines_come_at_log_points_half_a_minute_apart(clock, capsys):
    with messages_shown(), Display() as display:
        display.doing("starting 4 games of pong")
        display.begin(CONFIG, updates=0)
        for _ in range(100):  # 1,000 steps a second: a log point every other second
            display.tick(fake_trainer(100_000 + 1_000 * int(clock[0] - 100), updates=1))
            clock[0] += 1.0
        display.tick(fake_trainer(600_000, updates=1), last=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "starting 4 games of pong ...",
        "17 %, 102,000/600,000 steps, 8:18 min left, 1,000 steps/s, return -19.0, best -15.0",
    ]
    assert [line.split("/")[0] for line in lines[2:]] == [
        "22 %, 132,000", "27 %, 162,000", "32 %, 192,000", "100 %, 600,000",
    ]  # fmt: skip


def test_a_minute_without_a_log_point_is_not_silent(clock, capsys):
    with Display() as display:
        display.begin(CONFIG, updates=0)
        for _ in range(200):  # 5 steps a second: 400 s from one log point to the next
            display.tick(fake_trainer(100_001 + 5 * int(clock[0] - 100), updates=1))
            clock[0] += 1.0
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("/")[0] for line in lines] == ["16 %, 100,301", "16 %, 100,601", "16 %, 100,901"]


def test_an_evaluation_stops_the_clock_and_tells_its_games(clock, capsys):
    protocol = EvalProtocol("test", 3, None, 100, epsilon=0.0, noop_max=0, sticky_probability=0.0)
    step = make_step(np.zeros((2, 4)), terminated=(True, False))
    with Display() as display:
        display.begin(CONFIG, updates=0)
        for second in (0, 1, 2):
            display.tick(fake_trainer(1_000 * second, updates=1))
            clock[0] += 1.0
        with display.evaluation(protocol) as watch:
            clock[0] += 50.0
            watch(EvalStep(np.arange(2), np.zeros(2, np.int64), np.zeros(2, bool), step))
            display.tick(fake_trainer(2_000, updates=1), last=True)
        display.tick(fake_trainer(3_000, updates=1), last=True)
    lines = capsys.readouterr().err.splitlines()
    assert "evaluating: 1 / 3 episodes" in lines[-2]
    assert "1,000 steps/s" in lines[-1]


def test_an_evaluation_that_has_ended_is_not_shown_while_it_is_filmed(clock, monkeypatch):
    shown = []
    with Display() as display:
        display.begin(CONFIG, updates=0)
        monkeypatch.setattr(display._screen, "show", lambda step, total, told, last: shown.append("  ".join(told)))
        with display.evaluation(EvalProtocol("test", 3, None, 100, 0.0, 0, 0.0)) as watch:
            watch(EvalStep(np.arange(2), np.zeros(2, np.int64), np.zeros(2, bool), make_step(np.zeros((2, 4)))))
            display.tick(fake_trainer(2_000, updates=1))
    assert ["evaluating" in line for line in shown] == [True, False]


def test_the_short_evaluation_of_step_0_foretells_no_other(clock):
    usual = monitor(CONFIG)
    with Display() as display:
        display.begin(CONFIG, updates=0)
        for protocol, known in ((dataclasses.replace(usual, episodes=4, steps=None), None), (usual, 50.0)):
            with display.evaluation(protocol):
                clock[0] += 50.0
            assert display.pace.evaluation_seconds == known


def test_an_evaluation_of_so_many_steps_plays_its_last_game_to_the_end(clock, capsys):
    protocol = EvalProtocol("test", None, 3, 100, epsilon=0.0, noop_max=0, sticky_probability=0.0)
    moment = EvalStep(np.arange(2), np.zeros(2, np.int64), np.zeros(2, bool), make_step(np.zeros((2, 4))))
    with Display() as display, display.evaluation(protocol) as watch:
        display.begin(CONFIG, updates=0)
        for _ in range(2):
            watch(moment)
            display.tick(fake_trainer(2_000, updates=1), last=True)
    before, after = capsys.readouterr().err.splitlines()
    assert "evaluating: 2 / 3 agent steps" in before
    assert "evaluating: 4 steps, to the episode's end" in after


def test_a_network_drawn_anew_is_told(clock, capsys):
    with Display() as display:
        display.update_seconds = 0.1
        display.begin(CONFIG, updates=0)
        display.tick(fake_trainer(110_000, updates=9, pending=4_000), last=True)
    assert "a new network: 4,000 updates to go" in capsys.readouterr().err


@contextmanager
def pseudo_terminal(monkeypatch):
    """A pseudo-terminal of 80 columns instead of stderr; yields a list that holds its text after it is closed."""
    termios, pty = pytest.importorskip("termios"), pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    pieces = []

    def read():
        with suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4_096):
                pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    text = []
    with monkeypatch.context() as patch, os.fdopen(theirs, "w") as stderr:
        patch.setattr(sys, "stderr", stderr)
        yield text
    reader.join()
    os.close(ours)
    text.append(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(pieces).decode()))


def test_on_a_terminal_a_line_of_80_columns_changes_every_second(monkeypatch, clock):
    with pseudo_terminal(monkeypatch) as text, Display() as display:
        display.doing("compiling the update")
        display.message("threads: [1] for the network")  # words in brackets are words
        display.begin(CONFIG, updates=0)
        for second in range(5):
            display.tick(fake_trainer(60_000 + 100 * second, updates=1))
            clock[0] += 1.0
        display.tick(fake_trainer(72_000, updates=1))
        clock[0] += 30.0  # a checkpoint is written
        display.tick(fake_trainer(72_000, updates=1), last=True)
        print("one line of somebody else", file=sys.stderr)
    (shown,) = text
    assert "compiling the update" in shown
    assert "threads: [1] for the network" in shown
    assert "one line of somebody else" in shown
    bars = [line for line in re.split(r"[\r\n]+", shown) if line.startswith(" 12 %")]
    assert bars[-1].startswith(" 12 %  72,000/600,000  3:40 min left  2,400 steps/s  return -19.0  best -15.0 ━")
    assert len(bars[-1]) == 80


def test_the_first_and_the_last_words_of_a_run(tmp_path):
    folder = tmp_path / "my runs" / "pong" / "nature" / "seed0"
    lines = first_lines(folder, CONFIG.replace(env_threads=1), 0, 0.04)
    # 600,000 steps of 0.3 ms on one core and 147,500 updates of 40 ms: 6,080 s
    assert lines[0] == "nature on pong, 600,000 steps (2,400,000 frames), about 1:41 h here"
    assert lines[1:] == [f"folder: {folder}", f"watch:  tensorboard --logdir '{tmp_path / 'my runs'}'"]
    assert f"        atari-dqn video '{folder}'" in next_commands(folder, cartpole())
    trusted = next_commands(folder, cartpole().replace(env_kwargs='{"sutton_barto_reward": true}'))
    assert trusted[1] == f"next:   atari-dqn evaluate '{folder}' --allow-import"
    assert next_commands(folder, CONFIG)[1:] == [
        f"next:   atari-dqn evaluate '{folder}'",
        f"        atari-dqn video '{folder}'",
        f"        atari-dqn report '{tmp_path / 'my runs'}'",
    ]
    summary = RunSummary(
        "pong", "nature", 0, steps=600_000, updates=147_500, episodes=300, since_step=0, seconds=4_800.0,
        frames_per_second=500.0, recent_mean_return=18.0, last_eval=19.0, best_eval=20.0, best_eval_step=400_000,
    )  # fmt: skip
    assert summary_lines(summary, 4)[:2] == [
        "done: 600,000 steps (2.4 M frames), 147,500 updates, 300 episodes",
        "time: 1:20 h, 125 steps/s",
    ]


@pytest.mark.parametrize("game", nature_49())
def test_results_in_words_fit_80_columns(game):
    score = published(game).dqn_nature
    summary = RunSummary(
        game, "nature", 0, steps=50_000_000, updates=12_487_500, episodes=100_000, since_step=40_000_000,
        seconds=300_000.0, frames_per_second=2_000.0, recent_mean_return=score / 2, last_eval=score, best_eval=score,
        best_eval_step=50_000_000,
    )  # fmt: skip
    result = EvaluationResult(game, "sticky", "zoo", 100, score, score / 3, scores=(0.0, 2 * score), step=50_000_000)
    lines = summary_lines(summary, 4) + evaluation_lines(result)
    assert len(lines) == 8
    assert max(map(len, lines)) <= 80, max(lines, key=len)


def test_a_long_message_is_broken_between_words_on_a_terminal_alone(monkeypatch, capsys):
    words = ["train", "pong", "--preset", "zzz"]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) > 80
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(words) == 2
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join(lines) == line


def test_a_terminal_that_cannot_draw_anew_gets_lines(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert redraws()
    monkeypatch.setenv("TERM", "dumb")
    assert not redraws()


def test_games_alone_take_the_place_of_what_was_shown(monkeypatch):
    protocol = EvalProtocol("test", 3, None, 100, epsilon=0.0, noop_max=0, sticky_probability=0.0)
    step = make_step(np.zeros((2, 4)), terminated=(True, False))
    with pseudo_terminal(monkeypatch) as text, Display() as display:
        display.doing("loading torch")
        with display.episodes(protocol) as watch:
            watch(EvalStep(np.arange(2), np.zeros(2, np.int64), np.zeros(2, bool), step))
    assert "loading torch" in text[0]
    assert "1/3 episodes" in text[0].rpartition("loading torch")[2]
