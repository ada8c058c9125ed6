"""Who waits for an evaluation sees from the first moment on how far it is; threads are chosen for playing."""

import dataclasses
import re

import numpy as np
import pytest
import torch

from atari_dqn.cli import main
from atari_dqn.evaluation.play import EvalStep
from atari_dqn.evaluation.protocols import EvalProtocol
from atari_dqn.presets import cartpole
from atari_dqn.runs import games_bar
from atari_dqn.runs.evaluate import load_player
from atari_dqn.suite.jobs import Job, Settings, next_stage
from tests.fakes import make_run, make_step

PROTOCOL = EvalProtocol("test", 3, None, 100, epsilon=0.0, noop_max=0, sticky_probability=0.0)


def moment(*, terminated=(False, False), started=(False, False)):
    step = make_step(np.zeros((2, 4)), terminated=terminated, started=started)
    return EvalStep(np.arange(2), np.zeros(2, np.int64), np.zeros(2, bool), step)


def test_lines_tell_games_and_steps(monkeypatch, capsys):
    monkeypatch.setattr(games_bar, "PLAIN_PERIOD_SECONDS", 0.0)
    with games_bar.shown(PROTOCOL) as watch:
        assert capsys.readouterr().err == "playing: 0 of 3 episodes\n"
        watch(moment())
        watch(moment(terminated=(True, False), started=(False, True)))  # the second only opens a game
        watch(moment(terminated=(True, True)))
        watch(moment(terminated=(True, True)))  # games beyond the last one do not count
    assert capsys.readouterr().err.splitlines() == [
        "playing: 0 of 3 episodes, 2 agent steps",
        "playing: 1 of 3 episodes, 3 agent steps",
        "playing: 3 of 3 episodes, 5 agent steps",
        "playing: 3 of 3 episodes, 7 agent steps",
    ]


def test_a_protocol_of_steps_counts_those(monkeypatch, capsys):
    monkeypatch.setattr(games_bar, "PLAIN_PERIOD_SECONDS", 0.0)
    with games_bar.shown(dataclasses.replace(PROTOCOL, episodes=None, steps=1_000)) as watch:
        watch(moment())
    assert capsys.readouterr().err.splitlines()[-1] == "playing: 2 of 1,000 agent steps"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with games_bar.shown(PROTOCOL) as watch:
        watch(moment(terminated=(True, False)))
    assert "1/3 episodes" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)


@pytest.fixture
def run(tmp_path):
    """Of a machine with more threads than any."""
    return make_run(tmp_path / "run", cartpole().replace(torch_threads=64, env_threads=64))


def test_an_evaluation_says_how_far_it_is_and_takes_threads(run, capsys):
    before = torch.get_num_threads()
    try:
        assert main(["evaluate", str(run), "--episodes", "2", "--torch-threads", "2", "--env-threads", "3"]) == 0
        error = capsys.readouterr().err
        assert "threads: 2 for the network, 3 for the games" in error
        assert "playing: 0 of 2 episodes" in error
        assert main(["evaluate", "cartpole", "--policy", "random", "--episodes", "2", "--env-threads", "1"]) == 0
        assert "playing: 0 of 2 episodes" in capsys.readouterr().err
        assert main(["evaluate", str(run), "--torch-threads", "-1"]) == 2
        assert "torch_threads is -1" in capsys.readouterr().err
    finally:
        torch.set_num_threads(before)


def test_threads_for_playing_are_not_those_of_the_run(run):
    player = load_player(run, which="last", device="cpu")
    assert player.config.machine.torch_threads == 1
    assert player.config.machine.env_threads < 64


def test_a_suite_shares_the_cores_among_evaluations_too(tmp_path):
    (tmp_path / "DONE").write_text('{"steps": 100000, "episodes": 1, "best_eval_step": null}')
    words = next_stage(Job(cartpole(), tmp_path), Settings(threads=3)).words
    assert words[words.index("--env-threads") + 1] == "3"
