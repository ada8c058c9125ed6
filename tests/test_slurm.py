"""A suite on Slurm, which submitit's local executor plays on this machine; what sbatch is told; what is refused."""

import os
import signal
import sys
import threading
from collections import Counter

import psutil
import pytest

from atari_dqn.cli import main
from atari_dqn.errors import UsageError
from atari_dqn.suite import on_slurm as slurm_engine
from atari_dqn.suite.cluster import LOST_AT_MOST, may_go_on
from atari_dqn.suite.jobs import LOG
from atari_dqn.suite.table import Table
from tests.suite_runs import runs_in, wait_for_checkpoint

SUITE = "suite --games cartpole --engine slurm"


ONE_CORE = slurm_engine.Allocation(cpus=1, gpus=0, hours=1.0, options={})


def run_on_slurm(runs, folder):
    with Table("jobs") as table:
        return slurm_engine.run(runs, runs_dir=folder, allocation=ONE_CORE, table=table, cluster="local")


def when_there_is_a_checkpoint(run, act):
    def wait_and_act():
        wait_for_checkpoint(run)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_a_job_that_is_preempted_saves_and_goes_on_as_a_new_one(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    sent, submit = [], submitit.AutoExecutor.submit
    monkeypatch.setattr(submitit.AutoExecutor, "submit", lambda *words: sent.append(submit(*words)) or sent[-1])
    (run,) = runs_in(tmp_path, [0], steps=4_000, evaluate=False)

    def preempt():  # the controller is the job; what Slurm would signal is its child
        (task,) = psutil.Process(int(sent[0].job_id)).children()
        task.send_signal(signal.SIGUSR2)

    thread = when_there_is_a_checkpoint(run, preempt)
    assert run_on_slurm([run], tmp_path) is None
    thread.join()
    assert run.state == "finished"
    said = (run.job.folder / LOG).read_text()
    assert said.count("# Slurm job") == 2  # put back into the queue by the job itself, so it was sent once
    assert len(sent) == 1
    assert said.index("interrupted at step") < said.index("resuming from") < said.index("done: 4,000 steps")


class Sent:
    """A job of submitit's that runs until the stop file appears."""

    def __init__(self, stop_file):
        self.stop_file, self.cancelled = stop_file, False

    def done(self):
        return self.stop_file.exists()

    def cancel(self, check):
        self.cancelled = True


def test_ctrl_c_lets_the_jobs_save_and_end(tmp_path):
    running, queued = runs_in(tmp_path, [0, 1])
    running.state = "running"
    jobs = [Sent(tmp_path / "stop"), Sent(tmp_path / "stop")]
    jobs[1].done = lambda: False  # Slurm's accounts, if it keeps any, say so later
    slurm_engine.stop_jobs(list(zip(jobs, (running, queued), strict=True)), tmp_path / "stop", [signal.SIGINT])
    assert [(job.cancelled, run.state) for job, run in zip(jobs, (running, queued), strict=True)] == [
        (False, "stopped"), (True, "stopped"),
    ]  # fmt: skip
    answer = slurm_engine.SlurmTask()(running.job, running.settings, tmp_path / "stop")  # one that begins too late
    assert answer == ("stopped", "")
    assert "# Slurm job none on " in (running.job.folder / LOG).read_text()


class Ended:
    """A job of submitit's that has ended in some way."""

    job_id, state = "12", "NODE_FAIL"

    def __init__(self, error, accounts=True):
        self.error, self.accounts = error, accounts

    def done(self, force_check=False):
        return self.accounts

    def exception(self):
        return self.error

    def result(self):
        return "finished", ""


def test_a_job_that_is_lost_with_its_node_is_sent_again_so_many_times(tmp_path):
    utils = pytest.importorskip("submitit.core.utils")
    (run,) = runs_in(tmp_path, [0])
    lost = Counter()
    assert slurm_engine.take_result(Ended(None), run) and run.state == "finished"
    for _ in range(LOST_AT_MOST):
        assert not slurm_engine.take_result(Ended(utils.UncompletedJobError("no result")), run)
        assert may_go_on(run, lost)
    assert run.note == "lost (Slurm job 12: NODE_FAIL), sent again: it goes on from its checkpoint"
    assert not slurm_engine.take_result(Ended(utils.UncompletedJobError("no result")), run)
    assert not may_go_on(run, lost)
    assert run.state == "failed"
    assert not slurm_engine.take_result(Ended(None, accounts=False), run)
    assert (run.state, run.note) == ("queued", "lost (Slurm job 12: no longer in the queue)")


def test_a_job_that_slurm_ends_saves_and_answers_nothing(tmp_path, monkeypatch):
    (run,) = runs_in(tmp_path, [0])
    asked, task = [], slurm_engine.SlurmTask()

    class Running:  # in place of JobRun
        def __init__(self, *_):
            pass

        def poll(self):
            signal.raise_signal(signal.SIGTERM)  # as scancel does, and a preemption

        def stop(self, by):
            asked.append(by)
            signal.raise_signal(signal.SIGTERM)  # once more, while it saves

        def alive(self):
            return False

    monkeypatch.setattr(slurm_engine, "JobRun", Running)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        task(run.job, run.settings, tmp_path / "stop")
    assert ended.value.code == 143  # so it is sent again
    assert asked == [signal.SIGINT]  # Slurm's SIGTERM reaches the run, too, which takes a second one to mean "at once"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_that_left_the_queue_is_noticed_without_slurms_accounts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm_engine, "QUEUE_SECONDS", 0.0)
    squeue, queue = tmp_path / "squeue", slurm_engine.Queue()
    squeue.write_text("#!/bin/sh\necho 1 RUNNING; echo 2 CANCELLED; echo 4 SUSPENDED\n")
    squeue.chmod(0o755)
    for _ in range(slurm_engine.GONE_AFTER):
        assert not any(map(queue.lacks, "1234"))
        queue.look("1234")
    assert [number for number in "1234" if queue.lacks(number)] == ["2", "3"]
    squeue.write_text("#!/bin/sh\nexit 1\n")  # its controller is away for a moment
    assert slurm_engine.jobs_in_queue() is None


@pytest.fixture
def fake_slurm(tmp_path, monkeypatch):
    """A machine with Slurm's commands, whose sbatch refuses everything."""
    pytest.importorskip("submitit")
    for name, script in {"srun": "exit 1", "sbatch": "echo sbatch: error: invalid partition: gpu >&2; exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def test_sbatch_is_told_what_a_job_needs(fake_slurm, tmp_path):
    options = {"partition": "a b", "mem": "16G"}
    allocation = slurm_engine.Allocation(cpus=4, gpus=1, hours=1.5, options=options)
    executor = slurm_engine.make_executor(tmp_path, allocation)
    lines = executor._executor._make_submission_file_text("run this", "uid").splitlines()
    for option in ("cpus-per-task=4", "gpus-per-node=1", "time=90", "partition='a b'", "mem=16G", "signal=USR2@120"):
        assert f"#SBATCH --{option}" in lines


def test_what_slurm_refuses_is_told_in_one_message(fake_slurm, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*SUITE.split(), "--slurm", "partition=gpu"]) == 2
    text = capsys.readouterr().err
    assert "Slurm refuses the jobs (sbatch: error: invalid partition: gpu); check --slurm" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("", "no Slurm here: srun is not found"),
        ("--slurm partition", "--slurm has 'partition'; it takes options of sbatch as NAME=VALUE"),
        ("--gpus-per-job 0.25", "gpus_per_job is 0.25; Slurm gives whole ones only"),
        ("--cpus-per-job 0", "cpus_per_job is 0; Slurm gives whole ones only, at least 1"),
        ("--hours-per-job nan", "hours_per_job is nan; it must lie in"),
        ("--jobs 4", "--jobs is 4, which does nothing with engine slurm: it is for local"),
        ("--engine local --slurm partition=gpu", "does nothing with engine local: it is for slurm"),
    ],
)
def test_what_cannot_work_is_refused(flags, message, tmp_path, monkeypatch, capsys):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    monkeypatch.chdir(tmp_path)
    words = [word for word in SUITE.split() if "--engine local" not in flags or word not in ("--engine", "slurm")]
    assert main([*words, *flags.split()]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*/*"))


def test_without_submitit_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r"needs the 'slurm' extra: pip install 'atari-dqn\[slurm\]'"):
        slurm_engine.make_executor(tmp_path, ONE_CORE)
