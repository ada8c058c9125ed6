"""The report's numbers: run folders with known scores, tables worked out by hand; damage is told, never thrown."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atari_dqn.errors import UsageError
from atari_dqn.published.curves import (
    PublishedCurve,
    PublishedPoint,
    curve_beside,
    published_curve,
    series_of,
    verdicts,
)
from atari_dqn.published.scores import human_normalized, published
from atari_dqn.report import write_report
from atari_dqn.report.chapters import speed
from atari_dqn.report.contents import gather
from atari_dqn.report.game_chapters import curves
from atari_dqn.report.missing import MAY_DIFFER
from atari_dqn.report.read_runs import read_runs
from atari_dqn.report.tables import Group
from atari_dqn.runs.refusals import MAY_CHANGE_ON_RESUME
from tests.command_line import exit_code, refused
from tests.run_folders import evaluation, write_run

CASES = int(os.environ.get("ATARI_DQN_FUZZ_CASES", "25"))  # more for a long run
NATURE_BEST = Group("nature", "nature", "best", "nature")
NATURE_LAST = Group("nature", "nature", "last", "nature")


def report_of(*roots):
    return gather([(None, roots)])


def rows_of(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_report_leaves_torch_out():
    code = "import sys, atari_dqn.report, atari_dqn.commands.report; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# --- one game, by hand


def test_a_cell_by_hand(tmp_path):
    write_run(tmp_path, scores={("nature", "best"): [9.3, 9.3], ("nature", "last"): [-20.7]})
    write_run(tmp_path, seed=1, scores={("nature", "best"): [-20.7, -20.7, -20.7, -20.7, -20.7, -20.7]})
    cells = report_of(tmp_path).cells
    assert list(cells) == [NATURE_BEST, NATURE_LAST]
    best = cells[NATURE_BEST]["pong"]
    # Pong: random -20.7, human 9.3. One seed is the human, one plays at random: seeds count the same, 0.5 and -5.7
    assert best.mean == pytest.approx(-5.7)
    assert best.normalized == pytest.approx((1.0, 0.0))
    assert best.human == pytest.approx(0.5)
    assert (best.seeds, best.episodes) == (2, 8)
    # all eight episodes: two at 9.3, six at -20.7; np.std does the sum
    assert best.std == pytest.approx(np.std([9.3] * 2 + [-20.7] * 6))
    # of the seeds, divided by n - 1: sqrt(2 * 15^2)
    assert best.seed_std == pytest.approx(15 * 2**0.5)
    last = cells[NATURE_LAST]["pong"]
    assert (last.mean, last.seeds, last.seed_std) == (-20.7, 1, None)


def test_protocols_checkpoints_and_humans_are_never_mixed(tmp_path):
    scores = {("nature", "best"): [9.3], ("nature", "last"): [9.3], ("sticky", "last"): [14.6]}
    write_run(tmp_path, scores=scores)
    contents = report_of(tmp_path)
    assert list(contents.cells) == [NATURE_BEST, NATURE_LAST, Group("nature", "sticky", "last", "zoo")]
    # each is exactly its own human: 9.3 after 5 minutes, 14.6 after 30
    assert all(table["pong"].human == pytest.approx(1.0) for table in contents.cells.values())
    ours = [row for row in contents.aggregates if row.runs is not None]
    assert [(row.group, row.games) for row in ours] == [(group, 1) for group in contents.cells]


def test_aggregates_and_their_published_column(tmp_path):
    # normalised 1.0 and 0.0 in Pong, 0.5 and 0.5 in Freeway (random 0, human 29.6)
    write_run(tmp_path, "pong", seed=0, scores={("nature", "best"): [9.3]})
    write_run(tmp_path, "pong", seed=1, scores={("nature", "best"): [-20.7]})
    for seed in (0, 1):
        write_run(tmp_path, "freeway", seed=seed, scores={("nature", "best"): [14.8]})
    ours, paper = report_of(tmp_path).aggregates
    assert (ours.games, ours.runs, ours.single) == (2, 4, 0)
    values = {name: estimate.value for name, estimate in ours.estimates.items()}
    # gaps 0 1 0.5 0.5
    assert values == pytest.approx({"iqm": 0.5, "median": 0.5, "mean": 0.5, "optimality_gap": 0.5})
    # Pong's mean is resampled to 0, 0.5 or 1, Freeway's stays
    assert ours.estimates["mean"][1:] == pytest.approx((0.25, 0.75))
    # the paper on the same games: (18.9 + 20.7) / 30 = 1.32 and 30.3 / 29.6
    assert paper.label.startswith("Mnih")
    assert paper.runs is None
    assert paper.estimates["mean"].value == pytest.approx((1.32 + 30.3 / 29.6) / 2)


def test_published_columns_stand_beside_their_own_protocol(tmp_path):
    write_run(tmp_path, scores={("sticky", "last"): [10.0]})
    write_run(tmp_path, "freeway", evals=[(250_000, 10.0, 1.0, 5)])
    rows = [(row.label.split(",")[0], row.group.protocol) for row in report_of(tmp_path).aggregates]
    # the monitored run has a best and a last evaluation
    assert rows == [
        ("nature", "sticky"),
        ("Dopamine", "sticky"),
        ("nature", "monitor"),
        ("nature", "monitor"),
        ("nnabla-rl", "monitor"),
    ]


def test_one_against_the_other_by_hand(tmp_path):
    for seed, score in enumerate([1.0, 3.0]):
        write_run(tmp_path / "a", seed=seed, scores={("nature", "last"): [score]})
    for seed, score in enumerate([0.0, 1.0]):
        write_run(tmp_path / "b", preset="quick", seed=seed, scores={("nature", "last"): [score]})
    write_run(tmp_path / "b", "freeway", preset="quick", scores={("nature", "last"): [30.0]})  # on one side only
    contents = gather([("ours", [tmp_path / "a"]), ("theirs", [tmp_path / "b"])])
    (found,) = contents.improvements
    assert (found.left.series, found.right.series, found.games) == ("ours", "theirs", ("pong",))
    # 1 > 0, 1 = 1, 3 > 0, 3 > 1
    assert found.probability.value == pytest.approx(3.5 / 4)


def test_two_presets_in_one_folder_are_two_columns(tmp_path):
    write_run(tmp_path, scores={("nature", "last"): [1.0]})
    write_run(tmp_path, preset="quick", scores={("nature", "last"): [0.0]})
    assert [one.name for one in report_of(tmp_path).series] == ["nature", "quick"]
    named = gather([("mine", [tmp_path])])
    assert [one.name for one in named.series] == ["mine: nature", "mine: quick"]
    assert len(named.improvements) == 1


# --- learning curves


def test_a_curve_by_hand(tmp_path):
    for seed in range(3):
        evals = [(250_000, -20.0, 1.0, 5), (500_000, -20.0 + 3 * seed, 1.0, 5)]
        write_run(tmp_path, seed=seed, evals=evals, returns=[(1000, -21.0)])
    (curve,) = report_of(tmp_path).curves["pong"]
    assert (curve.kind, curve.seeds) == ("evaluation", 3)
    assert curve.frames.tolist() == [1_000_000, 2_000_000]
    # -20, -17, -14; the bootstrap of three seeds reaches both ends
    assert curve.mean.tolist() == pytest.approx([-20.0, -17.0])
    assert curve.low.tolist() == pytest.approx([-20.0, -20.0])
    assert curve.high.tolist() == pytest.approx([-20.0, -14.0])
    assert "bootstrap" in curve.band


def test_two_seeds_span_their_band_and_the_shorter_one_ends_it(tmp_path):
    write_run(tmp_path, seed=0, returns=[(1000, 0.0), (2000, 2.0), (3000, 4.0)])
    write_run(tmp_path, seed=1, returns=[(1000, 1.0), (2000, 6.0)])
    (curve,) = report_of(tmp_path).curves["pong"]
    assert curve.kind == "training return"
    assert curve.frames.tolist() == [4000, 8000]
    assert (curve.low.tolist(), curve.mean.tolist(), curve.high.tolist()) == ([0, 2], [0.5, 4], [1, 6])
    assert curve.cut == 12_000


def test_seeds_with_other_log_points_are_joined_by_straight_lines(tmp_path):
    write_run(tmp_path, seed=0, returns=[(1000, 0.0), (3000, 2.0)])
    write_run(tmp_path, seed=1, returns=[(1000, 0.0), (2000, 0.0), (3000, 0.0)])
    (curve,) = report_of(tmp_path).curves["pong"]
    assert curve.mean.tolist() == [0.0, 0.5, 1.0]


def test_the_median_over_games_by_hand(tmp_path):
    # percent of the 30-minute human at the first point: 0 in three games, 50 and 100 in two; 100 in all at the second
    for share, game in zip((0.0, 0.0, 0.0, 0.5, 1.0), ("pong", "freeway", "boxing", "alien", "enduro"), strict=True):
        scores = published(game)
        raw = scores.random_zoo + share * (scores.human_zoo - scores.random_zoo)
        write_run(tmp_path, game, evals=[(250_000, raw, 1.0, 5), (500_000, scores.human_zoo, 1.0, 5)])
    (found,) = report_of(tmp_path).medians
    assert found.games == 5
    assert found.curve.frames.tolist() == [1_000_000, 2_000_000]
    assert found.curve.mean.tolist() == pytest.approx([0.0, 100.0], abs=1e-9)
    assert found.curve.band == "1 seed a game, no band"
    nnabla, zoo = found.published
    shares = [
        human_normalized(published_curve(game, "nnabla_rl").at(10_000_000), game, pair="zoo")
        for game in ("pong", "freeway", "boxing", "alien", "enduro")
    ]
    assert nnabla.at(10_000_000) == pytest.approx(100 * np.median(shares))
    assert zoo.at(200_000_000) == 42.7


def test_no_median_over_few_games_or_over_training_returns(tmp_path):
    for game in ("pong", "freeway", "boxing", "alien"):
        write_run(tmp_path, game, evals=[(250_000, 1.0, 1.0, 5), (500_000, 1.0, 1.0, 5)])
    write_run(tmp_path, "enduro", returns=[(250_000, 1.0), (500_000, 1.0)])
    assert report_of(tmp_path).medians == []


def test_published_points_are_those_of_the_table():
    curve = published_curve("pong", "nnabla_rl")
    grid = [*range(1, 21), *range(25, 51, 5), *range(60, 201, 10)]
    assert [point.frames for point in curve.points] == [millions * 1_000_000 for millions in grid]
    assert curve.at(10_000_000) == pytest.approx(7.2, abs=0.05)
    assert (curve.seeds, curve.metric, curve.at(3)) == (3, "evaluation", None)
    assert published_curve("cartpole", "nnabla_rl") is None
    assert published_curve("breakout", "nnabla_rl", "rainbow").at(2_000_000) == pytest.approx(17.3, abs=0.05)


def test_a_run_is_held_against_the_curve_of_its_own_settings():
    assert series_of("nnabla", "breakout").source == "nnabla_rl"
    assert series_of("rl_zoo", "pong").metric == "training"
    assert series_of("nature", "pong") is None, "nobody published the paper's settings game by game"
    assert series_of("rl_zoo", "alien") is None


def test_a_verdict_by_hand():
    points = tuple(PublishedPoint(millions * 1_000_000, 10.0, 8.0, 13.0) for millions in (1, 2, 3, 7))
    curve = PublishedCurve("nnabla_rl", points, seeds=3)
    # 1 M: 8 is its edge; 2 M: at most 2 % later; 3 M: too late; 7 M is no milestone
    ours = {1_000_000: 8.0, 2_000_128: 13.1, 2_050_000: 9.0, 3_100_000: 9.0, 7_000_000: 9.0}
    assert [(row.frames, row.ours, row.inside) for row in verdicts(ours, curve)] == [
        (1_000_000, 8.0, True),
        (2_000_000, 13.1, False),
    ]
    one_seed = PublishedCurve("rl_zoo", points, seeds=1)
    assert [row.inside for row in verdicts(ours, one_seed)] == [None, None]


def test_returns_of_a_million_frames_are_the_mean_of_its_games(tmp_path):
    # at 4 frames a step: two windows of the first million with 1 and 3 games, one game in the second, half a third
    windows = [(125_000, 1, 4.0), (250_000, 4, 8.0), (500_000, 5, 1.0), (625_000, 9, 50.0)]
    folder = write_run(tmp_path)
    lines = ({"step": step, "train/episodes": games, "train/window_return": mean} for step, games, mean in windows)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run,) = read_runs([tmp_path]).runs
    assert run.scores_like("training") == {1_000_000: 7.0, 2_000_000: 1.0}  # (4 + 3 * 8) / 4


def test_the_card_of_a_game_says_whether_a_run_is_inside_its_published_range(tmp_path):
    write_run(tmp_path, "breakout", preset="nnabla", evals=[(500_000, 3.0, 1.0, 5), (1_250_000, 50.0, 1.0, 5)])
    text = str(curves(report_of(tmp_path)))
    assert "2M: 3.0 (3.7, 1.3 to 5.6: inside)" in text
    assert "5M: 50.0 (30.1, 24.4 to 35.6: outside)" in text


def test_members_of_the_family_have_the_curves_of_their_recipe_beside_them(tmp_path):
    assert curve_beside("c51", "breakout").source == "nnabla_rl"
    for preset in ("c51", "qr_dqn", "iqn", "rainbow"):
        beside = curve_beside(preset, "beam_rider" if preset != "c51" else "pooyan")
        assert (beside.source, beside.recipe) == ("dopamine", preset), "Dopamine's where nnabla-rl has none"
        assert curve_beside(preset, "pong").source == "nnabla_rl"
    assert curve_beside("noisy", "pong") is None
    for preset in ("rainbow", "nature"):
        write_run(tmp_path, "breakout", preset=preset, evals=[(500_000, 9.0, 1.0, 5), (1_250_000, 9.0, 1.0, 5)])
    text = str(curves(report_of(tmp_path)))
    assert "nnabla-rl, rainbow" in text and 'class="published nnabla_rl member"' in text
    # beside the run of `nature` stands DQN, whatever was published of the other's recipe
    assert "nature: 9.0 at 5M frames (evaluation, one seed); nnabla-rl 30.1 at 5M" in text
    assert re.search(r"rainbow, seed 0, beside its published curve .*2M: 9\.0 \(17\.3, 12\.2 to 25\.5: outside\)", text)


# --- what is missing


def gaps_of(contents):
    return {gap.title: [f"{found.where}: {found.what}" for found in gap.found] for gap in contents.gaps}


def test_scores_fall_back_on_evaluations_in_training_and_say_so(tmp_path):
    write_run(tmp_path, evals=[(250_000, 5.0, 1.0, 4), (500_000, 14.6, 2.0, 5), (750_000, 3.0, 1.0, 6)])
    contents = report_of(tmp_path)
    best, last = (Group("nature", "monitor", which, "zoo") for which in ("best", "last"))
    assert contents.cells[best]["pong"].human == pytest.approx(1.0)
    assert contents.cells[last]["pong"].mean == 3.0
    assert contents.cells[last]["pong"].episodes == 6
    (said,) = gaps_of(contents)["Scores from training"]
    assert said.startswith("nature, pong, seed 0: atari-dqn evaluate")


def test_unfinished_and_unscored_runs_and_absent_games_are_named(tmp_path):
    write_run(tmp_path, steps=1000, finished=False, returns=[(250, -20.0), (500, -19.5)])
    gaps = gaps_of(report_of(tmp_path))
    assert gaps["Unfinished runs"] == ["nature, pong, seed 0: 500 of 1,000 (50%) agent steps seen"]
    assert gaps["Runs without a score"][0].endswith("last training return -19.5")
    assert gaps["Games without a run"][0].startswith("nature, 48 games: alien, amidar")


def test_a_score_of_an_earlier_network_is_told(tmp_path):
    folder = write_run(tmp_path, steps=1000, scores={("nature", "last"): [1.0]})
    (folder / "DONE").write_text('{"steps": 2000}')
    (said,) = gaps_of(report_of(tmp_path))["Scores of an earlier network"]
    assert said.endswith("evaluations/nature_last.json is of step 1,000, the run reached 2,000")


def test_fewer_seeds_and_other_settings_are_named(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, seed=seed, scores={("nature", "last"): [1.0]})
    write_run(tmp_path, "freeway", scores={("nature", "last"): [1.0]}, config={"gamma": 0.5})
    gaps = gaps_of(report_of(tmp_path))
    assert gaps["Fewer seeds than others"] == ["nature, nature, last: 1 instead of 2: freeway"]
    assert gaps["Settings that differ"] == ["nature, gamma: 0.5 and 0.99"]


def test_what_a_resume_may_change_but_for_the_length_is_no_difference(tmp_path):
    other = {"film_seconds": 0, "checkpoint_period": 7, "eval_num_envs": 3, "torch_threads": 5, "compile": "off"}
    write_run(tmp_path, scores={("nature", "last"): [1.0]})
    write_run(tmp_path, seed=1, scores={("nature", "last"): [1.0]}, config=other)
    assert "Settings that differ" not in gaps_of(report_of(tmp_path))
    assert set(other) < MAY_CHANGE_ON_RESUME  # what changes nothing in a run, changes nothing between two
    assert sorted(MAY_CHANGE_ON_RESUME - MAY_DIFFER) == ["total_episodes", "total_steps"]


def test_of_two_runs_with_the_same_seed_the_better_founded_counts(tmp_path):
    write_run(tmp_path / "first", returns=[(1000, 3.0), (2000, 3.0)])
    write_run(tmp_path / "second", scores={("nature", "last"): [1.0]})
    contents = report_of(tmp_path)
    assert [run.path.relative_to(tmp_path).parts[0] for run in contents.runs] == ["second"]
    (said,) = gaps_of(contents)["Runs and files left out"]
    assert "is another run of pong, nature, seed 0" in said


def test_a_folder_that_is_named_twice_counts_once(tmp_path):
    folder = write_run(tmp_path, scores={("nature", "last"): [1.0]})
    assert len(read_runs([tmp_path, folder]).runs) == 1


DAMAGE = {
    "cut off": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "no JSON": lambda text: "<html>",
    "a list": lambda text: "[1, 2]",
    "a number": lambda text: "3",
    "bytes": lambda text: "\x00\x01\x02" + text,
    "one long line": lambda text: "x" * 200_000 + "\n" + "x" * 200_000,
    "too deep": lambda text: "[" * 100_000,
    "nan": lambda text: text.replace("1.5", "NaN"),
    "other types": lambda text: text.replace('"pong"', '["pong"]').replace("1.5", '{"a": null}'),
}
FILES = ("config.json", "meta.json", "DONE", "metrics.jsonl", "evals.csv", "evaluations/nature_last.json")


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_any_file_is_told_and_never_thrown(damage, tmp_path):
    good = write_run(tmp_path / "good", "freeway", scores={("nature", "last"): [20.0]})
    for number, name in enumerate(FILES):
        evals, returns = [(250_000, 1.5, 1.5, 5)], [(1000, 1.5), (2000, 1.5)]
        scores = {("nature", "last"): [1.5]}
        folder = write_run(tmp_path / str(number), scores=scores, evals=evals, returns=returns)
        (folder / name).write_text(DAMAGE[damage]((folder / name).read_text()))
    contents = write_report([(None, [tmp_path])], tmp_path / "out", command=["x"])
    assert good in [run.path for run in contents.runs]
    assert "Runs and files left out" in gaps_of(contents)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    "config.json": ["game", "preset", "seed", "total_steps", "frame_skip", "max_episode_steps", "device", "backend"],
    "meta.json": ["started", "cpu", "gpu", "cores", "commit", "packages"],
    "DONE": ["steps"],
    "metrics.jsonl": ["step", "train/episode_return", "time/steps_per_second", "time/frames_per_second"],
    "evaluations/nature_last.json": ["game", "protocol", "episodes", "mean", "std", "human_pair", "step", "epsilon"],
}
PLACES = [(name, field) for name, fields in FIELDS.items() for field in fields]


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=4), cell=st.text(max_size=12))
def test_any_value_in_any_field_is_no_traceback(changes, cell, tmp_path_factory):
    root = tmp_path_factory.mktemp("any")
    write_run(root / "good", "freeway", scores={("nature", "last"): [20.0]}, returns=[(1000, 1.0), (2000, 2.0)])
    evals = [(250_000, cell, 1.0, 5), (500_000, 1.0, cell, 5), (750_000, 1.0, 1.0, 5)]
    folder = write_run(root, scores={("nature", "last"): [1.5]}, evals=evals, returns=[(1000, 1.5), (2000, 2.5)])
    for (name, field), value in changes:
        lines = (folder / name).read_text().splitlines() if name == "metrics.jsonl" else [(folder / name).read_text()]
        table = json.loads(lines[-1]) | {field: value}
        (folder / name).write_text("\n".join([*lines[:-1], json.dumps(table)]))
    contents = write_report([(None, [root])], root / "out", command=["x"])
    assert "freeway" in contents.games


def test_names_that_no_terminal_takes_are_made_printable(tmp_path, capsys):
    folder = write_run(tmp_path / "runs", scores={("nature", "last"): [1.0]})
    config = (folder / "config.json").read_text().replace('"preset": "nature"', '"preset": "\\ud800\\u001b[31mred"')
    (folder / "config.json").write_text(config)
    (folder / "meta.json").write_text('{"cpu": "\\udcff"}')
    assert exit_code("report", tmp_path / "runs", "--out", tmp_path / "out") == 0
    assert "??[31mred, nature protocol" in capsys.readouterr().out


def test_wrong_evaluations_are_left_out_by_name(tmp_path):
    folder = write_run(tmp_path, scores={("nature", "last"): [1.0]})
    other = evaluation("breakout", "nature", [3.0], step=1) | {"human_pair": "moon"}
    (folder / "evaluations" / "nature_best.json").write_text(json.dumps(other))
    (folder / "evaluations" / "notes.json").write_text("{}")
    contents = report_of(tmp_path)
    assert list(contents.cells) == [NATURE_LAST]
    said = " ".join(gaps_of(contents)["Runs and files left out"])
    assert "is of 'breakout', the run's game is 'pong'" in said
    assert "notes.json: is not named" in said


def test_vector_games_have_scores_but_no_human(tmp_path):
    write_run(
        tmp_path, "cartpole", preset="cartpole", scores={("greedy", "last"): [500.0]}, returns=[(10, 9.0), (20, 20.0)]
    )
    contents = write_report([(None, [tmp_path])], tmp_path / "out", command=["x"])
    (cell,) = [table["cartpole"] for table in contents.cells.values()]
    assert (cell.mean, cell.human) == (500.0, None)
    assert contents.aggregates == []
    assert contents.curves["cartpole"][0].frames.tolist() == [10, 20]  # no emulator: a frame is a step
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "greedy protocol, last network<" in page and "network, human of" not in page
    assert {anchor for anchor in re.findall(r'href="#(\w+)"', page) if f'id="{anchor}"' not in page} == set()
    assert "Nothing: all runs finished and evaluated." in page  # of the paper's games none was asked for
    (score,) = rows_of(tmp_path / "out" / "scores.csv")
    assert (score["human_normalized"], score["human_pair"]) == ("", "")


def test_games_cut_like_no_humans_games_stand_in_no_human_column(tmp_path):
    folder = write_run(
        tmp_path, config={"max_episode_steps": 300}, evals=[(250_000, 1.0, 1.0, 5), (500_000, 1.0, 1.0, 5)]
    )
    (group, _) = report_of(tmp_path).cells  # best and last of training
    assert (group.protocol, group.pair) == ("monitor", "none")
    cut = evaluation("pong", "nature", [3.0], step=1) | {"human_pair": "none"}
    (folder / "evaluations" / "nature_last.json").write_text(json.dumps(cut))
    contents = write_report([(None, [tmp_path])], tmp_path / "out", command=["x"])
    (cell,) = [table["pong"] for table in contents.cells.values()]
    assert (cell.mean, cell.human, contents.aggregates) == (3.0, None, [])
    (said,) = gaps_of(contents)["Scores without a human"]
    assert "nature, nature, last" in said and "the time limit is not the 5 or 30 minutes of humans: pong" in said
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "nature protocol, last network, no human of this time limit<" in page
    (score,) = rows_of(tmp_path / "out" / "scores.csv")
    assert (score["human_normalized"], score["human_pair"]) == ("", "")


def test_games_that_an_older_version_cut_stand_in_no_human_column(tmp_path):
    write_run(
        tmp_path, config={"max_episode_steps": 300}, scores={("monitor", "last"): [3.0], ("sticky", "last"): [3.0]}
    )
    assert {group.protocol: group.pair for group in report_of(tmp_path).cells} == {"monitor": "none", "sticky": "zoo"}


# --- speed


def test_speed_and_hours_by_hand(tmp_path):
    # 100 agent steps a second: 7,200 steps are 72 seconds; a second machine has rows of its own
    for seed, points in enumerate([[(3600, 1.0), (7200, 1.0)], [(3600, 1.0)]]):
        write_run(tmp_path, seed=seed, steps=points[-1][0], returns=points)
    write_run(tmp_path, seed=2, steps=1, meta={"gpu": "Example GPU"})
    one, two = report_of(tmp_path).machines
    assert (one.hardware, one.games, one.runs, one.steps) == ("Example CPU, 2 cores", ("pong",), 2, 10_800)
    assert one.frames_per_second == (400.0, 400.0, 400.0)
    assert one.hours == pytest.approx(108 / 3600)
    assert (two.hardware, two.frames_per_second, two.hours) == ("Example GPU; Example CPU, 2 cores", None, None)


def test_the_table_of_speeds_names_its_games(tmp_path):
    games = ("alien", "boxing", "breakout", "ms_pacman", "pong", "tennis")
    for game in games:
        write_run(tmp_path, game, returns=[(3600, 1.0)])
    text = str(speed(report_of(tmp_path)))
    assert 'title="Alien, Boxing, Breakout, Ms Pacman, Pong, Tennis"' in text
    assert ">Alien, Boxing, Breakout, Ms Pacman and 2 more</td>" in text


# --- files and the command line


def test_csv_files_hold_the_same_numbers(tmp_path):
    write_run(tmp_path / "runs", scores={("nature", "best"): [9.3, 9.3]}, returns=[(1000, 0.0)])
    assert exit_code("report", tmp_path / "runs", "--out", tmp_path / "out") == 0
    (score,) = rows_of(tmp_path / "out" / "scores.csv")
    assert (score["game"], score["protocol"], score["checkpoint"], score["human_pair"]) == (
        "pong",
        "nature",
        "best",
        "nature",
    )
    assert float(score["human_normalized"]) == pytest.approx(1.0)
    table = {row["game"]: row for row in rows_of(tmp_path / "out" / "table.csv")}
    assert len(table) == 49
    assert table["pong"]["dqn_nature"] == "18.9"
    assert float(table["pong"]["nature/nature/best/human_normalized_nature"]) == pytest.approx(1.0)
    assert table["alien"]["nature/nature/best/mean"] == ""
    aggregates = rows_of(tmp_path / "out" / "aggregates.csv")
    assert [row["metric"] for row in aggregates] == ["iqm", "median", "mean", "optimality_gap"] * 2
    assert (float(aggregates[0]["value"]), aggregates[0]["low"]) == (pytest.approx(1.0), "")


def test_the_command_lays_two_sets_side_by_side(tmp_path, capsys):
    write_run(tmp_path / "a", scores={("nature", "last"): [1.0]})
    write_run(tmp_path / "b", scores={("nature", "last"): [0.0]})
    words = ["report", tmp_path / "a", "--compare", tmp_path / "b", "--out", tmp_path / "out"]
    assert exit_code(*words) == 0
    assert "b, nature protocol, last network" in capsys.readouterr().out
    assert exit_code(*words, "--names", "old", "new") == 0
    assert "old, nature protocol, last network" in capsys.readouterr().out
    last = rows_of(tmp_path / "out" / "aggregates.csv")[-1]
    assert (last["label"], last["metric"], last["value"]) == ("old > new", "probability_of_improvement", "1.0")


WRONG = [
    ("report", "report needs RUNS"),
    ("report --out out", "report needs RUNS"),
    ("report nowhere --out out", "nowhere is no folder"),
    ("report empty --out out", "no run in empty"),
    ("report runs --out afile", "cannot write the report to afile"),
    ("report runs --out out --names a b", "names are a, b; give 1"),
    ("report runs --compare runs --out out --names a", "names are a; give 2"),
    ("report runs --compare runs --out out", "names are 'runs', 'runs'; they must differ"),
    ("report runs --compare runs --out out --names a a", "they must differ"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("afile").write_text("")
    Path("empty").mkdir()
    write_run("runs", scores={("nature", "last"): [1.0]})
    assert message in refused(capsys, *line.split()).replace("│", " ")
    assert not Path("out").exists()


def test_a_run_in_the_folder_of_the_others_does_not_hide_them(tmp_path):
    outer = write_run(tmp_path)
    inner = write_run(outer / "more", seed=1)
    (outer / "checkpoints").mkdir()
    (outer / "checkpoints" / "config.json").write_text("{}")
    records = read_runs([tmp_path])
    assert [run.path for run in records.runs] == [outer, inner]
    assert not any("checkpoints" in problem.where for problem in records.problems)


def test_a_link_in_the_folder_of_a_stranger_leads_the_report_nowhere(tmp_path, capsys, monkeypatch):
    run, outside = write_run(tmp_path, scores={("nature", "last"): [1.0]}), tmp_path / "outside"
    outside.mkdir()
    (run / "report").symlink_to(outside)
    with pytest.raises(UsageError, match=r"\(is a link\); choose another --out"):
        write_report([(None, [run])], run / "report", command=[])
    monkeypatch.setattr("atari_dqn.report.gather", lambda suites: pytest.fail("it read the runs first"))
    for words in (["report", str(run)], ["compare", "quick", "nature", "--games", "pong"]):
        told = refused(capsys, *words, "--out", str(run / "report"))
        assert f"cannot write the report to {run / 'report'} (is a link); choose another --out" in told
    assert list(outside.iterdir()) == []
