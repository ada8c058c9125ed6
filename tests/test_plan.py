"""What a suite needs: each job by its own settings, and what does not fit is called a problem."""

from collections import namedtuple

import pytest

from atari_dqn.cli import main
from atari_dqn.envs import spec_of
from atari_dqn.presets import cartpole, nature
from atari_dqn.suite import cost, plan
from atari_dqn.suite.cost import Rate

SMALL, LARGE = cartpole(), nature("pong")
Usage = namedtuple("Usage", "total used free")


def memory(config):
    return cost.memory_bytes(config, spec_of(config))


def test_jobs_that_cost_the_same_are_looked_at_once():
    configs = [LARGE, SMALL, nature("breakout"), LARGE.replace(seed=3), cartpole("gym:Acrobot-v1")]
    assert list(plan.kinds_of(configs).values()) == [[0, 2, 3], [1], [4]]


def test_the_largest_jobs_may_meet():
    assert plan.each([SMALL, LARGE], cost.memory_bytes) == [memory(SMALL), memory(LARGE)]
    assert plan.side_by_side([1, 30, 2, 20], slots=2) == 50
    assert plan.side_by_side([1], slots=4) == 1


def test_memory_is_not_judged_by_the_first_job(monkeypatch):
    monkeypatch.setattr(plan, "free_bytes", lambda device: memory(LARGE) + memory(SMALL))
    assert plan.memory_problem([SMALL, LARGE], slots=2) == ""
    told = plan.memory_problem([SMALL, LARGE, LARGE.replace(seed=1)], slots=2)
    assert told.startswith("the replays of 2 jobs side by side need 13.")
    monkeypatch.setattr(plan, "free_bytes", lambda device: memory(LARGE) - 1)
    assert "lower --jobs or --capacity" in plan.memory_problem([SMALL, LARGE], slots=1)


def test_time_is_that_of_each_kind():
    rates = {"cartpole": Rate(100.0, "measured"), "pong": Rate(10.0, "guessed")}
    told = plan.time_told([SMALL, LARGE, SMALL], [6_000, 6_000, 6_000], 2, lambda config: rates[config.game])
    # one slot: 60 s and 60 s of cartpole; the other: 600 s of pong
    assert told.startswith("time: 10:00 min for 18,000 steps, 2 side by side")
    assert "cartpole at 100 steps/s a job, measured; Atari at 10 steps/s a job, guessed" in told


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cost, "measure", lambda config: Rate(1_000.0, f"measured on {config.game}"))
    flags = "--total-steps 2000 --learning-starts 1000 --capacity 1000 --batch-size 32 --eval-period 0"
    return ["suite", "--games", "cartpole", "pong", "--device", "cpu", *flags.split()]


def test_a_dry_run_adds_up_both_kinds(words, monkeypatch, capsys):
    assert main([*words, "--jobs", "2", "--dry-run"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert " to " in text.split("of replay each")[0]
    assert "measured on cartpole" in text
    assert "measured on pong" in text


def test_what_is_known_at_once_is_told_before_anything_is_compiled_and_measured(words, monkeypatch, capsys):
    told = []

    def measure(config, *_):
        told.append(capsys.readouterr())
        return Rate(1_000.0, "measured")

    monkeypatch.setattr(cost, "measure", measure)
    assert main([*words, "--dry-run"]) == 0
    first, second = told
    assert "pong seed 0" in first.out and "memory: " in first.out and "disk: " in first.out
    assert "time: cartpole is measured for 10 s, after compiling what a job compiles; Ctrl-C" in first.err
    assert (second.out, second.err.count("time: pong is measured")) == ("", 1)
    monkeypatch.setattr(cost, "measure", lambda config: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main([*words, "--dry-run"]) == 130


def test_a_full_disk_is_called_a_problem(words, monkeypatch, capsys):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(2**30, 2**30, 1_000))
    assert main([*words, "--dry-run"]) == 0
    assert "warning: the checkpoints of 2 jobs may need " in capsys.readouterr().err


def test_a_dry_run_refuses_what_the_suite_would(words, monkeypatch, capsys):
    monkeypatch.setattr(plan, "free_bytes", lambda device: 1_000)
    assert main([*words, "--dry-run"]) == 2
    assert main(words) == 2
    assert capsys.readouterr().err.count("the replays of 1 job side by side need") == 2
