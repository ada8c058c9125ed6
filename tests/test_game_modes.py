"""Modes and difficulties of Atari games: both backends that have them play them, the others refuse."""

import json

import numpy as np
import pytest

from atari_dqn import presets
from atari_dqn.cli import main
from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import nature as nature_protocol
from atari_dqn.published.scores import game_label, published
from atari_dqn.report.read_runs import read_run


def freeway(**settings):
    return presets.nature("freeway").replace(**{"num_envs": 1, "noop_max": 0, "env_threads": 1} | settings)


def screens(backend, steps=12, **settings):
    envs = make_envs(freeway(backend=backend, **settings))
    found = [envs.reset(np.array([3])).frame[0]]
    for _ in range(steps):
        envs.send(np.array([1]))
        found.append(envs.recv().frame[0])
    envs.close()
    return np.stack(found)


def test_a_mode_is_another_game_and_both_backends_play_the_same():
    """The cars of Freeway drive otherwise in each mode. The opening is not compared, see workers.py."""
    plain, mode = screens("reference"), screens("reference", game_mode=3, difficulty=1)
    assert (plain != mode).any()
    theirs = screens("workers", game_mode=3, difficulty=1)
    assert (np.abs(theirs[1:].astype(int) - mode[1:]) <= 1).all()
    assert (screens("reference", game_mode=0) == plain).all()  # which is its own


@pytest.mark.parametrize("backend", ["reference", "workers"])
def test_what_a_cartridge_does_not_have_is_refused(backend):
    with pytest.raises(UsageError, match=r"game_mode is 9, but freeway has 0, 1, 2, 3, 4, 5, 6, 7; none is its own"):
        make_envs(freeway(backend=backend, game_mode=9))
    with pytest.raises(UsageError, match="difficulty is 4, but freeway has 0, 1"):
        make_envs(freeway(backend=backend, difficulty=4))


def test_the_native_environment_has_no_modes(capsys):
    for flags in ("--game-mode 1", "--difficulty 1"):
        assert main(["train", "pong", "--preset", "quick", *flags.split()]) == 2
        assert "backend 'native' plays each game's own only: use --backend workers" in capsys.readouterr().err


def test_evaluations_play_the_mode_of_the_run():
    config = freeway(backend="workers", game_mode=2, film_seconds=10)
    assert nature_protocol().env_config(config, 2).env.backend == "reference"
    assert nature_protocol().env_config(config.replace(game_mode=None), 2).env.backend == "native"


def test_no_published_score_is_set_beside_another_mode(tmp_path, capsys):
    assert game_label("pong") == "pong" and published("pong") is not None
    assert game_label("pong", mode=1, difficulty=2) == "pong_mode1_difficulty2"
    words = "--preset quick --backend reference --num-envs 2 --total-steps 60 --learning-starts 30 --capacity 100"
    words += " --reset-steps --batch-size 4 --hidden-sizes 8 --eval-period 0 --game-mode 1 --update-period 20"
    words += " --precision fp32 --compile off --torch-threads 1 --run-dir"
    assert main(["train", "pong", *words.split(), str(tmp_path / "run")]) == 0
    assert "paper, " not in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run"), "--episodes", "1", "--max-episode-steps", "20", "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert (result["game"], result["human_normalized"]) == ("pong_mode1", None)
    assert "paper, " not in said.err
    assert read_run(tmp_path / "run", []).game == "pong_mode1"
    film = ["video", str(tmp_path / "run"), "--seconds", "0.5", "--out", str(tmp_path / "film.gif")]
    assert main(film) == 0
    assert "pong_mode1, episode 0 of protocol nature with seed 0" in capsys.readouterr().out
