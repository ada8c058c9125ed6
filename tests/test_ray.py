"""A suite on a Ray cluster of several nodes, one of which is killed. Skipped where ray is not installed."""

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from atari_dqn.errors import UsageError
from atari_dqn.suite import on_ray as ray_engine
from atari_dqn.suite.jobs import LOG
from atari_dqn.suite.table import Table
from tests.suite_runs import runs_in, wait_for_checkpoint

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'atari-dqn[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402

ROOT = Path(__file__).parent.parent


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


def run_on(cluster, runs, **needs):
    with Table("jobs") as table:
        return ray_engine.run(runs, address=cluster.address, table=table, **({"cpus": 1.0, "gpus": 0.0} | needs))


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
