"""An interrupted run ends as one that was never disturbed, bit for bit; damage costs one checkpoint at most."""

import dataclasses
import json
import os
import pty
import select
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import zstandard
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from atari_dqn.cli import main
from atari_dqn.dqn.exploration import EpsilonGreedy
from atari_dqn.errors import UsageError
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.report.read_runs import read_run
from atari_dqn.runs.logger import RunLogger
from atari_dqn.runs.monitor import Monitor
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments, segments_of
from atari_dqn.storage.saver import Saver
from atari_dqn.storage.steps import list_steps, step_directory
from atari_dqn.types import EpisodeScore
from benchmarks.compare_runs import differences
from tests.fakes import ScriptedEnvs
from tests.warm_process import A_SCRIPT, COMMAND_LINE, WarmProcess

ROOT = Path(__file__).parent.parent
CARTPOLE = (
    "cartpole --total-steps 4000 --learning-starts 200 --capacity 1500 --eval-period 1000 --eval-steps 200 "
    "--log-period 200 --checkpoint-period 400 --torch-threads 1 --epsilon-decay-steps 2000 --batch-size 32 "
    "--film-seconds 0"
).split()
PONG = (  # games of 70 steps: of the first one of an evaluation every step is played, which else are 760
    "pong --preset quick --total-steps 400 --num-envs 2 --learning-starts 100 --capacity 200 --eval-period 200 "
    "--eval-steps 70 --eval-num-envs 1 --max-episode-steps 70 --log-period 50 --checkpoint-period 50 "
    "--torch-threads 1 --env-threads 1 --precision fp32 --batch-size 4 --hidden-sizes 64 "
    "--film-seconds 0 --learning-rate-end-ratio 1"  # else it would depend on --total-steps
).split()


def train(words, folder, *more):
    return main(["train", *words, "--run-dir", str(folder), *more])


def process(words, folder, *more, code=COMMAND_LINE):
    """The same command in a process of its own."""
    return WarmProcess(code, ["train", *words, "--run-dir", folder, *more], {"OMP_NUM_THREADS": "1"})


def assert_same(folder, quiet):
    assert differences(folder, quiet) == []


@pytest.fixture(scope="module")
def quiet_cartpole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet") / "run"
    assert train(CARTPOLE, folder) == 0
    return folder


def test_a_run_killed_eight_times_ends_as_the_quiet_one(tmp_path):
    soak = [ROOT / "benchmarks/soak.py", "--kills", "8", "--longest", "0.8", "--folder", tmp_path / "soak"]
    done = WarmProcess(A_SCRIPT, soak, {"OMP_NUM_THREADS": "1"})
    output, errors = done.communicate(timeout=600)
    assert done.returncode == 0, output + errors
    result = json.loads(output.splitlines()[-1])
    assert result["equal"]
    assert sum(result["ended"].values()) + len(result["ends_at"]) in (9, 10)  # a life may reach the first end itself
    assert len(result["ends_at"]) == 2


def test_a_recipe_counted_in_games_and_interrupted_again_and_again_ends_as_the_quiet_one(tmp_path):
    recipe = "cartpole --preset cartpole_tf2 --log-period 200 --checkpoint-period 300".split()
    goes_on = ["--resume", "--total-episodes"]
    assert train([*recipe, "--eval-period-episodes", "7"], tmp_path / "quiet", "--total-episodes", "24") == 0
    assert train([*recipe, "--eval-period-episodes", "7"], tmp_path / "run", "--total-episodes", "11") == 0
    for games in ("17", "24"):
        # the end of a run is evaluated and saved; an interruption is not an end
        newest = list_steps(tmp_path / "run/checkpoints")[-1]
        shutil.rmtree(newest)
        assert train(recipe, tmp_path / "run", *goes_on, games) == 0
    assert_same(tmp_path / "run", tmp_path / "quiet")


def test_worker_processes_dealt_out_anew_end_as_the_quiet_run(tmp_path):
    """With screens that become frames beside the replay; resumed on other processes."""
    words = [*PONG, "--num-envs", "4", "--backend", "workers", "--resize", "replay", "--env-groups", "2"]
    assert train(words, tmp_path / "quiet") == 0
    assert train(words, tmp_path / "run", "--total-steps", "204", "--env-threads", "2") == 0
    shutil.rmtree(step_directory(tmp_path / "run/checkpoints", 204))
    assert train(words, tmp_path / "run", "--resume", "--env-threads", "3") == 0
    assert_same(tmp_path / "run", tmp_path / "quiet")


