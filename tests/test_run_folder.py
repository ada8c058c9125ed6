"""A folder holds one run: what else lies there, who else writes there, and what its disk refuses ends in a message."""

import errno
import json
import resource
import shutil
from pathlib import Path

import pytest

from atari_dqn import presets
from atari_dqn.cli import main
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole
from atari_dqn.runs import folder
from atari_dqn.runs.folder import default_run_dir, refuse_folder
from atari_dqn.runs.lock import lock
from atari_dqn.runs.logger import RunLogger
from atari_dqn.safe_files import open_to_read
from atari_dqn.storage import checkpoint
from tests.warm_process import WarmProcess

TINY = (
    "cartpole --total-steps 400 --learning-starts 100 --capacity 1000 --eval-period 200 --eval-steps 100 "
    "--log-period 100 --checkpoint-period 100 --torch-threads 1 --batch-size 8"
).split()


def train(path, *more):
    return main(["train", *TINY, "--run-dir", str(path), *more])


def contents(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run"
    assert train(path) == 0
    return path


@pytest.mark.parametrize("kept", ["*", "checkpoints", "metrics.jsonl", "events.out.tfevents.*", "DONE"])
def test_a_new_run_is_not_begun_among_what_is_left_of_another(kept, finished, tmp_path, capsys):
    for source in finished.glob(kept):
        (tmp_path / "run").mkdir(exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / "run" / source.name)
    (tmp_path / "run" / "config.json").unlink(missing_ok=True)
    before = contents(tmp_path / "run")
    assert train(tmp_path / "run") == 2
    assert "of a run whose config.json is gone; bring that back, or choose another" in capsys.readouterr().err
    assert contents(tmp_path / "run") == before


def test_a_run_that_died_before_it_wrote_its_config_can_be_begun_again(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("lock", "meta.json", "config.json.partial", "suite.log"):
        (tmp_path / "run" / name).write_text("")
    assert train(tmp_path / "run") == 0


def test_of_two_runs_begun_at_once_in_a_folder_one_is_refused_and_writes_nothing(tmp_path, monkeypatch, capsys):
    hardware, codes = folder.hardware, []

    def begin_another():  # while the first one writes down what it is
        monkeypatch.setattr(folder, "hardware", hardware)
        codes.append(train(tmp_path / "run", "--seed", "1"))
        return hardware()

    monkeypatch.setattr(folder, "hardware", begin_another)
    assert train(tmp_path / "run") == 0
    assert codes == [2]
    assert f"is training in {tmp_path / 'run'}" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/config.json").read_text())["seed"] == 0
    assert "--seed" not in json.loads((tmp_path / "run/meta.json").read_text())["command"]


@pytest.mark.parametrize("words", [(), ("--resume",)], ids=str)
def test_a_folder_in_use_is_refused_before_anything_is_measured(words, finished, tmp_path, monkeypatch, capsys):
    run = shutil.copytree(finished, tmp_path / "run")
    monkeypatch.setattr("atari_dqn.runs.train.resolve", lambda *_, **__: pytest.fail("the machine was looked at"))
    with lock(run):
        assert train(run, *words) == 2
    assert f"is training in {run}; wait for it, stop it, or choose another" in capsys.readouterr().err


def test_so_is_one_whose_folder_was_taken_before_it_had_the_lock(tmp_path, monkeypatch, capsys):
    make_folder, begun = folder.make_folder, []

    def begin_another(path, config):
        make_folder(path, config)
        if not begun:
            begun.append(path)
            assert train(path, "--seed", "1") == 0

    monkeypatch.setattr("atari_dqn.runs.train.make_folder", begin_another)
    assert train(tmp_path / "run") == 2
    assert "holds another run (seed 1, not 0)" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/config.json").read_text())["seed"] == 1


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_folder_that_is_deleted_or_moved_in_mid_run_is_named_and_not_made_again(how, tmp_path, monkeypatch, capsys):
    run, log = tmp_path / "run", RunLogger.log

    def lose_it(logger, step, values):
        log(logger, step, values)
        if step == 200:
            run.rename(tmp_path / "elsewhere")
            if how == "deleted":  # all at once: a checkpoint that is being written there would be in the way
                shutil.rmtree(tmp_path / "elsewhere")
            if how == "replaced":  # by another run
                (run / "checkpoints").mkdir(parents=True)
                (run / "lock").touch()

    monkeypatch.setattr(RunLogger, "log", lose_it)
    assert train(run) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert f"atari-dqn: {run} was deleted or moved while this process trained there" in message
    assert run.exists() == (how == "replaced")
    assert not run.exists() or list((run / "checkpoints").iterdir()) == []
    monkeypatch.undo()
    if how == "moved":
        assert train(tmp_path / "elsewhere", "--resume") == 0


# Bytes of a file, file handles and memory that a process may have, from too little to begin with up to nearly enough.
LIMITS = [(resource.RLIMIT_FSIZE, size) for size in (0, 700, 3_000, 6_000, 20_000)]
LIMITS += [(resource.RLIMIT_NOFILE, count) for count in (5, 6, 7)]


@pytest.mark.parametrize(("limit", "value"), LIMITS)
@pytest.mark.parametrize("resumed", [False, True])
def test_a_machine_that_refuses_ends_in_one_message(limit, value, resumed, finished, tmp_path):
    if resumed:
        shutil.copytree(finished, tmp_path / "run")
    words = ["train", *TINY, "--run-dir", str(tmp_path / "run"), "--total-steps", "800", *["--resume"][: int(resumed)]]
    code = f"""
import resource, signal, sys
import torch, torch.utils.tensorboard, torch._dynamo  # loaded before: Python itself needs files
from atari_dqn.commands import train
from atari_dqn.runs import train
from atari_dqn import cli
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit({limit}, ({value}, {value}))
sys.exit(cli.main(sys.argv[1:]))
"""
    limited = WarmProcess(code, words)
    _, errors = limited.communicate(timeout=120)
    assert limited.returncode == 2, errors
    assert "Traceback" not in errors
    assert "Exception" not in errors
    assert errors.splitlines()[-1].startswith("atari-dqn: ")


def test_a_full_memory_ends_in_one_message(tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(RunLogger, "log", fail)
    assert train(tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert "the memory is full" in told and "Checkpoints written so far are intact" in told
    monkeypatch.setattr("atari_dqn.commands.evaluate.run", fail)
    assert main(["evaluate", str(tmp_path / "run")]) == 2
    assert "the memory is full" in capsys.readouterr().err


def test_a_disk_that_is_full_from_the_start_tells_no_one_to_resume(tmp_path, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder.RunFolder, "create", full)
    assert train(tmp_path / "run") == 2
    assert "the run has not begun. Make room or mend the folder, then start it again" in capsys.readouterr().err


REFUSED = [
    (RuntimeError("can't start new thread"), "no thread can be started"),
    (RuntimeError("Resource temporarily unavailable"), "no thread or process can be started"),  # as of ale-py
    (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."), "the memory is full"),
    (OSError(errno.EMFILE, "Too many open files"), "too few files may be open"),
]


@pytest.mark.parametrize(("error", "told"), REFUSED, ids=lambda value: str(value)[:30])
def test_too_few_threads_or_bytes_end_in_one_message(error, told, tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(RunLogger, "log", fail)
    assert train(tmp_path / "run") == 2
    assert f"atari-dqn: {told}" in (message := capsys.readouterr().err) and "go on with --resume" in message
    monkeypatch.setattr("atari_dqn.commands.evaluate.run", fail)
    assert main(["evaluate", str(tmp_path / "run")]) == 2
    assert f"atari-dqn: {told}" in capsys.readouterr().err


def test_another_error_keeps_its_traceback(monkeypatch):
    def fail(*arguments):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("atari_dqn.commands.evaluate.run", fail)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        main(["evaluate", "run"])


HANDLES = OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("place", ["checkpoint.open_to_read", "checkpoint.load_file", "frame_segments.open_to_read"])
@pytest.mark.parametrize("error", [HANDLES, RuntimeError(str(HANDLES)), PermissionError(errno.EACCES, "denied")])
def test_what_cannot_be_read_now_is_not_put_aside_as_damaged(place, error, finished, tmp_path, monkeypatch, capsys):
    if place.startswith("frame_segments") and not isinstance(error, OSError):
        pytest.skip("frames are read by Python alone, whose errors of files are OSErrors")
    shutil.copytree(finished, tmp_path / "run")
    original, failed = {"checkpoint.load_file": checkpoint.load_file}.get(place, open_to_read), []

    def fail_once(*arguments):
        if not failed:
            failed.append(arguments)
            raise error
        return original(*arguments)

    before = contents(tmp_path / "run" / "checkpoints")
    monkeypatch.setattr(f"atari_dqn.storage.{place}", fail_once)
    assert train(tmp_path / "run", "--resume", "--total-steps", "800") == 2
    assert "cannot be read" in capsys.readouterr().err
    assert contents(tmp_path / "run" / "checkpoints") == before


def test_the_id_of_a_game_is_one_folder():
    config = presets.cartpole("gym:MinAtar/Breakout-v1")
    assert default_run_dir(config) == Path("runs/gym_MinAtar_Breakout-v1/cartpole/seed0")


@pytest.mark.parametrize("name", ["nowhere", "loop", "nowhere/run"])
def test_a_link_to_nothing_is_named_before_anything_is_loaded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nowhere").symlink_to(tmp_path / "gone")
    Path("loop").symlink_to("loop")
    with pytest.raises(UsageError, match=r"cannot write the run folder .* is a link to nothing"):
        refuse_folder(Path(name), cartpole())


def test_a_folder_that_may_not_be_looked_into_is_one_message(tmp_path, monkeypatch, capsys):
    """Python's `Path.exists` raises there; root may look into all, so the system's answer is played."""
    exists = Path.exists

    def locked(path, **named):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path, **named)

    monkeypatch.setattr(Path, "exists", locked)
    assert main(["train", "cartpole", "--run-dir", str(tmp_path / "locked")]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"{tmp_path / 'locked'} cannot be read or written (Permission denied)" in told


@pytest.mark.parametrize(("preset", "folder"), [("../../up", ".._.._up"), ("..", "_"), ("a|b", "a_b")])
def test_the_name_of_a_preset_is_one_folder(preset, folder):
    assert default_run_dir(cartpole().replace(preset=preset)) == Path("runs/cartpole") / folder / "seed0"
