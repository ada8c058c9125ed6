"""Play without a network, and what an evaluation leaves in files."""

import csv
import json

import pytest

from atari_dqn.cli import main
from atari_dqn.commands.evaluate import Evaluate, why_no_folder
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.runs.evaluate import Selection, evaluate_policy
from atari_dqn.runs.results import check_writable, read_result, write_evaluation
from atari_dqn.types import EpisodeScore
from tests.command_line import refused

RESULT = EvaluationResult("pong", "nature", "nature", episodes=2, mean=0.75, std=1.75, scores=(2.5, -1.0))


def test_random_cartpole_lasts_about_22_steps():
    # the mean of random play is 22.2 with a standard deviation of 11.7 over games: four standard errors of 100 games
    result = evaluate_policy("cartpole", "random", Selection(episodes=100)).result
    assert abs(result.mean - 22.2) < 4 * 11.7 / 10
    assert (result.protocol, result.epsilon, result.step, result.human_normalized) == ("greedy", 1.0, None, None)


def test_nothing_pressed_in_breakout_is_five_minutes_without_a_point():
    played = evaluate_policy("breakout", "noop", Selection("nature", episodes=1))
    (game,) = played.episodes
    assert (game.episode_return, game.episode_length) == (0.0, 4_500)
    assert played.name == "nature_noop"
    # (0 - 1.7) / (31.8 - 1.7)
    assert played.result.human_normalized == pytest.approx(-0.0565, abs=1e-4)
    assert played.result.human_pair == "nature"


def test_random_at_10_hz_acts_every_six_frames_in_games_of_five_minutes():
    slow = evaluate_policy("freeway", "random-10hz", Selection("nature", episodes=1))
    fast = evaluate_policy("freeway", "random", Selection("nature", episodes=1))
    # a game of freeway lasts 2 minutes and 16 seconds, whatever is done: 8,160 frames, some of them no-ops at the start
    assert 8_000 <= slow.episodes[0].episode_length * 6 <= 8_200
    assert 8_000 <= fast.episodes[0].episode_length * 4 <= 8_200
    assert slow.result.human_pair == "nature"


@pytest.mark.parametrize("policy", ["noop", "random-10hz"])
def test_policies_of_atari_do_not_fit_vectors(policy):
    with pytest.raises(UsageError, match="is for Atari"):
        evaluate_policy("cartpole", policy, Selection())


def test_files_hold_one_row_a_game(tmp_path):
    games = [EpisodeScore(0, 11, 2.5, 30), EpisodeScore(1, 12, -1.0, 40)]
    write_evaluation(tmp_path / "evaluations", "nature_last", RESULT, games)
    with (tmp_path / "evaluations" / "nature_last.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"number": "1", "seed": "12", "episode_return": "-1.0", "episode_length": "40"}
    assert read_result(tmp_path, "nature_last") == RESULT
    assert read_result(tmp_path, "nature_best") is None
    (tmp_path / "evaluations" / "nature_last.json").write_text("{")
    assert read_result(tmp_path, "nature_last") is None


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (Evaluate("pong", policy="noop", max_episode_steps=9), "policy noop has no run folder"),
        (Evaluate("pretrained:pong", max_episode_steps=9), "pretrained:pong is a network without a run folder"),
        (Evaluate("a_run", max_episode_steps=9), "with --max-episode-steps they are not those of the protocol"),
        (Evaluate("a_run", episodes=3, max_episode_steps=9), "with --episodes and --max-episode-steps they are not "),
        (Evaluate("a_run"), ""),
    ],
)
def test_it_is_said_why_episodes_are_in_no_file(command, why):
    told = why_no_folder(command) or ""
    assert told.startswith(why) and bool(told) == bool(why)


def test_a_place_that_cannot_be_written_is_known_before_play(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--no-write"):
        check_writable(tmp_path / "file" / "evaluations")
    check_writable(tmp_path / "new" / "evaluations")
    assert not (tmp_path / "new").exists()
    with pytest.raises(UsageError, match="cannot write evaluations"):
        write_evaluation(tmp_path / "file", "nature_last", RESULT, [])


def test_the_doors(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["evaluate", "cartpole", "--policy", "random", "--episodes", "5"]
    assert main([*words, "--out", "kept"]) == 0
    with open("kept/greedy_random.csv") as file:
        row = list(csv.DictReader(file))[3]
    assert json.loads((tmp_path / "kept/greedy_random.json").read_text())["policy"] == "random"
    capsys.readouterr()
    # game 3 played again alone is the game of row 3
    assert main([*words[:-2], "--only-episode", "3", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["scores"] == [float(row["episode_return"])]
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


WRONG = [
    ("evaluate pongg --policy random", "did you mean pong"),
    ("evaluate . --policy random", "give a game such as pong"),
    ("evaluate pong --policy best", "random-10hz"),
    ("evaluate cartpole --policy noop", "is for Atari"),
    ("evaluate cartpole --policy random --protocol nature", "use greedy"),
    ("evaluate pong --policy random --only-episode -1", "only_episode is -1"),
    ("evaluate pong --policy random --only-episode 1 --episodes 2", "exclude each other"),
    ("evaluate pong --policy random --out afile/x", "cannot write evaluations"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "afile").write_text("")
    assert message in " ".join(refused(capsys, *line.split()).split())
