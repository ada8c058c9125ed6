"""Studies: intervals by hand, the files they leave, and what they refuse."""

import csv
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

from atari_dqn.cli import main
from atari_dqn.commands.cartpole_study import compare_on_cartpole
from atari_dqn.errors import UsageError
from atari_dqn.host import cores
from atari_dqn.presets import cartpole
from atari_dqn.published.scores import published_ablation
from atari_dqn.suite import jobs, study
from tests.command_line import refused
from tests.suite_runs import in_this_process


def test_a_row_by_hand():
    row = study.reached("x", np.array([[10.0, 40.0, 20.0], [0.0, 10.0, 10.0]]))
    means = row.last.value, row.best.value, row.all.value
    assert means == (15.0, 25.0, 15.0)  # (20+10)/2, (40+10)/2, (70/3 + 20/3)/2
    assert (row.last.low, row.last.high) == (10.0, 20.0)  # with two seeds: the two of them


def test_the_table_for_people_fits_a_terminal_and_one_seed_has_no_interval():
    two = study.reached("replay and target", np.array([[100.04, 450.0], [99.9, 500.0]]))
    one = study.reached("polynomial 2", np.array([[9.4, 9.4]]))
    _, several, single = study.in_columns([two, one])
    assert re.split("  +", several) == ["replay and target", "2", "475 [450, 500]", "475 [450, 500]", "288 [275, 300]"]
    assert re.split("  +", single) == ["polynomial 2", "1", "9.4", "9.4", "9.4"]
    assert len(several) <= 80


def write_evaluations(folder, rows):
    folder.mkdir(parents=True)
    (folder / "evals.csv").write_text("step,mean\n" + "".join(f"{step},{mean}\n" for step, mean in rows))


def test_runs_evaluated_at_other_steps_are_not_mixed(tmp_path):
    write_evaluations(tmp_path / "a", [(10, 1.0), (20, 2.0)])
    write_evaluations(tmp_path / "b", [(10, 3.0)])
    assert study.read_curve([tmp_path / "a"]).returns.tolist() == [[1.0, 2.0]]
    by_games = study.read_curve([tmp_path / "a"], eval_period_episodes=50)
    assert by_games.when.tolist() == [50, 100]
    assert study.best_evaluations([tmp_path / "a", tmp_path / "b", tmp_path / "not yet"]) == [2.0, 3.0]
    with pytest.raises(UsageError, match="different steps"):
        study.read_curve([tmp_path / "a", tmp_path / "b"])


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    """A whole ablation on CartPole, as short as it can be."""
    out = tmp_path_factory.mktemp("study") / "out"
    words = ["ablation", "--out", str(out), "--steps", "2000", "--seeds", "3", "--jobs", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "start_process", in_this_process)
        assert main(words) == 0
    return out, words


def test_an_ablation_leaves_its_table_curves_and_plot(ablation, capsys):
    out, words = ablation
    variants = ["replay and target", "replay only", "target only", "neither"]
    table, points = (
        list(csv.DictReader((out / name).read_text().splitlines())) for name in ("table.csv", "curves.csv")
    )
    assert [row["variant"] for row in table] == variants
    assert [(row["variant"], row["seed"]) for row in points[::10]] == [(name, "3") for name in variants]
    assert [int(row["step"]) for row in points[:10]] == list(range(200, 2_001, 200))
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert 5_000 < (out / "curves.png").stat().st_size < 150_000
    # the four differ: each flag reaches the learner
    assert len({(out / f"runs/{name.replace(' ', '_')}/seed3/evals.csv").read_text() for name in variants}) == 4
    # again: nothing is trained, the same table
    before = (out / "table.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*/DONE")}
    assert len(times) == 4
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert (out / "table.csv").read_bytes() == before
    assert "replay and target  1" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["2001", "2_400"])
def test_another_study_in_the_same_folder_is_refused(word, ablation, capsys):
    """Also a longer one: its runs would be other runs than those that are made in one go."""
    _, words = ablation
    assert main([word if before == "2000" else before for before in words]) == 2
    assert re.search(r"holds another run \(total_steps 2000, not 2\d+", capsys.readouterr().err)


