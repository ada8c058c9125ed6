"""One record of an evaluation for training, command, suite and report."""

import dataclasses
import json

import pytest

from atari_dqn.evaluation.play import result_of
from atari_dqn.evaluation.protocols import monitor
from atari_dqn.evaluation.result import EvaluationResult, edge_told, score_told
from atari_dqn.presets import nature
from atari_dqn.report.read_runs import training_pair
from atari_dqn.runs.evaluate import evaluation_lines
from atari_dqn.runs.summary import humans_of
from atari_dqn.types import EpisodeScore

RESULT = EvaluationResult(
    "pong",
    "nature",
    "nature",
    episodes=2,
    mean=9.3,
    std=1.0,
    min=8.3,
    max=10.3,
    mean_length=900.5,
    epsilon=0.05,
    scores=(8.3, 10.3),
    seed=3,
    checkpoint="FOLDER/checkpoints/step_0000000400",
    step=400,
    preset="quick",
    run_seed=1,
)


def test_it_comes_back_from_json():
    text = json.dumps(RESULT.to_dict())
    assert EvaluationResult.from_dict(json.loads(text)) == RESULT
    assert json.loads(text)["human_normalized"] == 1.0  # the human of 5 minutes has 9.3


@pytest.mark.parametrize(
    ("steps", "skip", "pair"),
    [(4_500, 4, "nature"), (27_000, 4, "zoo"), (2_571, 7, "nature"), (300, 4, "none"), (30_000, 4, "none")],
)
def test_games_cut_like_no_humans_games_have_no_human(steps, skip, pair):
    config = nature("pong").replace(max_episode_steps=steps, frame_skip=skip)
    result = result_of(config, monitor(config), [EpisodeScore(0, 0, -3.0, steps)])
    assert result.human_pair == training_pair(config.flat()) == pair
    assert (result.human_normalized is None) == (pair == "none")
    assert EvaluationResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result
    *_, told = evaluation_lines(result)
    assert told.startswith("human-normalised: ") and len(told) <= 80
    assert (
        ("none, the time limit is not" in told)
        == humans_of(config)["human_normalized"].startswith("none")
        == (pair == "none")
    )


@pytest.mark.parametrize(
    ("changes", "pair"),
    [
        ({"human_pair": "zoo"}, "none"),  # of 5 minutes it is not, or it would have that human
        ({"human_pair": "zoo", "max_episode_steps": 27_000}, "zoo"),
        ({"human_pair": "zoo", "protocol": "sticky"}, "zoo"),  # as likely its own 30 minutes
        ({"human_pair": "zoo", "game": "pong_mode1"}, "zoo"),  # there is no human anyway
        ({}, "nature"),
    ],
)
def test_a_cut_game_of_an_older_version_has_no_human(changes, pair):
    old = {name: value for name, value in RESULT.to_dict().items() if name != "max_episode_steps"} | changes
    assert EvaluationResult.from_dict(old).human_pair == pair


def test_a_game_without_a_published_human_says_nothing_of_one():
    config = nature("pong").replace(max_episode_steps=300, game_mode=1, backend="reference")
    result = result_of(config, monitor(config), [EpisodeScore(0, 0, -3.0, 300)])
    assert (result.human_pair, humans_of(config)) == ("zoo", {})
    assert "human" not in " ".join(evaluation_lines(result))


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.0, "0.0"), (1234.56, "1,234.6"), (-20.7, "-20.7"), (0.1, "0.1"), (0.0456, "0.046"), (-0.001, "-0.0010"),
     (1e-9, "0.0")],
)  # fmt: skip
def test_a_small_score_is_not_told_as_none(value, told):
    assert score_told(value) == told
    assert edge_told(value) == (told if value % 1 else "0")


def test_what_an_older_version_left_out_is_unknown():
    table = {name: RESULT.to_dict()[name] for name in ("game", "protocol", "human_pair", "episodes", "mean", "std")}
    old = EvaluationResult.from_dict(table)
    assert (old.mean, old.step, old.scores, old.policy) == (9.3, None, (), "network")


WRONG = {
    "game": [None, "", 3],
    "protocol": [None, ["nature"]],
    "human_pair": ["moon", None, []],
    "episodes": [0, -1, 2.5, True, "2", 10**400],
    "mean": [None, float("nan"), float("inf"), "9.3", 10**400, True],
    "std": [-0.1, float("nan")],
    "min": ["low"],
    "scores": [3.0, "abc", [1.0, "x"], [float("nan")], {}],
    "step": [-1, 1.5, [4]],
    "policy": [None],
    "checkpoint": [7],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_field_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*, not"):
        EvaluationResult.from_dict(RESULT.to_dict() | {name: value})


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(RESULT)][:6])
def test_a_missing_field_is_named(name):
    table = RESULT.to_dict()
    del table[name]
    with pytest.raises(ValueError, match=f"lacks {name}"):
        EvaluationResult.from_dict(table)
