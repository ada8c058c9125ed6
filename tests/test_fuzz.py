"""Anything at the doors: it works, or is one message and exit code 2. Nothing is executed, nothing else is written."""

import json
import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atari_dqn.cli import main
from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole
from atari_dqn.settings.from_file import GROUPS
from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps
from tests.command_line import exit_code

CASES = int(os.environ.get("ATARI_DQN_FUZZ_CASES", "60"))  # each test; more for a long run
fuzz = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers()))
WORDS = st.one_of(
    st.sampled_from(
        "train evaluate video presets games report cartpole --resume --json --help --seed --episodes --config".split()
    ),
    st.text(max_size=12).filter(lambda word: "\x00" not in word),
)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    words = "--total-steps 400 --learning-starts 200 --capacity 300 --eval-period 200 --eval-steps 20 --batch-size 32"
    assert main(["train", "cartpole", *words.split(), "--checkpoint-period", "200", "--run-dir", str(folder)]) == 0
    return folder


@fuzz
@given(words=st.lists(WORDS, max_size=5))
def test_command_lines(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = SimpleNamespace(exit_code=0)  # a command line that is right must not start it
    monkeypatch.setattr("atari_dqn.runs.train.train", lambda *_, **__: done)
    assert exit_code(*words) in (0, 2)
    assert list(tmp_path.iterdir()) == []


@fuzz
@given(name=st.sampled_from([*cartpole().flat(), *GROUPS, "unknown"]), value=VALUES)
def test_config_values(name, value):
    table = json.loads(cartpole().to_json()) if name in GROUPS else cartpole().flat()
    try:
        Config.from_json(json.dumps(table | {name: value}))
    except UsageError as error:
        assert str(error)


@fuzz
@given(text=st.one_of(st.text(), st.binary().map(lambda content: content.decode("latin-1"))))
def test_config_texts(text):
    with pytest.raises(UsageError):
        Config.from_json(text)


def harmed(run_folder, tmp_path, pattern, harm):
    """A copy of the run in which the newest file of a pattern was changed by `harm`."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run_folder, copy)
    path = max(copy.glob(pattern))
    path.write_bytes(harm(path.read_bytes()))
    return copy


@fuzz
@given(
    pattern=st.sampled_from(["checkpoints/step_*/tensors.safetensors", "checkpoints/step_*/meta.json", "config.json"]),
    place=st.floats(0, 1, exclude_max=True),
    bit=st.integers(0, 7),
    cut=st.booleans(),
)
def test_flipped_and_truncated_files(run_folder, tmp_path, capsys, pattern, place, bit, cut):
    def harm(content):
        at = int(place * len(content))
        return content[:at] if cut else content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]

    copy = harmed(run_folder, tmp_path, pattern, harm)
    before = {path.relative_to(copy) for path in copy.rglob("*")}
    code = exit_code("evaluate", str(copy), "--episodes", "1", "--device", "cpu", "--num-envs", "1")
    assert code in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
    assert {path.relative_to(copy) for path in copy.rglob("*")} == before


@settings(fuzz, max_examples=max(1, CASES // 4))  # each trains
@given(
    pattern=st.sampled_from(["evals.csv", "metrics.jsonl", "meta.json", "checkpoints/frames/*"]),
    content=st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)),
    place=st.floats(0, 1),
)
def test_a_resume_over_files_that_were_overwritten_in_part(run_folder, tmp_path, capsys, pattern, content, place):
    copy = harmed(run_folder, tmp_path, pattern, lambda before: before[: int(place * len(before))] + content)
    assert exit_code("train", "cartpole", "--resume", "--run-dir", str(copy)) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


@settings(fuzz, max_examples=max(1, CASES // 4))  # each trains
@given(names=st.lists(st.sampled_from(["format_version", "state", "game", "step", "frames"]), min_size=1), value=VALUES)
def test_meta_of_a_checkpoint(run_folder, tmp_path, names, value):
    def harm(content):
        return json.dumps(json.loads(content) | dict.fromkeys(names, value)).encode()

    copy = harmed(run_folder, tmp_path, "checkpoints/step_*/meta.json", harm)
    newest = list_steps(copy / "checkpoints")[-1]
    (newest / checkpoint.SUMS).write_text(checkpoint.checksums(newest))  # written so, not damaged
    assert exit_code("train", "cartpole", "--resume", "--run-dir", str(copy)) in (0, 2)
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["copy"]


def test_a_state_cannot_name_a_tensor_that_is_not_there(run_folder, tmp_path):
    newest = list_steps(run_folder / "checkpoints")[-1]
    copy = tmp_path / newest.name
    shutil.copytree(newest, copy)
    meta = json.loads((copy / "meta.json").read_text())
    meta["state"]["agent"] = {"../../outside": {"__kind__": "tensor"}}
    (copy / "meta.json").write_text(json.dumps(meta))
    (copy / checkpoint.SUMS).write_text(checkpoint.checksums(copy))
    with pytest.raises(UsageError, match="damaged"):
        checkpoint.load(copy)


# --- a stranger's run folder: files that are none, and states of other types with checksums that are right


@contextmanager
def no_hang(seconds=60):
    def end(number, frame):
        raise TimeoutError(f"nothing was said for {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fresh_copy(run_folder, tmp_path):
    """A copy of the run, and beside it a folder that nothing may change."""
    for name in ("copy", "outside"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
    (tmp_path / "outside" / "frames").mkdir(parents=True)
    for name in ("file", "step_0000000001.bin", "frames/step_0000000001.bin"):
        (tmp_path / "outside" / name).write_text("untouched\n")
    return shutil.copytree(run_folder, tmp_path / "copy"), tmp_path / "outside"


def sparse(path):
    with path.open("wb") as file:
        file.truncate(3 * 10**8)


MAKE = {
    "a link to a file": lambda path, outside: path.symlink_to(outside / "file"),
    "a link to a folder": lambda path, outside: path.symlink_to(outside),
    "a link to itself": lambda path, outside: path.symlink_to(path),
    "a pipe": lambda path, outside: os.mkfifo(path),
    "a device": lambda path, outside: path.symlink_to("/dev/zero"),
    "a sparse file": lambda path, outside: sparse(path),
    "an empty file": lambda path, outside: path.write_bytes(b""),
    "deep JSON": lambda path, outside: path.write_text("[" * 100_000),
    "a folder": lambda path, outside: path.mkdir(),
}
DOORS = {
    "resume": "train cartpole --resume --device cpu --total-steps 440 --run-dir RUN",
    "new": "train cartpole --device cpu --total-steps 400 --run-dir RUN",
    "evaluate": "evaluate RUN --device cpu --episodes 1 --num-envs 1",
    "best": "evaluate RUN --device cpu --episodes 1 --num-envs 1 --checkpoint best",
    "keep": "evaluate RUN --device cpu",
    "video": "video RUN --device cpu",
    "report": "report RUN --out RUN/report",
}
NEW_NAMES = ["DONE.partial", "config.json.partial", "evaluations", "videos", "report", "report/index.html", "suite.log"]


@settings(fuzz, max_examples=max(1, CASES // 4))  # some train
@given(data=st.data(), make=st.sampled_from([*MAKE]), door=st.sampled_from([*DOORS]))
def test_files_of_a_stranger_that_are_none(run_folder, tmp_path, capsys, data, make, door):
    copy, outside = fresh_copy(run_folder, tmp_path)
    names = sorted(str(path.relative_to(copy)) for path in copy.rglob("*"))
    path = copy / data.draw(st.sampled_from(names + NEW_NAMES))
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    MAKE[make](path, outside)
    before = {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()}
    with no_hang():
        code = exit_code(*(word.replace("RUN", str(copy)) for word in DOORS[door].split()))
    assert code in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
    assert {path: path.read_bytes() for path in outside.rglob("*") if path.is_file()} == before


def leaves(tree, place=()):
    """Places in a tree of objects and lists, inner ones too."""
    if place:
        yield place
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, item in items:
        yield from leaves(item, (*place, name))


@settings(fuzz, max_examples=max(1, CASES // 2))
@given(data=st.data(), value=VALUES, door=st.sampled_from(["resume", "evaluate", "best"]))
def test_states_of_a_stranger(run_folder, tmp_path, capsys, data, value, door):
    copy, _ = fresh_copy(run_folder, tmp_path)
    for directory in list_steps(copy / "checkpoints"):
        meta = json.loads((directory / "meta.json").read_text())
        *path, last = data.draw(st.sampled_from(list(leaves(meta))), label=directory.name)
        inner = meta
        for name in path:
            inner = inner[name]
        inner[last] = value
        (directory / "meta.json").write_text(json.dumps(meta))
        (directory / checkpoint.SUMS).write_text(checkpoint.checksums(directory))
    with no_hang():
        code = exit_code(*(word.replace("RUN", str(copy)) for word in DOORS[door].split()))
    assert code in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
