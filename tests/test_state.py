"""The state in a checkpoint, field by field: what is wrong is named, whatever its checksum says."""

import copy
import json
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from atari_dqn.cli import main
from atari_dqn.config import Config
from atari_dqn.dqn.evaluations import REMEMBERED
from atari_dqn.dqn.optim import CenteredRMSProp, moments_of
from atari_dqn.envs import spec_of
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs import state as run
from atari_dqn.runs.train import replay_layout
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import segments_of
from atari_dqn.storage.schema import CheckpointError, array, integer, none_or, number, row, several, table, text
from atari_dqn.storage.steps import list_steps

TRAIN = "train cartpole --device cpu --learning-starts 100 --capacity 200 --eval-period 100 --eval-steps 20".split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 200 steps whose environments take turns, and whose replay has priorities."""
    folder = tmp_path_factory.mktemp("state") / "run"
    words = "--batch-size 32 --total-steps 200 --num-envs 4 --env-groups 2 --priority-alpha 0.5".split()
    assert main([*TRAIN, *words, "--run-dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def kind(trained):
    config = Config.from_json((trained / "config.json").read_text())
    spec = spec_of(config)
    return run.run_state(config, spec, FrameReplay(replay_layout(config, spec)))


@pytest.fixture
def state(trained):
    state, _ = checkpoint.load(list_steps(trained / "checkpoints")[-1])
    return copy.deepcopy(state)


def test_every_field_that_a_run_writes_is_known(kind, state):
    kind(state, "")
    assert set(state["counters"]) == {"step", "episodes", "learn_after", *REMEMBERED}


# the place of a field, a value that it must not have, and what is said of it
WRONG = [
    ("counters.step", "abc", 'counters.step is "abc"; it must be an integer of at least 0'),
    ("counters.step", 1.5, "counters.step is 1.5"),
    ("counters.step", None, "counters.step is null"),
    ("counters.step", True, "counters.step is true"),
    ("counters.step", -7, "counters.step is -7"),
    ("counters.step", math.inf, "counters.step is Infinity"),
    ("counters.step", 10**30, "counters.step is 1000"),
    ("counters.step", [], "counters.step is []"),
    ("counters.episodes", {}, "counters.episodes is {}"),
    ("counters.learn_after", "", 'counters.learn_after is ""'),
    ("counters.evaluated_at", -1, "counters.evaluated_at is -1"),
    ("counters.best_step", [1], "counters.best_step is [1]; it must be an integer of at least -1"),
    ("counters.best_score", "high", 'counters.best_score is "high"; it must be a number'),
    ("counters.best_score", math.nan, "counters.best_score is NaN"),
    ("counters.last_score", 10**400, "counters.last_score is 1000"),
    ("counters.more", 1, "counters.more is no field that this version knows"),
    ("counters", [], "counters is []; it must be an object"),
    ("recent", [[1.0]], "recent[0] is [1.0]; it must be a list of 2 values"),
    ("recent", [["x", 3]], 'recent[0][0] is "x"'),
    ("recent", [[1.0, 2]] * 21, "it must be a list of 0 to 20 values"),
    ("window", "abc", 'window is "abc"'),
    ("learner.owed", 10**18, "learner.owed is 1000000000000000000; it must be an integer in [0, 10000]"),
    ("learner.updates", -1, "learner.updates is -1"),
    ("learner.stats_count", "1", 'learner.stats_count is "1"'),
    ("learner.stats_sum", torch.zeros(9), "learner.stats_sum is float32 of shape (9,)"),
    ("learner.generator", {}, "learner.generator.bit_generator is missing"),
    ("learner.generator.bit_generator", "MT19937", 'learner.generator.bit_generator is "MT19937"'),
    ("learner.generator.state.state", 2**128, "learner.generator.state.state is 3402"),
    ("learner.generator.state.inc", -1, "learner.generator.state.inc is -1"),
    ("learner.generator.has_uint32", 2, "learner.generator.has_uint32 is 2; it must be an integer in [0, 1]"),
    ("learner.priorities.error", torch.full((4,), math.nan), "learner.priorities.error is float32 of shape (4,)"),
    ("learner.priorities.newest", -2, "learner.priorities.newest is -2"),
    ("learner.priorities", None, "learner.priorities is null; it must be an object"),
    ("agent", 7, "agent is 7; it must be an object"),
    ("agent.algorithm", [], "agent.algorithm is []"),
    ("agent.algorithm.model", None, "agent.algorithm.model is null"),
    ("agent.exploration.held", np.full(4, 2), "agent.exploration.held is int64 of shape (4,); it must be int64 of"),
    ("agent.exploration.left", np.full(4, -1), "with elements in [0, inf]"),
    ("agent.exploration.held", [0, 0, 0, 0], "agent.exploration.held is [0, 0, 0, 0]"),
    ("envs.turn", 2, "envs.turn is 2; it must be an integer in [0, 1]"),
    ("envs.groups", [], "envs.groups is []; it must be a list of 2 to 2 values"),
    ("envs.arrived", [{}], "envs.arrived[0].frame is missing"),
    ("envs.groups.0", None, "envs.groups[0] is null"),
    ("envs.groups.0.seeds", np.zeros(0, np.int64), "envs.groups[0].seeds is int64 of shape (0,)"),
    (
        "envs.groups.0.seeds",
        np.array([-1, 5]),
        "envs.groups[0].seeds is int64 of shape (2,); it must be int64 of shape",
    ),
    ("envs.groups.0.next_seed", np.array([2**40, 0]), "envs.groups[0].next_seed"),
    ("envs.groups.0.log", np.full((3, 2), 255, np.uint8), "envs.groups[0].log is uint8 of shape (3, 2)"),
    ("envs.groups.0.log", np.zeros((3, 2), np.float32), "envs.groups[0].log is float32 of shape (3, 2)"),
    ("envs.groups.0.begin", np.array([0, 10**6]), "envs.groups[0].begin is int64 of shape (2,)"),
    ("envs.groups.0.fresh_seeds", "PCG64", 'envs.groups[0].fresh_seeds is "PCG64"'),
    ("answers", [np.array([0, 255])], "answers[0] is int64 of shape (2,)"),
    ("answers", [[0, 1]], "answers[0] is [0, 1]"),
    ("tracker", {}, "tracker.episode_return is missing"),
    ("tracker.episode_return", np.zeros(3), "tracker.episode_return is float64 of shape (3,)"),
    ("tracker.episode_length", np.full(4, -1), "tracker.episode_length is int64 of shape (4,)"),
    ("newest_frames", None, "newest_frames is null"),
    ("newest_frames.age", np.zeros((0, 2), np.uint8), "newest_frames has 2 times of frames and 0 of their age"),
    ("newest_frames.frames", torch.zeros(2, 2, 9), "newest_frames.frames is float32 of shape (2, 2, 9)"),
    ("replay", [], "replay is []"),
    ("replay.action", np.full(212, 255, np.uint8), "replay.action is uint8 of shape (212,)"),
    ("replay.reward", torch.zeros(212, dtype=torch.int64), "replay.reward is int64 of shape (212,)"),
    ("replay.terminated", np.zeros(5, bool), "replay.terminated is bool of shape (5,)"),
    ("replay.time", -1, "replay.time is -1"),
    ("replay.first_time", "0", 'replay.first_time is "0"'),
    ("replay.learnable", {}, "replay.learnable.ring is missing"),
    ("replay.learnable.first", 10**9, "replay.learnable.first is 1000000000; it must be an integer in ["),
    ("replay.learnable.first", 3, "replay.learnable holds"),
    ("replay.learnable.end", 10**18, "replay.learnable.first is"),
    ("replay.learnable.ring", np.full(200, 10**6, np.int32), "replay.learnable.ring is int32 of shape (200,)"),
    ("openings.pending", np.full((4, 0), 1.0), "openings.pending is float64 of shape (4, 0)"),
]


def put(tree, place, value):
    *path, last = place.split(".")
    for name in path:
        tree = tree[int(name) if isinstance(tree, list) else name]
    tree[int(last) if isinstance(tree, list) else last] = value


@pytest.mark.parametrize(("place", "value", "message"), WRONG)
def test_a_wrong_field_is_named(kind, state, place, value, message):
    put(state, place, value)
    with pytest.raises(CheckpointError) as error:
        kind(state, "")
    assert str(error.value).startswith(message) or message in str(error.value)
    assert len(str(error.value)) < 300


def test_a_missing_field_is_named(kind, state):
    for name in ("agent", "learner", "envs", "answers", "newest_frames", "replay", "tracker", "recent", "counters"):
        with pytest.raises(CheckpointError, match=f"^{name} is missing"):
            kind({key: value for key, value in state.items() if key != name}, "")


@pytest.mark.parametrize("make", [CenteredRMSProp, torch.optim.Adam])
def test_moments_are_of_the_parameters(make):
    weight = torch.nn.Parameter(torch.ones(2, 3))
    optimizer = make([weight])
    weight.grad = torch.ones(2, 3)
    optimizer.step()
    state = {str(index): dict(values) for index, values in optimizer.state_dict()["state"].items()}
    check = moments_of(optimizer)
    check(state, "optimizer")
    name = next(name for name, value in state["0"].items() if value.dim())
    for wrong in ({"7": {}}, {"0": {}}, {"0": state["0"] | {name: torch.zeros(3, 2)}}, {"0": state["0"] | {name: []}}):
        with pytest.raises(CheckpointError, match=r"optimizer\.[07]"):
            check(wrong, "optimizer")


SEGMENT = {"name": "step_0000000200.bin", "first": 0, "last": 9, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../step_0000000200.bin"},
        {"name": "step_0000000200.bin\0"},
        {"name": "n" * 5_000},
        {"name": None},
        {"first": -1},
        {"first": "0"},
        {"last": 10**30},
        {"last": 1e400},
        {"sha256": 7},
        {"more": 1},
    ],
)
def test_a_wrong_piece_of_the_replay_is_named(change):
    with pytest.raises(CheckpointError, match=rf"^frames\[0\]\.{next(iter(change))} is "):
        segments_of({"frames": [SEGMENT | change]})


# --- through the doors


def altered(trained, folder, place, value):
    """A copy of the run whose only checkpoint has another value in its state, with checksums that are right."""
    copied = shutil.copytree(trained, folder)
    *others, newest = list_steps(copied / "checkpoints")
    for other in others:
        shutil.rmtree(other)
    meta = json.loads((newest / "meta.json").read_text())
    if isinstance(value, torch.Tensor):
        tensors = load_file(newest / "tensors.safetensors")
        tensors[place] = value
        save_file(tensors, newest / "tensors.safetensors")
    else:
        put(meta, place if place.startswith("frames") else f"state.{place}", value)
    (newest / "meta.json").write_text(json.dumps(meta))
    (newest / checkpoint.SUMS).write_text(checkpoint.checksums(newest))
    return copied


@pytest.mark.parametrize(
    ("place", "value", "evaluates"),
    [
        ("counters.step", "abc", True),
        ("counters.best_step", [], True),
        ("agent.algorithm.model", [], False),
        ("agent.algorithm.optimizer", {"0": {"step": []}}, True),  # what only plays reads no optimizer
        ("/agent/algorithm/optimizer/0/exp_avg", torch.zeros(3), True),
        ("/agent/algorithm/model/hidden.0.weight", torch.zeros(3), False),
        ("agent.exploration.generator.state", None, False),
        ("/envs/groups/0/seeds", torch.zeros(0, dtype=torch.int64), True),
        ("learner.owed", 10**18, True),
        ("replay", None, True),
        ("frames.0.last", 10**18, True),
        ("frames.0.name", "\0", True),
    ],
)
@pytest.mark.parametrize("door", ["resume", "last", "best"])
def test_a_wrong_state_is_one_message(trained, tmp_path, capsys, door, place, value, evaluates):
    folder = altered(trained, tmp_path / "run", place, value)
    before = sorted(path for path in folder.rglob("*") if "checkpoints" in str(path))
    if door == "resume":
        assert main(["train", "cartpole", "--resume", "--run-dir", str(folder), "--total-steps", "300"]) == 2
    else:
        words = ["--device", "cpu", "--episodes", "1", "--checkpoint", door]
        fine = evaluates and not (door == "best" and place == "counters.best_step")
        assert main(["evaluate", str(folder), *words]) == (0 if fine else 2)
    assert "Traceback" not in capsys.readouterr().err
    assert sorted(path for path in folder.rglob("*") if "checkpoints" in str(path)) == before


@pytest.mark.parametrize("depth", [300, 900, 100_000])
def test_a_deep_state_is_one_message(trained, tmp_path, depth):
    folder = altered(trained, tmp_path / "run", "recent", "DEEP")
    newest = list_steps(folder / "checkpoints")[-1]
    text = (newest / "meta.json").read_text().replace('"DEEP"', '{"":' * depth + "0" + "}" * depth)
    (newest / "meta.json").write_text(text)
    (newest / checkpoint.SUMS).write_text(checkpoint.checksums(newest))
    assert main(["train", "cartpole", "--resume", "--run-dir", str(folder), "--total-steps", "300"]) == 2
    assert main(["evaluate", str(folder), "--device", "cpu", "--episodes", "1"]) in (0, 2)


# --- the words that a schema is made of


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (integer(2, 5), [2, 5], [1, 6, 2.0, True, "2", None]),
        (number(0, 1), [0, 1, 0.5], [-0.1, 2, math.nan, math.inf, "0", True, 10**400]),
        (text("[ab]+"), ["a", "abba"], ["", "abc", "a\n", 1, None]),
        (none_or(integer(0)), [None, 3], [-1, ""]),
        (several(integer(0), least=1, most=2), [[0], [1, 2]], [[], [1, 2, 3], [-1], (1,), {}]),
        (row(integer(0), number()), [[1, 2.5]], [[1], [1, 2, 3], ["1", 2], None]),
        (
            table({"a": integer(0)}, optional={"b": integer(0)}),
            [{"a": 1}, {"a": 1, "b": 2}],
            [{}, {"a": 1, "c": 2}, []],
        ),
        (table({}, more=True), [{}, {"a": []}], [[], None]),
        (array((None, 2), "int64", 0, 9), [np.zeros((4, 2), int)], [np.zeros(2, int), np.full((1, 2), 10), [[0, 0]]]),
        (array((1,), "float32", 0), [torch.zeros(1)], [torch.tensor([math.nan]), torch.zeros(1).double(), None]),
    ],
)
def test_kinds(kind, right, wrong):
    for value in right:
        kind(value, "place")
    for value in wrong:
        with pytest.raises(CheckpointError, match="^place"):
            kind(value, "place")
