"""Checkpoints: whole or not at all, verified, and nothing is executed."""

import json
import os
import shutil
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from atari_dqn.errors import UsageError
from atari_dqn.storage import checkpoint
from atari_dqn.storage.newest import load_best, load_newest
from atari_dqn.storage.schema import CheckpointError
from atari_dqn.storage.steps import step_directory

STATE = {
    "weights": torch.arange(6.0).reshape(2, 3).t(),  # not contiguous
    "half": torch.ones(2, dtype=torch.bfloat16),
    "scalar": torch.tensor(3),
    "empty": torch.zeros(0),
    "log": np.arange(4, dtype=np.uint8),
    "nested": {
        "list": [1, 2.5, None, "a", True, [torch.ones(1)]],
        "generator": np.random.default_rng(0).bit_generator.state,
    },
}


def assert_same(one, two):
    assert type(one) is type(two)
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_same(one[key], two[key])
    elif isinstance(one, list):
        for left, right in zip(one, two, strict=True):
            assert_same(left, right)
    elif isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype
        assert torch.equal(one, two)
    elif isinstance(one, np.ndarray):
        assert one.dtype == two.dtype
        assert (one == two).all()
    else:
        assert one == two


def test_round_trip(tmp_path):
    directory = step_directory(tmp_path, 12)
    assert directory.name == "step_0000000012"
    checkpoint.save(directory, STATE, {"game": "pong"})
    state, meta = checkpoint.load(directory)
    assert_same(STATE, state)
    assert meta["game"] == "pong"
    modes = {path.stat().st_mode for path in directory.iterdir()}
    assert len(modes) == 1, "who may read a run may read its weights"


def test_no_pickle_is_written_or_read(tmp_path):
    checkpoint.save(tmp_path / "step_0000000001", STATE, {})
    written = sorted(path.name for path in (tmp_path / "step_0000000001").iterdir())
    assert written == [
        "SHA256SUMS",
        "meta.json",
        "tensors.safetensors",
    ]
    with pytest.raises(TypeError, match="cannot hold a object"):
        checkpoint.save(tmp_path / "step_0000000002", {"a": object()}, {})


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_save_that_fails_leaves_the_old_checkpoint(tmp_path, monkeypatch, function):
    old, new = (step_directory(tmp_path, step) for step in (1, 2))
    checkpoint.save(old, STATE, {})

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(UsageError, match="older checkpoints are intact"):
        checkpoint.save(new, STATE, {})
    monkeypatch.undo()
    assert load_newest(tmp_path).directory == old
    assert not list(tmp_path.glob("*.partial"))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def another_version(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("tensors.safetensors", truncate),
        ("tensors.safetensors", flip_a_bit),
        ("tensors.safetensors", os.remove),
        ("meta.json", truncate),
        ("meta.json", os.remove),
        ("meta.json", another_version),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, name, damage, caplog):
    old, new = (step_directory(tmp_path, step) for step in (1, 2))
    for directory in (old, new):
        checkpoint.save(directory, STATE, {})
    damage(new / name)
    with pytest.raises(CheckpointError, match="step_0000000002"):
        checkpoint.load(new)
    assert load_newest(tmp_path).directory == old
    assert "step_0000000002" in caplog.messages[0]


def test_pruning_keeps_the_newest_and_the_protected(tmp_path):
    for step in (1, 2, 3, 4):
        checkpoint.save(step_directory(tmp_path, step), {"a": 1}, {})
    (tmp_path / "step_0000000009.partial").mkdir()
    checkpoint.prune(tmp_path, keep=2, protect={step_directory(tmp_path, 1)})
    assert sorted(path.name[-1] for path in tmp_path.iterdir()) == ["1", "3", "4"]


def counted(step, best):
    return {"counters": {"step": step, "best_step": best}}


def run_beside(folder, monkeypatch, *, deletes, writes, best):
    """The next checkpoint read is deleted just before, as a run does that has written others meanwhile."""
    read = checkpoint.read_meta

    def read_late(directory):
        if directory.exists() and directory.name == f"step_{deletes:010d}":
            for step in writes:
                checkpoint.save(step_directory(folder, step), counted(step, best), {})
            shutil.rmtree(directory)
        return read(directory)

    monkeypatch.setattr(checkpoint, "read_meta", read_late)


def test_a_checkpoint_deleted_while_it_is_read_has_a_newer_one_after_it(tmp_path, monkeypatch):
    checkpoint.save(step_directory(tmp_path, 1), counted(1, -1), {})
    run_beside(tmp_path, monkeypatch, deletes=1, writes=(2, 3), best=-1)
    assert load_newest(tmp_path).state["counters"]["step"] == 3


def test_so_has_the_best_one(tmp_path, monkeypatch):
    for step in (1, 2):
        checkpoint.save(step_directory(tmp_path, step), counted(step, 1), {})
    newest = load_newest(tmp_path)
    run_beside(tmp_path, monkeypatch, deletes=1, writes=(3,), best=3)
    assert load_best(tmp_path, newest).state["counters"]["step"] == 3
    shutil.rmtree(step_directory(tmp_path, 3))
    with pytest.raises(CheckpointError, match=r"best checkpoint .*step_0000000001.*--checkpoint last"):
        load_best(tmp_path, newest)


@pytest.mark.parametrize("killed", [False, True])
def test_a_checkpoint_that_is_written_again_is_the_new_one_or_the_old_one(killed, tmp_path, monkeypatch):
    directory = step_directory(tmp_path, 1)
    checkpoint.save(directory, {"a": 1}, {})
    replace = os.replace

    def kill_before_the_name(source, target):
        if killed and source.name.endswith(".partial"):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", kill_before_the_name)
    with pytest.raises(KeyboardInterrupt) if killed else nullcontext():
        checkpoint.save(directory, {"a": 2}, {})
    monkeypatch.undo()
    checkpoint.restore_replaced(tmp_path)
    assert checkpoint.load(directory)[0] == {"a": 1 if killed else 2}
    checkpoint.save(directory, {"a": 3}, {})
    checkpoint.prune(tmp_path, keep=1)
    assert list(tmp_path.iterdir()) == [directory]
