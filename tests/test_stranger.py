"""A stranger's run folder as a door: it executes nothing, changes nothing outside, and cannot fill the memory."""

import dataclasses
import json
import os
import shutil
import signal

import pytest

from atari_dqn.cli import main
from atari_dqn.presets import cartpole
from atari_dqn.runs.folder import in_use
from atari_dqn.storage import checkpoint
from atari_dqn.suite.cost import Rate
from atari_dqn.suite.jobs import Job, JobRun, Settings, last_line

SETTINGS = "--learning-starts 100 --capacity 200 --eval-period 100 --eval-steps 20 --batch-size 32"
TRAIN = f"train cartpole --device cpu --checkpoint-period 100 {SETTINGS}".split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 200 steps with an evaluation of its own."""
    folder = tmp_path_factory.mktemp("stranger") / "run"
    assert main([*TRAIN, "--total-steps", "200", "--run-dir", str(folder)]) == 0
    assert main(["evaluate", str(folder), "--device", "cpu"]) == 0
    return folder


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture(autouse=True)
def no_hang():
    """Ends a test that reads a pipe for ever."""

    def end(number, frame):
        raise TimeoutError("it hangs")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)


def exit_code(*words):
    try:
        return main(list(map(str, words)))
    except SystemExit as error:
        return error.code


def resume(run, *words):
    return exit_code("train", "cartpole", "--resume", "--run-dir", run, "--total-steps", 300, *words)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- links


@pytest.fixture
def outside(tmp_path):
    """A folder that nothing may change, with names as in a run folder."""
    folder = tmp_path / "outside"
    (folder / "frames").mkdir(parents=True)
    for name in ("file", "step_0000000001.bin", "frames/step_0000000001.bin"):
        (folder / name).write_text("untouched\n")
    (folder / "step_0000000001.partial").mkdir()
    return folder


FILES = ["lock", "metrics.jsonl", "evals.csv", "DONE.partial", "config.json.partial", "evals.csv.partial"]
FILES += ["evaluations/greedy_last.csv.partial", "evaluations/greedy_last.json"]
FILES += ["checkpoints/frames/step_0000000300.bin.partial"]
FOLDERS = ["checkpoints", "checkpoints/frames", "checkpoints/step_0000000300", "checkpoints/step_0000000300.partial"]
FOLDERS += ["evaluations"]


def put(run, name, target):
    """Make a name in a run folder a link."""
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("door", ["new", "resumed", "evaluated"])
@pytest.mark.parametrize("name", FILES + FOLDERS)
def test_nothing_is_written_through_a_link(run, outside, name, door, capfd):
    if door == "new":
        shutil.rmtree(run)
    put(run, name, outside if name in FOLDERS else outside / "file")
    before = contents(outside)
    if door == "evaluated":
        assert exit_code("evaluate", run, "--device", "cpu", "--seed", 1) in (0, 2)
    elif door == "resumed":
        assert resume(run) in (0, 2)
    else:
        assert exit_code(*TRAIN, "--total-steps", 200, "--run-dir", run) in (0, 2)
    assert contents(outside) == before
    assert "Traceback" not in capfd.readouterr().err


def test_a_suite_writes_its_log_through_no_link(run, outside):
    put(run, "suite.log", outside / "file")
    job = Job(dataclasses.replace(cartpole(), total_steps=10**6), run)
    job_run = JobRun(job, Settings())
    assert job_run.poll()
    assert (job_run.state, (outside / "file").read_text()) == ("failed", "untouched\n")
    assert "suite.log" in job_run.note and "is a link" in job_run.note


def test_a_link_where_a_run_writes_is_named(run, outside, capsys):
    (run / "lock").unlink()
    (run / "lock").symlink_to(outside / "file")
    assert resume(run) == 2
    assert f"{run / 'lock'} is a link, and nothing is written through it: remove it" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["index.html", "scores.csv", "table.csv", "aggregates.csv", "index.html.partial"])
def test_a_report_replaces_a_link_and_not_what_it_names(run, outside, name):
    out = run.parent / "report"
    out.mkdir()
    (out / name).symlink_to(outside / "file")
    assert exit_code("report", run, "--out", out) == 0
    assert (outside / "file").read_text() == "untouched\n"
    assert not (out / name.removesuffix(".partial")).is_symlink()


def test_a_run_folder_may_itself_be_a_link(run):
    """Who keeps runs on another disk links the folder, not what is in it."""
    other = run.parent / "other"
    other.symlink_to(run)
    assert resume(other) == 0


# --- code


@pytest.fixture
def module_of_a_stranger(tmp_path, monkeypatch):
    """A module that a run folder names, and the file that appears when it is imported."""
    (tmp_path / "stranger_module.py").write_text(
        "from pathlib import Path\nimport gymnasium\n"
        "Path(__file__).with_name('imported').touch()\n"
        "gymnasium.register('Stranger-v0', 'gymnasium.envs.classic_control:CartPoleEnv')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "imported"


def as_game(run, game):
    """Make a run one of another game, checksums and all."""
    rewrite(run / "config.json", game=game)
    for directory in checkpoint.list_steps(run / "checkpoints"):
        rewrite(directory / "meta.json", game=game)
        (directory / checkpoint.SUMS).write_text(checkpoint.checksums(directory))


def rewrite(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "RUN", "--device", "cpu"],
        ["evaluate", "RUN/checkpoints/step_0000000200", "--device", "cpu"],
        ["video", "RUN", "--device", "cpu", "--out", "RUN/film.gif"],
        ["train", "cartpole", "--resume", "--run-dir", "RUN"],
        ["report", "RUN", "--out", "RUN/report"],
    ],
)
def test_a_folder_does_not_decide_which_module_is_imported(run, module_of_a_stranger, words, capsys):
    as_game(run, "gym:stranger_module:Stranger-v0")
    code = exit_code(*(word.replace("RUN", str(run)) for word in words))
    assert not module_of_a_stranger.exists()
    assert code == (0 if words[0] == "report" else 2)
    if words[0] in ("evaluate", "video"):
        assert "imports the Python module 'stranger_module'" in capsys.readouterr().err


def test_a_module_is_imported_when_the_command_line_says_so(run, module_of_a_stranger, monkeypatch):
    as_game(run, "gym:stranger_module:Stranger-v0")
    words = ["--device", "cpu", "--episodes", 1]
    assert exit_code("evaluate", run, "--allow-import", *words) == 0
    assert module_of_a_stranger.exists()


# --- pipes, devices, sizes

LARGE = "checkpoints/step_0000000200/tensors.safetensors"  # may have as much as there is memory
READ = ["config.json", "meta.json", "DONE", "metrics.jsonl", "evals.csv", "lock", "evaluations/greedy_last.json"]
READ += [f"checkpoints/step_0000000200/{name}" for name in ("meta.json", "tensors.safetensors", "SHA256SUMS")]
READ += ["checkpoints/frames/step_0000000200.bin"]


def pipe(path):
    os.mkfifo(path)


def endless(path):
    path.symlink_to("/dev/zero")


def sparse(path):
    with path.open("wb") as file:
        file.truncate(3 * 10**9)


@pytest.mark.parametrize(
    ("name", "make"),
    [(name, make) for name in READ for make in (pipe, endless, sparse) if (name, make) != (LARGE, sparse)],
)
def test_only_regular_files_of_a_sensible_size_are_read(run, name, make, capfd):
    (run / name).unlink()
    make(run / name)
    assert exit_code("evaluate", run, "--device", "cpu", "--no-write", "--episodes", 1) in (0, 2)
    assert resume(run) in (0, 2)
    assert exit_code("report", run, "--out", run.parent / "report") in (0, 2)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("make", [pipe, endless, sparse])
@pytest.mark.parametrize("name", ["config.json", "DONE", "lock", "metrics.jsonl", "evals.csv", "suite.log"])
def test_a_suite_reads_only_regular_files(run, name, make, capfd, monkeypatch):
    place = run.parent / "suite" / "cartpole" / "cartpole" / "seed0"
    shutil.copytree(run, place)
    (place / name).unlink(missing_ok=True)
    make(place / name)
    monkeypatch.setattr("atari_dqn.suite.cost.measure", lambda config, say: Rate(1.0, "no time for it"))
    words = ["--games", "cartpole", "--runs-dir", run.parent / "suite", "--total-steps", 200, "--dry-run"]
    assert exit_code("suite", *words, "--device", "cpu", *SETTINGS.split(), "--checkpoint-period", 100) in (0, 2)
    assert in_use(place) is None
    last_line(place / "suite.log")
    assert "Traceback" not in capfd.readouterr().err
