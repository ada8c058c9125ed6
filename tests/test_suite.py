"""Suites: what a job lacks, crashes that stay alone, signals, and one real suite that is killed and goes on."""

import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from atari_dqn.commands.suite import split_flags
from atari_dqn.envs import spec_of
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, nature
from atari_dqn.published.scores import atari_10, atari_57
from atari_dqn.runs.folder import RunFolder
from atari_dqn.runs.lock import in_use, lock
from atari_dqn.suite import cost
from atari_dqn.suite import jobs as suite
from atari_dqn.suite import local as local_engine
from atari_dqn.suite import table as suite_table
from atari_dqn.suite.jobs import LOG, JobRun, Settings, make_jobs, next_stage
from atari_dqn.suite.table import Progress, Table, counts, job_table, read_progress
from tests.command_line import exit_code, refused
from tests.warm_process import COMMAND_LINE, WarmProcess

TINY = (
    "--total-steps 400 --learning-starts 100 --capacity 400 --eval-period 200 --eval-steps 50 --log-period 100 "
    "--checkpoint-period 100 --epsilon-decay-steps 300 --batch-size 32"
).split()

# stands in for `python -m atari_dqn`: does what its seed says, and leaves what a run would leave
PRETENDER = """
import json, os, pathlib, signal, sys, time
words = sys.argv[1:]
if words[0] == "train":
    seed, folder = int(words[words.index("--seed") + 1]), pathlib.Path(words[words.index("--run-dir") + 1])
    tries = folder / "tries"
    tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
    count = len(tries.read_text())
    print("training", seed, "try", count, flush=True)
    if seed == 1 and count == 1: os.kill(os.getpid(), signal.SIGKILL)
    if seed == 2: print("ValueError: broken"); sys.exit(1)
    if seed == 3: print("atari-dqn: gamma is 7"); sys.exit(2)
    if seed == 4: (folder / "config.json").write_text(""); sys.exit(0)  # all well, says it, but leaves no result
    if seed == 5:
        signal.signal(signal.SIGTERM, lambda *_: ((folder / "saved").write_text(""), sys.exit(143)))
        (folder / "ready").write_text("")
        time.sleep(60)
    done = {"steps": 400, "episodes": 9, "best_eval_step": 200, "frames_per_second": 80.0}
    (folder / "DONE").write_text(json.dumps(done))
else:
    folder, which = pathlib.Path(words[1]), words[words.index("--checkpoint") + 1]
    (folder / "evaluations").mkdir(exist_ok=True)
    result = {"game": "cartpole", "protocol": "greedy", "human_pair": "zoo", "episodes": 1, "mean": 9.0, "std": 0.0}
    step = 400 if which == "last" else 200
    (folder / "evaluations" / f"greedy_{which}.json").write_text(json.dumps(result | {"step": step}))
"""


@pytest.fixture
def pretend(monkeypatch):
    def start(words, folder, environment):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / suite.LOG).open("ab") as log:
            command = [sys.executable, "-S", "-c", PRETENDER, *words]
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    monkeypatch.setattr(suite, "start_process", start)


def jobs_of(tmp_path, seeds, **settings):
    config = cartpole().replace(total_steps=400, learning_starts=200, **settings)
    return make_jobs([config.replace(seed=seed) for seed in seeds], tmp_path)


def run_all(jobs, settings=None, slots=3):
    runs = [JobRun(job, settings or Settings()) for job in jobs]
    with Table("jobs") as table:
        return runs, local_engine.run(runs, slots=slots, table=table)


def tries(run):
    return len((run.job.folder / "tries").read_text())


def test_a_crash_is_resumed_once_bad_input_never_and_the_others_go_on(tmp_path, pretend, capsys):
    runs, stopped_by = run_all(jobs_of(tmp_path, [0, 1, 2, 3, 4]))
    assert stopped_by is None
    assert [run.state for run in runs] == ["finished", "finished", "failed", "failed", "failed"]
    assert [tries(run) for run in runs] == [1, 2, 2, 1, 1]
    assert "exit code 1; ValueError: broken" in runs[2].note
    assert "exit code 2; atari-dqn: gamma is 7" in runs[3].note
    assert "left no result" in runs[4].note
    assert counts(runs) == "2 finished, 3 failed"
    lines = capsys.readouterr().err.splitlines()
    assert "cartpole seed 1: running, train, attempt 2" in lines
    assert "cartpole seed 0: finished" in lines


