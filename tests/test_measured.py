"""What a machine measured is kept for its next start: used while nothing has changed, never in the way."""

import itertools
import json
import os

import pytest
import torch

from atari_dqn.presets import quick
from atari_dqn.runs import machine, measured
from atari_dqn.runs.measured import CACHE, kept_files, seconds_per_update

SECONDS = {"fp32": 0.03, "bf16": 0.01}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A resolved one, on a quiet machine with an empty cache."""
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    monkeypatch.setattr(measured.time, "thread_time", itertools.count(0, 1_000).__next__)
    return quick().replace(device="cpu", torch_threads=2, env_threads=2)


def ask(config):
    """What is known, and what had to be measured for it."""
    asked = []
    found = seconds_per_update(config, tuple(SECONDS), lambda name: asked.append(name) or SECONDS[name])
    assert found.seconds == SECONDS
    return found.told, asked


def test_a_second_start_measures_nothing_and_says_where_it_knows_it_from(config):
    told, asked = ask(config)
    (path,) = kept_files()
    assert (asked, told) == (["fp32", "bf16"], f"measured now, kept in {path}")
    told, asked = ask(config)
    assert asked == []
    assert told.startswith("measured on 20")
    assert told.endswith(f"kept in {path}; delete it to measure anew")
    path.unlink()
    assert ask(config)[1] == ["fp32", "bf16"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(torch, "__version__", "3.0"),
        lambda patch: patch.setattr(measured, "__version__", "0.2"),
        lambda patch: patch.setattr(measured, "processor", lambda: "another"),
        lambda patch: patch.setattr(measured, "processor_flags", lambda: ["fpu", "amx_bf16"]),
        lambda patch: patch.setattr(measured.host, "cores", lambda: 999),
        lambda patch: patch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2"),
        {"torch_threads": 1},
        {"batch_size": 64},
        {"frame_stack": 3},
        {"hidden_sizes": (256,)},
        {"optimizer": "rmsprop"},
        {"double_q": False},
        {"categorical_bins": 21},
    ],
)
def test_what_an_update_depends_on_makes_another_measurement(change, config, monkeypatch):
    ask(config)
    if callable(change):
        change(monkeypatch)
    else:
        config = config.replace(**change)
    assert ask(config)[1] == ["fp32", "bf16"]
    assert len(kept_files()) == 2


def test_what_it_does_not_depend_on_makes_none(config):
    ask(config)
    assert ask(config.replace(seed=7, game="breakout", num_envs=8, env_threads=1, total_steps=10_000))[1] == []


JUNK = [b"", b"\xff\xfe", b"{", b"[" * 100_000, b"null", b"[]", b"{}", b'{"facts": 1}']


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk[:10]))
def test_a_damaged_file_is_measured_anew_and_mended(junk, config):
    ask(config)
    (path,) = kept_files()
    path.write_bytes(junk)
    assert ask(config)[1] == ["fp32", "bf16"]
    assert ask(config)[1] == []


@pytest.mark.parametrize(
    "values",
    [
        {"seconds": {"fp32": 0.03}},
        {"seconds": {"fp32": 0.03, "bf16": -1.0}},
        {"seconds": {"fp32": 0.03, "bf16": float("nan")}},
        {"seconds": {"fp32": 0.03, "bf16": "soon"}},
        {"seconds": 7},
        {"measured": 7},
        {"measured": "today"},
        {"facts": {}},
    ],
    ids=str,
)
def test_a_file_that_says_what_cannot_be_is_measured_anew(values, config):
    ask(config)
    (path,) = kept_files()
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    assert ask(config)[1] == ["fp32", "bf16"]


def test_a_folder_that_cannot_be_is_told_and_ends_nothing(config, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE, str(tmp_path / "file" / "cache"))
    told, asked = ask(config)
    assert asked == ["fp32", "bf16"]
    assert told.startswith(f"measured now, and not kept: {tmp_path / 'file' / 'cache'} cannot be written (")
    monkeypatch.delenv(CACHE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(measured.Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert "there is no home folder" in ask(config)[0]
    assert kept_files() == []


def test_in_the_way_of_the_file_lies_a_folder_or_a_pipe(config):
    ask(config)
    (path,) = kept_files()
    path.unlink()
    os.mkfifo(path)  # to read one would hang
    assert ask(config)[1] == ["fp32", "bf16"]
    path.unlink()
    path.mkdir()
    assert "cannot be written" in ask(config)[0]


def test_on_a_busy_machine_nothing_is_kept(config, monkeypatch):
    monkeypatch.setattr(measured.time, "thread_time", lambda: 0.0)
    told, asked = ask(config)
    assert (asked, kept_files()) == (["fp32", "bf16"], [])
    assert told == "measured now, and not kept: something else is using the processor"


def test_what_is_kept_was_measured_after_the_compiler_had_been_loaded(config):
    done = []
    seconds_per_update(config, ("fp32",), lambda name: done.append(name) or 1.0, lambda: done.append("prepared"))
    seconds_per_update(config, ("fp32",), lambda name: done.append(name) or 1.0, lambda: done.append("prepared"))
    assert done == ["prepared", "fp32"]


def test_two_that_write_at_once_leave_one_whole_file(config, monkeypatch):
    """The second writes all of its own while the first is about to put its file in place."""
    replace, first = os.replace, itertools.count()

    def beside_another(source, target):
        if next(first) == 1:  # 0: the own file of the first is whole
            with monkeypatch.context() as other:
                other.setattr(os, "getpid", lambda: 1)
                ask(config)
        replace(source, target)

    monkeypatch.setattr(os, "replace", beside_another)
    ask(config)
    assert ask(config)[1] == []
    assert len(list(kept_files()[0].parent.iterdir())) == 1


def test_a_run_says_which_precision_it_took_and_why(config, monkeypatch, caplog):
    monkeypatch.setattr(machine, "time_update", lambda config, precision: SECONDS[precision])
    assert machine.settle_precision(config, begun=False) == "bf16"
    monkeypatch.setattr(machine, "time_update", None)  # the next start needs it no more
    assert machine.settle_precision(config, begun=False) == "bf16"
    assert caplog.messages[::2] == ["precision: bf16 (one update: fp32 30.0 ms, bf16 10.0 ms; --precision decides)"] * 2
    assert caplog.messages[3].startswith("precision: measured on 20")