@pytest.mark.parametrize("groups", ["1", "2"])
def test_pong_interrupted_again_and_again_ends_as_the_quiet_run(groups, tmp_path):
    turns = ["--env-groups", groups]
    assert train(PONG, tmp_path / "quiet", *turns) == 0
    assert train(PONG, tmp_path / "run", *turns, "--total-steps", "154") == 0
    # the end of a run is evaluated; an interruption is not an end
    shutil.rmtree(step_directory(tmp_path / "run/checkpoints", 154))
    for steps in ("254", "400") if groups == "1" else ("400",):
        assert train(PONG, tmp_path / "run", "--resume", "--total-steps", steps) == 0
        if steps != "400":
            shutil.rmtree(step_directory(tmp_path / "run/checkpoints", int(steps)))
    assert_same(tmp_path / "run", tmp_path / "quiet")


def test_a_run_interrupted_before_its_first_step_ends_as_the_quiet_one(tmp_path, quiet_cartpole, monkeypatch):
    start = FrameReplay.start

    def interrupted(replay, step):
        start(replay, step)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(FrameReplay, "start", interrupted)
        assert train(CARTPOLE, tmp_path / "run") == 128 + signal.SIGTERM
    assert list_steps(tmp_path / "run/checkpoints")[-1].name == "step_0000000000"
    assert train(CARTPOLE, tmp_path / "run", "--resume") == 0
    assert_same(tmp_path / "run", quiet_cartpole)


def interrupt_in_evaluation(patch, step):
    """SIGTERM within the evaluation of an agent step."""
    monitored = Monitor.play

    def interrupted(monitor, at, should_stop):
        if at == step:
            signal.raise_signal(signal.SIGTERM)
        return monitored(monitor, at, should_stop)

    patch.setattr(Monitor, "play", interrupted)