def test_a_finished_job_starts_nothing_and_an_evaluation_that_is_missing_is_made_up_for(tmp_path, pretend):
    jobs = jobs_of(tmp_path, [0])
    run_all(jobs)
    runs, _ = run_all(jobs)
    assert (runs[0].state, runs[0].note, tries(runs[0])) == ("finished", "finished before", 1)
    (jobs[0].folder / "evaluations" / "greedy_best.json").unlink()
    assert next_stage(jobs[0], Settings()).name == "evaluate best"
    assert next_stage(jobs[0], Settings(evaluate=False)) is None
    # a longer run is wanted: the stored one goes on, and then is evaluated again
    longer = dataclasses.replace(jobs[0], config=jobs[0].config.replace(total_steps=800))
    assert next_stage(longer, Settings()).name == "train"


def test_no_more_than_the_slots_run_side_by_side(tmp_path, monkeypatch):
    running, most = set(), []

    class Fake(JobRun):
        polls = 0

        def poll(self):
            self.state = "running"
            running.add(self.job.name)
            most.append(len(running))
            self.polls += 1
            if self.polls > 3:
                running.discard(self.job.name)
                self.state = "finished"
            return self.state == "finished"

    monkeypatch.setattr(local_engine, "POLL_SECONDS", 0.0)
    runs = [Fake(job, Settings()) for job in jobs_of(tmp_path, range(5))]
    with Table("jobs") as table:
        local_engine.run(runs, slots=2, table=table)
    assert max(most) == 2
    assert {run.state for run in runs} == {"finished"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_jobs_save_and_end(tmp_path, pretend, number):
    def interrupt():
        while not (tmp_path / "cartpole/cartpole/seed5/ready").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    thread = threading.Thread(target=interrupt)
    thread.start()
    runs, stopped_by = run_all(jobs_of(tmp_path, [5, 0]), slots=1)
    thread.join()
    assert stopped_by == number
    assert [run.state for run in runs] == ["stopped", "stopped"]
    assert (runs[0].job.folder / "saved").exists()
    assert not (runs[1].job.folder / "tries").exists()
    assert signal.getsignal(number) == before


def test_a_job_waits_for_a_process_that_trains_in_its_folder_and_lets_others_go_first(tmp_path, pretend):
    jobs = jobs_of(tmp_path, [0, 6, 7])
    RunFolder.create(jobs[0].folder, jobs[0].config, [])
    ended, locked = [], threading.Event()

    def finish_elsewhere():
        with lock(jobs[0].folder):
            locked.set()
            while not (jobs[2].folder / "evaluations/greedy_best.json").exists():
                time.sleep(0.05)
            (jobs[0].folder / "DONE").write_text((jobs[2].folder / "DONE").read_text())
            ended.append(runs[0].note)

    runs = [JobRun(job, Settings()) for job in jobs]
    thread = threading.Thread(target=finish_elsewhere)
    thread.start()
    locked.wait()
    with Table("jobs") as table:
        local_engine.run(runs, slots=1, table=table)
    thread.join()
    assert ended == [f"waiting for process {os.getpid()}, which trains in the same folder"]
    assert [run.state for run in runs] == ["finished"] * 3


def test_who_comes_second_is_not_failed_by_what_the_first_has_done(tmp_path, monkeypatch):
    """Two suites look at a folder, both see that training is lacking, and one is refused by the other's run."""
    (job,) = jobs_of(tmp_path, [0])
    done = {"steps": 400, "episodes": 9, "best_eval_step": None}
    refused = [sys.executable, "-S", "-c", "print('atari-dqn: process 7 is training here'); raise SystemExit(2)"]

    def start(words, folder, environment):
        if words[0] == "train":
            folder.mkdir(parents=True)
            (folder / "DONE").write_text(json.dumps(done))  # the first one ends meanwhile
        return subprocess.Popen(refused, stdout=subprocess.DEVNULL)

    monkeypatch.setattr(suite, "start_process", start)
    run = JobRun(job, Settings(evaluate=False))
    while not run.poll():
        time.sleep(0.02)
    assert (run.state, run.retried) == ("finished", 0)


def test_the_words_of_a_job(tmp_path):
    (job,) = jobs_of(tmp_path, [3])
    settings = Settings(flags=(("--gamma", "0.9"), ("--total-steps", "400")), threads=4)
    begin = ["train", "cartpole", "--preset", "cartpole", "--seed", "3", "--run-dir", str(job.folder)]
    # the preset says one thread for the network; the emulators would take all cores, which the jobs share
    end = ["--total-steps", "400", "--env-threads", "4"]
    assert next_stage(job, settings).words == [*begin, "--gamma", "0.9", *end]
    RunFolder.create(job.folder, job.config, [])
    assert next_stage(job, settings).words == [*begin, "--resume", *end]
    (job,) = jobs_of(tmp_path, [4], torch_threads=0, env_threads=2)
    assert next_stage(job, settings).words[-2:] == ["--torch-threads", "4"]
    (job,) = jobs_of(tmp_path, [3], torch_threads=2, env_threads=1)
    (job.folder / "DONE").write_text(json.dumps({"steps": 400, "episodes": 3, "best_eval_step": None}))
    threads = ["--env-threads", "1", "--torch-threads", "2"]
    assert next_stage(job, settings).words[-6:-2] == threads, "the evaluation has them, too"


def test_a_folder_with_another_run_is_refused_and_what_the_machine_chose_is_not(tmp_path):
    (job,) = jobs_of(tmp_path, [0])
    RunFolder.create(job.folder, job.config.replace(gamma=0.5), [])
    with pytest.raises(UsageError, match=r"holds another run \(gamma 0.5, not 0.99\)"):
        jobs_of(tmp_path, [0])
    RunFolder.create(tmp_path / "pong/nature/seed0", nature().replace(compile="off", device="cpu"), [])
    make_jobs([nature().replace(precision="auto")], tmp_path)


def test_own_flags_and_those_of_train_are_told_apart():
    words = "--games pong breakout --gamma 0.9 --hidden-sizes 8 8 --no-evaluate --no-overlap --runs-dir=x --seeds 1 2"
    own, passed = split_flags(words.split())
    assert own == "--games pong breakout --no-evaluate --runs-dir=x --seeds 1 2".split()
    assert passed == (("--gamma", "0.9"), ("--hidden-sizes", "8", "8"), ("--no-overlap",))


def test_gpus_are_dealt_to_the_slots_where_there_are_several(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [local_engine.gpu_of(slot, "auto") for slot in range(3)] == [
        {"CUDA_VISIBLE_DEVICES": gpu} for gpu in ("4", "6", "4")
    ]
    assert local_engine.gpu_of(0, "cuda:1") == {}
    assert local_engine.gpu_of(0, "cpu") == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    assert local_engine.gpu_of(1, "auto") == {}


def test_atari10_is_ten_of_the_57():
    assert len(set(atari_10())) == 10
    assert set(atari_10()) <= set(atari_57())


def test_progress_is_read_from_files_that_are_being_written(tmp_path):
    assert read_progress(tmp_path) == (None, None, None)
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 100, "time/steps_per_second": 50.0}\n{"step": 200, "eval/episode_return": 3}\n{"step": 30'
    )
    (tmp_path / "evals.csv").write_text("step,frames,protocol,episodes,mean,std\n200,800,monitor,3,1.5,0\n300,12")
    assert read_progress(tmp_path) == (200, 50.0, 1.5)
    (tmp_path / "DONE").write_text(json.dumps({"steps": 250, "episodes": 3, "best_eval_step": None}))
    assert read_progress(tmp_path) == (250, 50.0, 1.5), "a run may end between two points"


def test_the_table_shows_what_needs_attention(tmp_path):
    runs = [JobRun(job, Settings()) for job in jobs_of(tmp_path, range(20))]
    runs[7].state, runs[7].note = "failed", "exit code 1"
    table = job_table(runs, "20 jobs")
    assert list(table.columns[0].cells) == ["cartpole seed 7", *(f"cartpole seed {seed}" for seed in range(3))]
    assert table.title == "20 jobs: 19 queued, 1 failed"
    runs[7].note = "at 123,456 of 999,999"
    console = Console(width=53, file=io.StringIO())
    console.print(job_table(runs, "20 jobs", 53))
    assert "  at \N{HORIZONTAL ELLIPSIS}\n" in re.sub(" +\n", "\n", console.file.getvalue()), "no half number"
    runs[7].note = "train: exit code 2; atari-dqn: " + "a reason " * 20
    console = Console(width=80, file=io.StringIO())
    console.print(job_table(runs, "20 jobs"))
    told = console.file.getvalue().splitlines()
    assert len(told) == 7 and "cartpole seed 7  failed" in told[2], "one line a job: the summary has the whole reason"
    assert told[-1].strip() == "evaluation: mean of the last one in training"
    runs[8].state, runs[8].note = "running", "evaluate best"
    runs[8].job.folder.mkdir(parents=True)
    (runs[8].job.folder / LOG).write_text("playing: 0 of 30 episodes\nplaying: 12 of 30 episodes, 8,120 agent steps\n")
    notes = list(job_table(runs, "20 jobs", 120).columns[-1].cells)
    assert str(notes[1]) == "evaluate best, 12 of 30 episodes, 8,120 agent steps"
    for few in runs[:5]:
        few.state = "finished"
    assert job_table(runs[:5], "").row_count == 5, "a few are shown all"


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (90, ["job", "state", "steps", "done", "steps/s", "evaluation"]),
        (72, ["job", "state", "steps", "done", "evaluation"]),
        (60, ["job", "state", "done", "evaluation"]),
        (48, ["job", "state", "done"]),
        (38, ["job", "state"]),
        (20, ["job", "state"]),
    ],
)
def test_a_narrow_table_leaves_columns_out_and_cuts_no_number(width, headings, tmp_path, monkeypatch):
    monkeypatch.setattr(suite_table, "read_progress", lambda folder: Progress(12_345_678, 1_234.0, -123_456.7))
    run = JobRun(jobs_of(tmp_path, [123_456_789])[0], Settings(), state="running", note="evaluate best")
    console = Console(width=width, file=io.StringIO())
    console.print(job_table([run], "a job", width))
    text = console.file.getvalue()
    heading = next(line for line in text.splitlines() if line.startswith("job"))
    assert heading.split() == headings
    numbers = {"steps": "12,345,678", "done": "100%", "steps/s": "1,234", "evaluation": "-123456.7"}
    for name in ("job", *headings):
        assert numbers.get(name, "123456789") in text
    assert ("last one in training" in " ".join(text.split())) == ("evaluation" in headings)
    assert max(map(len, text.splitlines())) <= width


