"""A stranger's run folder as a door: it executes nothing, changes nothing outside, and cannot fill the memory."""

import csv
import json
import os
import shutil
import signal

import pytest

from atari_dqn.cli import main
from atari_dqn.config import SETTINGS, Config
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.runs.event_file import last_time
from atari_dqn.runs.lock import in_use
from atari_dqn.settings.from_file import flattened
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments, Segment
from atari_dqn.storage.schema import CheckpointError
from atari_dqn.storage.steps import list_steps
from atari_dqn.suite import jobs, local
from atari_dqn.suite.cost import Rate
from atari_dqn.suite.jobs import Job, JobRun, Settings, last_line, make_jobs
from atari_dqn.suite.study import read_curve
from atari_dqn.suite.table import Table, job_table
from tests.command_line import exit_code

SMALL = "--learning-starts 100 --capacity 200 --eval-period 100 --eval-steps 20 --batch-size 32"
TRAIN = f"train cartpole --device cpu --checkpoint-period 100 {SMALL}".split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of 200 steps with an evaluation of its own."""
    folder = tmp_path_factory.mktemp("stranger") / "run"
    assert main([*TRAIN, "--total-steps", "200", "--run-dir", str(folder)]) == 0
    for which in ("last", "best"):
        assert main(["evaluate", str(folder), "--device", "cpu", "--checkpoint", which]) == 0
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
FILES += ["checkpoints/frames/step_0000000300.zst.partial"]
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
    job = Job(cartpole().replace(total_steps=10**6), run)
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
    for directory in list_steps(run / "checkpoints"):
        rewrite(directory / "meta.json", game=game)
        (directory / checkpoint.SUMS).write_text(checkpoint.checksums(directory))


def rewrite(path, **values):
    path.write_text(json.dumps(flattened(json.loads(path.read_text())) | values))


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
READ += ["checkpoints/frames/step_0000000200.zst"]


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
    monkeypatch.setattr("atari_dqn.suite.cost.measure", lambda config: Rate(1.0, "no time for it"))
    words = ["--games", "cartpole", "--runs-dir", run.parent / "suite", "--total-steps", 200, "--dry-run"]
    assert exit_code("suite", *words, "--device", "cpu", *SMALL.split(), "--checkpoint-period", 100) in (0, 2)
    assert in_use(place) is None
    last_line(place / "suite.log")
    assert "Traceback" not in capfd.readouterr().err


# --- one broken file among the runs of a suite, a study or a report

DEEP = "[" * 100_000
BROKEN = {
    "evals.csv": ["step,frames\n", "100,400,monitor", "100,400,monitor,3,word,1,,0.05,False\n", "1,\x00,\n", DEEP],
    "metrics.jsonl": ['{"step": "word"}\n', '{"step": 1e400, "time/steps_per_second": "fast"}\n', "[]\n", "{", DEEP],
    "DONE": ["", "[]", DEEP, '{"steps": "word", "episodes": [], "best_eval_step": {}}', '{"steps": 1e400}'],
    "meta.json": ["", "[]", DEEP, '{"cpu": {}, "packages": [], "commit": 1e400}'],
    "evaluations/greedy_last.json": ["", "[]", DEEP, '{"step": {}, "mean": "word"}'],
    "config.json": ["", "[]", DEEP, '{"seed": 1}'],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BROKEN.items() for text in texts])
def test_a_broken_file_concerns_its_job_alone(trained, tmp_path, name, text, monkeypatch):
    """The other jobs of a suite run, and the other runs of a report are in it."""
    for seed in (0, 1):
        place = shutil.copytree(trained, tmp_path / "cartpole" / "cartpole" / f"seed{seed}")
        rewrite(place / "config.json", seed=seed)
    broken = tmp_path / "cartpole" / "cartpole" / "seed0" / name
    broken.write_text(text)
    started = []
    monkeypatch.setattr(
        jobs, "start_process", lambda words, folder, environment: started.append(folder.name) or Ended()
    )
    config = Config.from_json((tmp_path / "cartpole" / "cartpole" / "seed1" / "config.json").read_text())
    runs = [JobRun(job, Settings()) for job in make_jobs([config.replace(seed=0), config], tmp_path)]
    with Table("jobs") as table:
        local.run(runs, slots=1, table=table)
        job_table(runs, "jobs")
    assert runs[1].state == "finished" and set(started) <= {"seed0"}
    assert exit_code("report", tmp_path, "--out", tmp_path / "report") == 0
    assert "seed1" in (tmp_path / "report" / "scores.csv").read_text()


class Ended:
    """A process that is refused as bad input."""

    def poll(self):
        return 2


@pytest.mark.parametrize("text", BROKEN["evals.csv"][1:] + ["step,mean\n100,word\n"])
def test_a_broken_curve_of_a_study_is_named(run, text):
    (run / "evals.csv").write_text("step,frames,protocol,episodes,mean\n" + text)
    with pytest.raises(UsageError, match="evals.csv is damaged .*delete"):
        read_curve([run])


def test_a_report_of_a_whole_disk_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("atari_dqn.report.read_runs.FOLDERS_MOST", 20)
    for number in range(30):
        (tmp_path / f"folder{number}").mkdir()
    assert exit_code("report", tmp_path, "--out", tmp_path / "report") == 2
    assert "holds more than 20 folders; name one nearer to the runs" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["", "a\0b", "n" * 5_000, "d/" * 2_000, "--out="])
@pytest.mark.parametrize("command", [["report"], ["report", "RUN", "--out"], ["evaluate", "RUN", "--out"]])
def test_words_that_can_be_no_path_are_one_message(run, command, word, capsys):
    assert exit_code(*(part.replace("RUN", str(run)) for part in command), word) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- values


def test_a_replay_whose_rows_cannot_be_numbered_is_refused_before_it_is_made():
    layout = ReplayLayout(capacity=3 * 10**9, num_envs=1, frame_shape=(1,), frame_dtype="uint8", frame_stack=1)
    with pytest.raises(UsageError, match="a replay of 3,000,000,001 rows is too large"):
        FrameReplay(layout)


NUMBERS = [name for name, setting in SETTINGS.items() if {int, float} & set(setting.kinds)]
STEPS = [[10**30], [200_000] * 10_000]
TRAPS = {"hidden_sizes": [[50_000, 10**9], [8] * 1_000], "reset_steps": STEPS, "eval_early_steps": STEPS}
TRAPS |= {name: ["x" * 5_000, "a\0b", "", "two\nlines"] for name in ("game", "preset", "device", "replay_device")}


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_an_upper_bound(name):
    table = cartpole().flat()
    largest = 10**4_000 if int in SETTINGS[name].kinds else 1e300
    with pytest.raises(UsageError) as error:
        Config.from_json(json.dumps(table | {name: 10**4_000}))
    assert str(error.value).startswith(f"{name} ") and len(str(error.value)) < 300
    with pytest.raises(UsageError) as error:
        Config.from_json(json.dumps(table | {name: largest}))
    assert str(error.value).startswith(f"{name} is ")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in TRAPS.items() for value in values])
def test_words_and_lists_of_a_config_are_bounded(name, value):
    with pytest.raises(UsageError, match=f"^{name} is ") as error:
        Config.from_json(json.dumps(cartpole().flat() | {name: value}))
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("words", [["evaluate"], ["train", "cartpole", "--resume", "--run-dir"]])
def test_a_network_that_fills_the_memory_is_refused_before_it_is_made(run, words, capsys):
    rewrite(run / "config.json", hidden_sizes=[60_000] * 8)
    assert exit_code(*words, run, "--device", "cpu") == 2
    assert "a network of 25,200,840,002 weights needs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    ["--optimizer sgd --learning-rate 1e30 --loss mse", "--optimizer-eps 1e-300 --learning-rate 1e29"],
)
def test_a_run_that_diverges_says_so(tmp_path, words, capsys):
    assert exit_code(*TRAIN, "--total-steps", 400, *words.split(), "--run-dir", tmp_path / "run") == 2
    assert "start again with a lower learning_rate" in capsys.readouterr().err


# --- spreadsheets


@pytest.mark.parametrize("evil", ["=1+1", '=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)"])
def test_no_name_in_a_run_is_a_formula_in_a_table(run, evil, tmp_path):
    for seed, field in enumerate(("game", "preset")):
        folder = shutil.copytree(run, tmp_path / "runs" / f"seed{seed}")
        rewrite(folder / "config.json", **{field: evil, "seed": seed})
    words = ["--compare", tmp_path / "runs" / "seed1", "--names", "first", evil] if evil[0] != "-" else []
    rewrite(tmp_path / "runs" / "seed0" / "evaluations" / "greedy_last.json", game=evil, protocol=evil)
    assert exit_code("report", tmp_path / "runs", "--out", tmp_path / "report", *words) == 0
    for name in ("scores.csv", "table.csv", "aggregates.csv"):
        rows = list(csv.reader((tmp_path / "report" / name).read_text().splitlines()))
        assert not [cell for row in rows for cell in row if cell == evil or cell.startswith(("=", "+", "@"))]
    assert f"'{evil}" in next(csv.reader([(tmp_path / "report" / "scores.csv").read_text().splitlines()[1]]))


def test_zeros_and_large_records_are_no_events(tmp_path):
    path = tmp_path / "events.out.tfevents.0000000001.host"
    for header in (0, 2 * 10**9):
        path.write_bytes(header.to_bytes(8, "little"))
        with path.open("r+b") as file:
            file.truncate(3 * 10**9)
        assert last_time(path) == 0.0


def test_no_piece_is_read_that_the_replay_has_overwritten(tmp_path):
    layout = ReplayLayout(capacity=8, num_envs=1, frame_shape=(1,), frame_dtype="uint8", frame_stack=1)
    replay = FrameReplay(layout)
    segments = [Segment("step_0000000001.bin", first, first + 6, "0" * 64) for first in range(0, 1_000, 7)]
    replay.ring.time = segments[-1].last
    with pytest.raises(CheckpointError, match="do not make up the replay"):
        FrameSegments(tmp_path).read(replay.ring, segments)


def test_a_suite_asks_only_for_as_many_slots_as_there_are_jobs():
    with Table("jobs") as table:
        assert local.run([], slots=10**12, table=table) is None
        done = JobRun(Job(cartpole(), None), Settings(), state="finished")
        done.poll = lambda: True
        assert local.run([done], slots=10**12, table=table) is None
