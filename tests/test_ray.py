"""A suite on a Ray cluster of several nodes, one of which is killed. Skipped where ray is not installed."""

import dataclasses
import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole
from atari_dqn.suite import on_ray as ray_engine
from atari_dqn.suite.jobs import LOG, JobRun, Settings, make_jobs
from atari_dqn.suite.table import Table

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'atari-dqn[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402

ROOT = Path(__file__).parent.parent
FLAGS = tuple(
    (f"--{name}", value)
    for name, value in {
        "total-steps": "12000", "learning-starts": "200", "eval-period": "6000", "eval-steps": "50",
        "checkpoint-period": "500", "log-period": "500", "batch-size": "32", "epsilon-decay-steps": "300",
    }.items()
)  # fmt: skip


@pytest.fixture(scope="module")
def cluster():
    """A head without cores and two nodes of one core each."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(ROOT)
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.workers = [made.add_node(num_cpus=1), made.add_node(num_cpus=1)]
    yield made
    ray.shutdown()
    made.shutdown()
    del os.environ["PYTHONPATH"]
    if before is not None:
        os.environ["PYTHONPATH"] = before


def runs_in(folder, seeds, **settings):
    config = dataclasses.replace(
        cartpole(), total_steps=12_000, learning_starts=200, eval_period=6_000, eval_steps=50, checkpoint_period=500,
        log_period=500, batch_size=32, epsilon_decay_steps=300,
    )  # fmt: skip
    jobs = make_jobs([dataclasses.replace(config, seed=seed) for seed in seeds], folder)
    return [JobRun(job, Settings(flags=FLAGS, **settings)) for job in jobs]


def run_on(cluster, runs, **needs):
    with Table("jobs") as table:
        return ray_engine.run(runs, address=cluster.address, table=table, **({"cpus": 1.0, "gpus": 0.0} | needs))


def wait_for_checkpoint(run):
    until = time.monotonic() + 200
    while not list(run.job.folder.glob("checkpoints/step_??????????")):
        assert time.monotonic() < until, "no checkpoint"
        time.sleep(0.1)


def nodes_of(run):
    return re.findall(r"^# node (\w+)", (run.job.folder / LOG).read_text(), re.MULTILINE)


def test_a_job_that_fits_on_no_node_is_refused(cluster, tmp_path):
    with pytest.raises(UsageError, match="no node of the cluster has 1 cores and 0.25 GPUs"):
        run_on(cluster, runs_in(tmp_path, [0]), gpus=0.25)
    assert ray_engine.slots(cluster.address, 0.25, 0.0) == 8  # four on each of two nodes


def test_ctrl_c_lets_the_jobs_of_the_cluster_save_and_end(cluster, tmp_path):
    (run,) = runs_in(tmp_path, [7])

    def interrupt():
        wait_for_checkpoint(run)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert run_on(cluster, [run]) == signal.SIGINT
    thread.join()
    assert run.state == "stopped"
    assert "interrupted at step" in (run.job.folder / LOG).read_text()


def test_the_jobs_of_a_killed_node_go_on_elsewhere(cluster, tmp_path):
    runs = runs_in(tmp_path, [0, 1], evaluate=False)

    def kill_the_node_of_the_first():
        wait_for_checkpoint(runs[0])
        (name,) = nodes_of(runs[0])
        (node,) = [node for node in cluster.workers if node.node_id == name]
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=kill_the_node_of_the_first)
    thread.start()
    assert run_on(cluster, runs) is None
    thread.join()
    assert [run.state for run in runs] == ["finished", "finished"]
    first, second = nodes_of(runs[0])
    assert first != second
    assert nodes_of(runs[1]) == [second]  # untouched: one attempt on the node that stayed
    assert "resuming from" in (runs[0].job.folder / LOG).read_text()
    assert json.loads((runs[0].job.folder / "DONE").read_text())["steps"] == 12_000