def test_the_estimate_by_hand(tmp_path):
    # two slots: 10 + 20 in one, 15 in the other
    assert cost.seconds_left([10.0, 15.0, 20.0], 2) == 30.0
    spec = spec_of(nature())
    # a frame is 84 x 84 bytes and 11 bytes beside it; 4 rows more for each of 64 games, and one blank one
    rows = 1_000_000 + 64 * 4
    assert cost.memory_bytes(nature(), spec) == (rows + 1) * 84 * 84 + 11 * rows
    assert cost.rate_of_finished(tmp_path, cartpole()) is None
    for seed, frames in enumerate([10.0, 30.0, 20.0]):
        folder = tmp_path / f"cartpole/cartpole/seed{seed}"
        folder.mkdir(parents=True)
        summary = {"steps": 1, "episodes": 9, "best_eval_step": None, "frames_per_second": frames}
        (folder / "DONE").write_text(json.dumps(summary))
    assert cost.rate_of_finished(tmp_path, cartpole()).steps_per_second == 20.0


WRONG = [
    ("suite", "games"),
    ("suite --games", "games"),
    ("suite --games pongg", "did you mean pong"),
    ("suite --games pong cartpole --preset nature", "does not fit 'cartpole'"),
    ("suite --games pong --preset quik", "did you mean quick?"),
    ("suite --games pong --gamma 7", "gamma is 7"),
    ("suite --games pong --gama 0.9", "atari-dqn suite has no flag --gama; did you mean --gamma?"),
    ("suite --games pong --dryrun", "atari-dqn suite has no flag --dryrun; did you mean --dry-run?"),
    ("compare quick double --games pong --job 2", "atari-dqn compare has no flag --job; did you mean --jobs?"),
    ("suite --games pong --seed 3", "use --seeds"),
    ("suite --games pong --run-dir x", "use --runs-dir"),
    ("suite --games pong --resume", "it always does"),
    ("suite --games pong --seeds -1", "seed is -1"),
    ("suite --games pong --jobs 0", "jobs is 0"),
    ("suite --games pong --retries -1", "retries is -1"),
    ("suite --games pong --device cpu --capacity 90000000000", "lower --jobs or --capacity"),
    ("suite --games gym:Nothing-v0", "cannot make"),
    ("suite --games pong --total-steps 2000", "nothing would be learned; raise total_steps"),
]


