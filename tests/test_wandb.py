"""The mirror on Weights & Biases: offline, the same numbers, the same run after a resume."""

import inspect
import json
import struct
import sys
import types

import numpy as np
import pytest

from atari_dqn.cli import main
from atari_dqn.dqn.ports import Animation, Histogram, Image, Logger, NullLogger
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.presets import cartpole
from atari_dqn.runs.logger import RunLogger
from atari_dqn.runs.wandb_logger import RUN_ID, CompositeLogger, WandbLogger

TINY = (
    "cartpole --total-steps 400 --learning-starts 100 --capacity 400 --eval-period 400 --eval-steps 100 "
    "--log-period 100 --checkpoint-period 200 --torch-threads 1 --batch-size 32 --run-dir run"
).split()


class Tape:
    """Writes down what it was asked to do."""

    def __init__(self, tape, name):
        self.tape, self.name = tape, name

    def __getattr__(self, method):
        return lambda *words: self.tape.append((self.name, method, *words))


def test_the_mirror_passes_on_every_call_of_the_protocol():
    calls = [name for name, _ in inspect.getmembers(Logger, inspect.isfunction) if not name.startswith("_")]
    assert set(calls) == {"log", "evaluation", "message", "flush", "close"}
    for name in calls:
        count = len(inspect.signature(getattr(Logger, name)).parameters) - 1
        tape = []
        getattr(CompositeLogger(Tape(tape, "first"), Tape(tape, "second")), name)(*range(count))
        assert tape == [("first", name, *range(count)), ("second", name, *range(count))]
        for kind in (NullLogger, RunLogger, CompositeLogger, WandbLogger):
            assert callable(getattr(kind, name))


def test_a_missing_extra_is_named_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert main(["train", *TINY, "--wandb"]) == 2
    assert capsys.readouterr().err == "atari-dqn: --wandb needs the 'wandb' extra: pip install 'atari-dqn[wandb]'\n"
    assert list(tmp_path.iterdir()) == []


# --- with wandb


def records(folder):
    """Points, and settings with the id, in the file of an offline run: protobufs in LevelDB's log format.

    Seven bytes open the file. Blocks of 32,768 hold pieces: checksum (4 bytes), length (2), kind (1), content; a record
    is one piece (kind 1) or several (2, then 3 as often as needed, then 4).
    """
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("run-*.wandb")
    content, at, record = path.read_bytes(), 7, b""
    points, settings = [], {}
    while at + 7 <= len(content):
        if 32_768 - at % 32_768 < 7:
            at += 32_768 - at % 32_768  # too narrow for a piece
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            message, record = Record.FromString(record), b""
            if message.HasField("history"):
                items = message.history.item
                points.append({"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items})
            if message.HasField("run"):
                updates = message.run.config.update
                settings = {"id": message.run.run_id} | {item.key: json.loads(item.value_json) for item in updates}
    return points, settings


@pytest.fixture
def offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="the 'wandb' extra is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "settings"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def test_the_same_scalars_offline_and_one_run_after_a_resume(offline):
    assert main(["train", *TINY, "--wandb"]) == 0
    assert main(["train", *TINY[:1], "--resume", "--total-steps", "800", "--wandb", "--run-dir", "run"]) == 0
    (first, second) = sorted(offline.glob("wandb/offline-run-*"), key=lambda path: path.stat().st_mtime)
    identifier = (offline / RUN_ID).read_text().strip()
    points, settings = records(first)
    assert settings["id"] == records(second)[1]["id"] == identifier
    assert (settings["game"], settings["gamma"]) == ("cartpole", 0.99)
    mine = {
        (point["_step"], tag): value
        for point in points + records(second)[0]
        for tag, value in point.items()
        if isinstance(value, float | int) and not tag.startswith(("_", "episode/"))  # these are in no line
    }
    theirs = {}
    for line in (offline / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        step = record["step"]
        theirs |= {(step, tag): value for tag, value in record.items() if "/" in tag}
    assert {step for step, _ in theirs} == {104, 200, 304, 400, 504, 600, 704, 800}
    assert mine.keys() == theirs.keys()
    assert all(mine[point] == pytest.approx(theirs[point]) for point in theirs)


def test_pictures_films_and_numbers_that_are_none(offline):
    offline.mkdir()
    logger = WandbLogger(offline, cartpole().replace(device="cpu"))
    logger.log(10, {"train/loss": float("nan"), "train/q": 1.5})
    logger.log(10, {"train/q_values": Histogram(np.arange(6.0).reshape(2, 3))})
    logger.log(10, {"observation": Image(np.zeros((4, 4), np.uint8)), "eval/best_game": Animation(b"GIF89a film")})
    logger.evaluation(EvaluationResult("cartpole", "monitor", "zoo", episodes=1, mean=3.0, std=0.0, step=10), best=True)
    logger.close()
    (folder,) = offline.glob("wandb/offline-run-*")
    (point,) = records(folder)[0]
    assert (point["train/q"], point["_step"]) == (1.5, 10)
    assert "train/loss" not in point
    (gif,) = folder.rglob("*.gif")
    assert gif.read_bytes() == b"GIF89a film"


def test_only_an_id_is_told_to_wandb(tmp_path, monkeypatch):
    """A stranger's run folder could name any file in its place, and its content would be sent."""
    monkeypatch.setitem(sys.modules, "wandb", types.ModuleType("wandb"))
    (tmp_path / "secret").write_text("a secret of the user\n")
    (tmp_path / RUN_ID).symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="holds no id of a run at wandb; remove it"):
        WandbLogger(tmp_path, cartpole())