@pytest.mark.parametrize("step", [3000, 4000])
def test_a_run_interrupted_in_an_evaluation_ends_as_the_quiet_one(step, tmp_path, quiet_cartpole, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_in_evaluation(patch, step)
        assert train(CARTPOLE, tmp_path / "run") == 128 + signal.SIGTERM
    assert train(CARTPOLE, tmp_path / "run", "--resume") == 0
    assert_same(tmp_path / "run", quiet_cartpole)


KILL_AFTER_EVALUATION = """
import os, signal
from atari_dqn.runs.logger import RunLogger
written = RunLogger.evaluation
def fatal(logger, row, step):
    written(logger, row, step)
    logger.flush()
    os.kill(os.getpid(), signal.SIGKILL)
RunLogger.evaluation = fatal
from atari_dqn.cli import entry
entry()
"""


@pytest.mark.parametrize("step", [3000, 4000])
def test_a_kill_after_an_evaluation_that_a_resume_owed_leaves_no_row_twice(step, tmp_path, quiet_cartpole, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_in_evaluation(patch, step)
        assert train(CARTPOLE, tmp_path / "run") == 128 + signal.SIGTERM
    killed = process(CARTPOLE, tmp_path / "run", "--resume", code=KILL_AFTER_EVALUATION)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert train(CARTPOLE, tmp_path / "run", "--resume") == 0
    assert_same(tmp_path / "run", quiet_cartpole)
    shown = board_steps(tmp_path / "run")
    assert shown == board_steps(quiet_cartpole)
    assert shown["eval/episode_return"].count(step) == 1
    assert shown["train/epsilon"].count(step) == 1


def test_nor_does_a_kill_after_the_evaluation_of_step_0(tmp_path, monkeypatch):
    recipe = [*CARTPOLE, "--total-steps", "400", "--eval-period", "300", "--eval-early-steps", "0"]
    run, at_0 = tmp_path / "run", step_directory(tmp_path / "run/checkpoints", 0)
    with monkeypatch.context() as patch:
        interrupt_in_evaluation(patch, 0)
        assert train(recipe, run) == 128 + signal.SIGTERM
    shutil.copytree(at_0, tmp_path / "before")
    with monkeypatch.context() as patch:  # the resume evaluates step 0, and dies in its first vector step
        patch.setattr(EpsilonGreedy, "act", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        assert train(recipe, run, "--resume") == 130
    counters = checkpoint.load(at_0)[0]["counters"]
    assert (counters["step"], counters["best_step"]) == (0, 0), "the best network is saved with its score"
    shutil.rmtree(at_0)
    (tmp_path / "before").rename(at_0)  # as if it had died before this save was whole
    assert train(recipe, run, "--resume") == 0
    rows = (run / "evals.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "0", "304", "400"]
    assert board_steps(run)["eval/episode_return"] == [0, 304, 400]


def board_steps(folder):
    """The agent steps of each curve, as TensorBoard shows them."""
    board = EventAccumulator(str(folder)).Reload()
    return {tag: [point.step for point in board.Tensors(tag)] for tag in board.PluginTagToContent("scalars")}


def test_the_best_network_of_a_run_interrupted_in_its_last_evaluation_can_be_evaluated(tmp_path, monkeypatch, capsys):
    recipe = [*CARTPOLE, "--total-steps", "2000"]
    means = {1000: 1.0, 2000: 2.0}  # the last evaluation is the best one
    monkeypatch.setattr(Monitor, "play", lambda monitor, at, should_stop: [EpisodeScore(0, 0, means[at], 1)])
    with monkeypatch.context() as patch:
        interrupt_in_evaluation(patch, 2000)
        patch.setattr(Monitor, "play", given_up(Monitor.play))
        assert train(recipe, tmp_path / "run") == 128 + signal.SIGTERM
    assert train(recipe, tmp_path / "run", "--resume") == 0
    best = ["evaluate", str(tmp_path / "run"), "--checkpoint", "best", "--episodes", "1", "--no-write"]
    assert main(best) == 0
    assert "checkpoint of step 2,000" in capsys.readouterr().out


def given_up(play):
    """The evaluation, but None where it was asked to stop, as the real one."""

    def call(monitor, at, should_stop):
        scores = play(monitor, at, should_stop)
        return None if should_stop() else scores

    return call


# Kills the process at the n-th call of anything that changes the disk while a checkpoint is written.
KILL_IN_SAVE = """
import os, signal, sys
from atari_dqn.storage import checkpoint
from atari_dqn.storage import frame_segments
left = int(os.environ["KILL_AT"])
def fatal(function):
    def call(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
for module, name in ((os, "fsync"), (os, "replace"), (checkpoint, "save_file"), (checkpoint.shutil, "rmtree")):
    setattr(module, name, fatal(getattr(module, name)))
from atari_dqn.cli import entry
entry()
"""


@pytest.mark.parametrize("at", [31, 34, 37, 40])
def test_a_kill_inside_a_save_costs_at_most_that_checkpoint(at, tmp_path, quiet_cartpole, monkeypatch):
    monkeypatch.setenv("KILL_AT", str(at))
    killed = process(CARTPOLE, tmp_path / "run", code=KILL_IN_SAVE)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert train(CARTPOLE, tmp_path / "run", "--resume") == 0
    assert_same(tmp_path / "run", quiet_cartpole)


@pytest.fixture
def finished(tmp_path, quiet_cartpole):
    """A copy of a finished run, at another place than where it was made."""
    shutil.copytree(quiet_cartpole, tmp_path / "moved")
    return tmp_path / "moved"


def test_a_moved_run_goes_on_and_says_since_when_it_counts_its_time(finished, capsys):
    before = json.loads((finished / "DONE").read_text())
    assert before["since_step"] == 0
    assert train(CARTPOLE, finished, "--resume", "--total-steps", "4400", "--checkpoint-period", "100") == 0
    after = json.loads((finished / "DONE").read_text())
    assert (after["steps"], after["since_step"]) == (4400, before["steps"])
    assert f" s since step {before['steps']:,}, " in capsys.readouterr().err


def test_an_extension_is_stored_and_a_run_that_goes_on_is_not_done(finished, monkeypatch, capsys):
    record = RunLogger.log

    def interrupted(logger, step, values):
        record(logger, step, values)
        if step == 4400:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(RunLogger, "log", interrupted)
        assert train(CARTPOLE, finished, "--resume", "--total-steps", "4800") == 128 + signal.SIGTERM
    assert not (finished / "DONE").exists()
    assert not read_run(finished, []).finished
    capsys.readouterr()
    assert main(["train", "cartpole", "--resume", "--run-dir", str(finished)]) == 0
    assert json.loads((finished / "DONE").read_text())["steps"] == 4800
    assert "step size" not in capsys.readouterr().err


def test_a_resume_of_a_finished_run_changes_nothing_of_its_summary(finished, capsys):
    before = (finished / "DONE").read_bytes()
    assert train(CARTPOLE, finished, "--resume") == 0
    assert (finished / "DONE").read_bytes() == before
    assert "is finished, at step 4,000; a larger --total-steps makes it longer" in capsys.readouterr().err
    (finished / "DONE").write_text("{")  # as a broken disk leaves it
    assert train(CARTPOLE, finished, "--resume") == 0
    assert json.loads((finished / "DONE").read_text())["frames_per_second"] is None  # nothing was played


def test_an_extension_that_makes_the_step_size_jump_says_so_and_the_step_size_is_logged(tmp_path, capsys):
    falling = [*CARTPOLE, "--learning-rate", "0.001", "--learning-rate-end-ratio", "0.1", "--total-steps"]
    assert train([*falling, "1200"], tmp_path / "run") == 0
    assert train([*falling, "2200"], tmp_path / "run", "--resume") == 0
    # learning starts at 200: at 1,200 it is 0.001 * 0.1, or half of the way there
    assert "from step 1,200 on it is 0.00055 instead of 0.0001" in capsys.readouterr().err
    records = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    logged = {record["step"]: record["train/learning_rate"] for record in records if "train/learning_rate" in record}
    assert logged[1200] == pytest.approx(0.0001)
    assert logged[2200] == pytest.approx(0.0001)
    assert logged[1400] == pytest.approx(0.00046)


@pytest.mark.parametrize("harm", ["cut", "flip", "gone", "tensors"])
def test_damage_is_named_and_the_checkpoint_before_is_used(harm, finished, quiet_cartpole, capsys):
    newest = list_steps(finished / "checkpoints")[-1]
    meta = checkpoint.read_meta(newest)
    path = finished / "checkpoints/frames" / meta["frames"][-1]["name"]
    if harm == "tensors":
        path = newest / checkpoint.TENSORS
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if harm == "cut" else content)
    assert train(CARTPOLE, finished, "--resume") == 0
    error = capsys.readouterr().err
    assert f"skipping the checkpoint {newest}" in error
    assert path.name in error
    assert len(list((finished / "checkpoints").glob(f"damaged_{newest.name}_*"))) == 1
    assert_same(finished, quiet_cartpole)


def test_without_its_replay_a_run_refills_and_says_so(finished, capsys):
    assert train(CARTPOLE, finished, "--resume", "--no-save-replay", "--total-steps", "4400") == 0
    assert "not an exact continuation" in capsys.readouterr().err
    newest = list_steps(finished / "checkpoints")[-1]
    assert checkpoint.read_meta(newest)["frames"] == []


DISK_IS_FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, BYTES))
from atari_dqn.cli import entry
entry()
"""


def test_a_full_disk_leaves_the_older_checkpoints(tmp_path, quiet_cartpole):
    folder = tmp_path / "run"
    assert train(CARTPOLE, folder, "--total-steps", "2300") == 0  # the newest checkpoint within is of step 2000
    shutil.rmtree(step_directory(folder / "checkpoints", 2304))
    older = list_steps(folder / "checkpoints")
    limit = 3 * max(path.stat().st_size for path in older[-1].iterdir()) // 4

    stopped = process(CARTPOLE, folder, "--resume", code=DISK_IS_FULL.replace("BYTES", str(limit)))
    _, error = stopped.communicate(timeout=60)
    assert stopped.returncode == 2, error
    assert "older checkpoints are intact" in error
    assert "Traceback" not in error
    assert list_steps(folder / "checkpoints") == older
    assert train(CARTPOLE, folder, "--resume") == 0
    assert_same(folder, quiet_cartpole)


def test_a_clock_that_goes_backwards_harms_nothing(tmp_path, quiet_cartpole, monkeypatch):
    clock = iter(range(10**9, 0, -1))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    assert train(CARTPOLE, tmp_path / "run") == 0
    assert_same(tmp_path / "run", quiet_cartpole)


@pytest.mark.parametrize("clocks", [(0.0, -86_400.0), (0.0, -1.7e9), (3_600.0, 0.0), (-86_400.0, 86_400.0)])
def test_tensorboard_shows_each_step_once_and_in_order_whatever_the_clock_says(clocks, tmp_path, monkeypatch):
    recipe, now = [*CARTPOLE, "--total-steps", "1200"], time.time
    monkeypatch.setattr(time, "time", lambda: now() + clocks[0])
    assert train(recipe, tmp_path / "run") == 0
    shutil.rmtree(step_directory(tmp_path / "run/checkpoints", 1200))  # as if killed after the one before
    monkeypatch.setattr(time, "time", lambda: now() + clocks[1])
    assert train(recipe, tmp_path / "run", "--resume") == 0
    points = EventAccumulator(str(tmp_path / "run")).Reload().Tensors("train/epsilon")
    assert [point.step for point in points] == list(range(200, 1201, 200))
    times = [point.wall_time for point in points]
    assert times == sorted(times)


HANGING_EMULATOR = """
import time
from atari_dqn.runs.safety import Watchdog
from atari_dqn.envs.classic import ClassicEnvs
def stuck_emulator(self):
    time.sleep(600)
ClassicEnvs.recv = stuck_emulator
Watchdog.__init__.__defaults__ = (2.0,)
from atari_dqn.cli import entry
entry()
"""


def test_an_emulator_that_hangs_ends_the_process_and_is_named(tmp_path):
    hanging = process(CARTPOLE, tmp_path / "run", code=HANGING_EMULATOR)
    _, error = hanging.communicate(timeout=60)
    assert hanging.returncode == -signal.SIGKILL
    assert "in stuck_emulator" in error


STOPPED_FOR_LONG = """
from atari_dqn.runs.safety import Watchdog
Watchdog.__init__.__defaults__ = (2.0,)
from atari_dqn.cli import entry
entry()
"""


def test_a_process_that_was_stopped_goes_on(tmp_path):
    words = [*CARTPOLE, "--total-steps", "1000000"]
    stopped = process(words, tmp_path / "run", code=STOPPED_FOR_LONG)
    while not list_steps(tmp_path / "run/checkpoints"):
        assert stopped.poll() is None
        time.sleep(0.1)
    time.sleep(1.5)  # the watch has begun
    stopped.send_signal(signal.SIGSTOP)
    time.sleep(5)
    stopped.send_signal(signal.SIGCONT)
    time.sleep(2)
    stopped.send_signal(signal.SIGTERM)
    _, error = stopped.communicate(timeout=60)
    assert stopped.returncode == 128 + signal.SIGTERM, error
    assert "Go on with --resume" in error


def test_a_run_whose_terminal_is_closed_saves(tmp_path):
    child, terminal = pty.fork()
    if child == 0:
        os.environ["PYTHONPATH"] = str(ROOT)
        words = ["-m", "atari_dqn", "train", *CARTPOLE, "--total-steps", "1000000", "--run-dir", str(tmp_path / "run")]
        os.execv(sys.executable, [sys.executable, *words])
    while not (steps := list_steps(tmp_path / "run/checkpoints")):
        select.select([terminal], [], [], 0.1)
        os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    (newest,) = list_steps(tmp_path / "run/checkpoints")[-1:]
    assert int(newest.name[5:]) % 400 != 0 or newest > steps[-1]  # of the step at which it ended


# --- segments of frames


def filled(steps, *, capacity=30):
    envs = ScriptedEnvs(2, frame_shape=(3, 2))
    replay = FrameReplay(ReplayLayout(capacity, 2, (3, 2), "uint8", frame_stack=4))
    replay.start(envs.reset(None))
    for _ in range(steps):
        envs.send(np.zeros(2, int))
        replay.add(np.zeros(2, int), envs.recv())
    return replay, envs


@pytest.mark.parametrize("block_bytes", [1, 40, 2**20])
def test_pieces_hold_what_is_new_and_give_back_the_ring(block_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr("atari_dqn.storage.frame_segments.BLOCK_BYTES", block_bytes)
    replay, envs = filled(5)
    store = FrameSegments(tmp_path / "frames")
    for step in range(1, 8):
        listed = store.write(replay.ring, replay.ring.times, step)
        assert sum(path.stat().st_size for path in (tmp_path / "frames").iterdir()) <= 12 * (replay.ring.time + 1)
        other = FrameReplay(ReplayLayout(30, 2, (3, 2), "uint8", frame_stack=4))
        other.load_state_dict(replay.state_dict())
        FrameSegments(tmp_path / "frames").read(other.ring, segments_of({"frames": listed}))
        assert torch.equal(other.ring.frames.pixels, replay.ring.frames.pixels)
        for _ in range(7):
            envs.send(np.zeros(2, int))
            replay.add(np.zeros(2, int), envs.recv())
    checkpoint.save(tmp_path / "step_0000000009", {}, {"frames": listed})
    store.prune([tmp_path / "step_0000000009"])
    assert len(list((tmp_path / "frames").iterdir())) == len(listed) < 7


def test_frames_are_compressed_and_raw_ones_of_older_versions_are_read(tmp_path):
    layout = ReplayLayout(capacity=400, num_envs=2, frame_shape=(40, 40), frame_dtype="uint8", frame_stack=2)
    replay, envs = FrameReplay(layout), ScriptedEnvs(2, frame_shape=(40, 40))
    replay.start(envs.reset(None))
    store = FrameSegments(tmp_path)
    for _ in range(60):
        envs.send(np.zeros(2, np.int64))
        replay.add(np.zeros(2, np.int64), envs.recv())
    (segment,) = segments_of({"frames": store.write(replay.ring, replay.ring.times, 60)})
    packed = tmp_path / segment.name
    assert packed.stat().st_size < 0.05 * 61 * 2 * 40 * 40  # each frame is of one shade
    with packed.open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file).read()
    (tmp_path / "step_0000000060.bin").write_bytes(raw)
    older = dataclasses.replace(segment, name="step_0000000060.bin")
    for kind in (segment, older):
        other = FrameReplay(layout)
        other.load_state_dict(replay.state_dict())
        FrameSegments(tmp_path).read(other.ring, [kind])
        assert (other.ring.read(*_all(other.ring)) == replay.ring.read(*_all(replay.ring))).all()
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(UsageError, match="cut off|damaged"):
        FrameSegments(tmp_path).read(other.ring, [segment])


def _all(ring):
    first, last = ring.times
    return first, last - first + 1


def test_a_piece_cannot_lead_out_of_its_folder(tmp_path):
    replay, _ = filled(5)
    listed = FrameSegments(tmp_path / "frames").write(replay.ring, replay.ring.times, 1)
    listed[0]["name"] = "../" + listed[0]["name"]
    with pytest.raises(UsageError, match=r"^frames\[0\]\.\w+ is "):
        segments_of({"frames": listed})


# --- the saver's thread


@pytest.fixture
def slow_disk(monkeypatch):
    """Every write of a segment waits until the test lets go."""
    gate = threading.Event()
    write = FrameSegments.write

    def wait_and_write(*arguments):
        assert gate.wait(30)
        return write(*arguments)

    monkeypatch.setattr(FrameSegments, "write", wait_and_write)
    yield gate
    gate.set()


def test_play_goes_on_while_a_checkpoint_is_written_and_waits_before_it_replaces_a_frame(tmp_path, slow_disk):
    replay, envs = filled(5)
    saver = Saver(tmp_path, replay.ring, FrameSegments(tmp_path / "frames"))
    counter = np.zeros(3)
    saver.save(10, {"counter": counter, "replay": replay.state_dict()}, {}, best_step=-1)
    counter += 1  # the checkpoint holds what was
    before = replay.ring.frames.pixels.clone()

    def play(steps):
        for _ in range(steps):
            envs.send(np.zeros(2, int))
            saver.before_add()
            replay.add(np.zeros(2, int), envs.recv())

    free = replay.ring.num_times - len(range(replay.ring.times[0], replay.ring.times[1] + 1))
    play(free)
    assert list_steps(tmp_path) == []
    threading.Timer(0.3, slow_disk.set).start()
    play(1)  # waits for the timer
    (saved,) = list_steps(tmp_path)
    state, meta = checkpoint.load(saved)
    assert state["counter"].tolist() == [0, 0, 0]
    other = FrameReplay(ReplayLayout(30, 2, (3, 2), "uint8", frame_stack=4))
    other.load_state_dict(state["replay"])
    FrameSegments(tmp_path / "frames").read(other.ring, segments_of(meta))
    assert torch.equal(other.ring.frames.pixels[:12], before[:12])


def test_the_best_checkpoint_of_the_one_before_the_newest_stays(tmp_path):
    replay, _ = filled(5)
    saver = Saver(tmp_path, replay.ring, FrameSegments(tmp_path / "frames"))
    for step, best in ((1, 1), (2, 1), (3, 1), (4, 4), (5, 4)):
        saver.save(step, {}, {}, best_step=best)
        saver.wait()
        assert step_directory(tmp_path, 1).exists() == (step < 5)  # at 4, a resume may yet go back to 3
    assert [path.name[-1] for path in list_steps(tmp_path)] == ["4", "5"]


def test_a_save_that_failed_is_told_at_the_next_step(tmp_path, monkeypatch):
    replay, _ = filled(5)
    saver = Saver(tmp_path, replay.ring, FrameSegments(tmp_path / "frames"))
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    saver.save(10, {}, {}, best_step=-1)
    with pytest.raises(UsageError, match="No space left on device.*older checkpoints are intact"):
        for _ in range(3000):
            saver.before_add()
            time.sleep(0.01)
    saver.wait()  # told once