@pytest.mark.parametrize(("line", "message"), WRONG, ids=[line for line, _ in WRONG])
def test_bad_input_is_one_message_and_exit_code_two(line, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *line.split())
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_measures_and_starts_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cost, "MEASURE_SECONDS", 0.2)
    assert exit_code("suite", "--games", "cartpole", "--seeds", "0", "1", "--jobs", "2", "--dry-run", *TINY) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "cartpole seed 1 train 400 " in text
    assert "MiB of replay each" in text
    assert "disk: up to" in text
    assert "measured here on cartpole" in text
    assert list(tmp_path.iterdir()) == []


def test_ray_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert exit_code("suite", "--games", "cartpole", "--engine", "ray", *TINY) == 2
    assert "pip install 'atari-dqn[ray]'" in capsys.readouterr().err


def test_a_suite_that_is_killed_leaves_no_process_behind_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["suite", "--games", "cartpole", *TINY, "--torch-threads", "1", "--max-episode-steps", "60"]
    long = ["--total-steps", "1000000", "--checkpoint-period", "2000", "--eval-period", "0"]
    monkeypatch.setattr(cost, "MEASURE_SECONDS", 0.2)
    hurried = f"from atari_dqn.suite import cost; cost.MEASURE_SECONDS = 0.2; {COMMAND_LINE}"
    first = WarmProcess(hurried, [*words, *long])
    folder = Path("runs/cartpole/cartpole/seed0")
    until = time.monotonic() + 120
    while not list(folder.glob("checkpoints/step_??????????")) and time.monotonic() < until:
        assert first.poll() is None
        time.sleep(0.1)
    first.kill()  # it cannot tell its job
    first.communicate()
    while in_use(folder):  # the job has noticed, and saves
        assert time.monotonic() < until
        time.sleep(0.1)
    reached = max(int(path.name[5:]) for path in folder.glob("checkpoints/step_??????????"))
    again = [*words, "--eval-period", "0", "--checkpoint-period", "2000", "--total-steps", str(reached + 1_000)]
    assert exit_code(*again) == 0
    log = (folder / suite.LOG).read_text()
    assert "interrupted at step" in log  # the job noticed, saved and ended
    assert "resuming from" in log
    steps = json.loads((folder / "DONE").read_text())["steps"]
    result = json.loads((folder / "evaluations/greedy_last.json").read_text())
    assert (result["step"], result["episodes"], result["run_seed"]) == (steps, 100, 0)
    assert len((folder / "evaluations/greedy_last.csv").read_text().splitlines()) == 101
    assert "1 finished" in capsys.readouterr().out
    size = sum(path.stat().st_size for path in (folder / "checkpoints").rglob("*") if path.is_file())
    config = RunFolder.open(folder).config
    limit = cost.disk_bytes(config.replace(total_steps=steps), spec_of(config))
    assert limit / 4 < size <= limit