def test_flags_that_cannot_work_are_refused_before_a_run_begins(tmp_path):
    with pytest.raises(UsageError, match="gamma is 7.0; it must lie in"):
        compare_on_cartpole("x", {"bad": ["--gamma", "7"]}, seeds=(0,), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Ended:
    """A process that has ended, with this exit code."""

    def __init__(self, code):
        self.code = code

    def poll(self):
        return self.code


@pytest.fixture
def two_runs(tmp_path):
    variant = study.Variant(cartpole("cartpole"), (("--gamma", "0.99"),))
    return study.Study("x", {"one": variant}, (0, 1), tmp_path / "out")


def test_the_runs_are_jobs_of_the_suite_and_one_that_fails_is_told_in_its_own_words(two_runs, monkeypatch):
    started = []

    def start(words, folder, environment):
        folder.mkdir(parents=True)
        (folder / jobs.LOG).write_text("atari-dqn: no space left\n")
        started.append(words)
        return Ended(jobs.BAD_INPUT)

    monkeypatch.setattr(jobs, "start_process", start)
    with pytest.raises(UsageError, match=r"one, seed 0: train: exit code 2; atari-dqn: no space left \(log:"):
        study.train_all(two_runs, jobs=2)
    folders = [str(two_runs.run_dir("one", seed)) for seed in (0, 1)]
    flags = ["--gamma", "0.99", "--env-threads", str(max(1, cores() // 2))]
    assert started == [
        ["train", "cartpole", "--preset", "cartpole", "--seed", str(seed), "--run-dir", folder, *flags]
        for seed, folder in enumerate(folders)
    ]


def test_a_study_that_is_stopped_says_how_to_go_on(two_runs, monkeypatch, caplog):
    monkeypatch.setattr(study.local, "run", lambda *_, **__: 15)
    assert study.run_study(two_runs, jobs=1) == 143
    assert caplog.messages == ["stopped; the same command goes on where it was"]
    assert not (two_runs.out / "table.csv").exists()


def test_on_atari_the_suite_is_named_and_the_paper_stands_beside(tmp_path, capsys):
    folder = tmp_path / "replay_only" / "breakout" / "nature" / "seed0"
    write_evaluations(folder, [(250_000, 3.0), (500_000, 8.0), (750_000, 5.0)])
    assert main(["ablation", "--games", "breakout", "pong", "--seeds", "0", "1", "--out", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == (
        f"atari-dqn suite --games breakout pong --seeds 0 1 --preset nature --runs-dir {tmp_path}/neither "
        "--total-steps 10000000 --no-replay --no-target"
    )
    table = [line.split("  ") for line in lines[-8:]]
    cells = [[cell.strip() for cell in row if cell] for row in table]
    assert cells[0] == ["breakout", "replay and target", "not measured yet", "316.8"]
    assert cells[1] == ["breakout", "replay only", "8.0 (1)", "240.7"]
    assert cells[-1] == ["pong", "neither", "not measured yet", "none"]
    assert max(map(len, lines[4:])) <= 80


def test_a_command_that_a_terminal_has_no_room_for_can_be_copied(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    words = ["ablation", "--games", "breakout", "--out", f"{tmp_path}/out of here", "--seeds", *map(str, range(20))]
    assert main(words) == 0
    first = capsys.readouterr().out.split("\natari-dqn ")[0]
    assert all(len(line) <= 60 or len(shlex.split(line.rstrip("\\"))) == 1 for line in first.splitlines())
    runs_dir, seeds = f"{tmp_path}/out of here/replay_and_target", list(map(str, range(20)))
    assert shlex.split(first.replace("\\\n", "")) == [
        *("atari-dqn", "suite", "--games", "breakout", "--seeds", *seeds, "--preset", "nature", "--runs-dir", runs_dir),
        *("--total-steps", "10000000"),
    ]


def test_the_papers_ablation():
    assert published_ablation("riverraid")["target only"] == 2867.7
    assert published_ablation("pong") is None


WRONG = [
    ("ablation", "--out"),
    ("ablation --out x --games cartpole breakout", "name cartpole alone"),
    ("ablation --out x --steps 1999", "at least 2,000"),
    ("ablation --out x --jobs -1", "jobs is -1"),
    ("ablation --out x --seeds 1 1", "different numbers"),
    ("ablation --out afile", "is a file"),
    ("compare-approximators --out x --steps 10", "at least 2,000"),
    ("compare-approximators --out x --seeds -1", ">= 0"),
    ("compare-approximators", "--out"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("afile").write_text("")
    assert message in refused(capsys, *line.split())
    assert not Path("x").exists()


def test_without_matplotlib_the_extra_is_named_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["compare-approximators", "--out", str(tmp_path / "x")]) == 2
    assert "pip install 'atari-dqn[plot]'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
