"""Cores and memory of containers, by files as the kernel writes them; limits of the shell."""

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from atari_dqn import host
from atari_dqn.cli import main
from atari_dqn.errors import UsageError

GIB = 2**30


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A host with 8 cores and 16 GiB free; returns a function that writes its control groups."""
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(host.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 16 * GIB}))
    monkeypatch.setattr(host, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(host, "GROUPS", tmp_path / "groups")

    def write(own, **files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            path = tmp_path / "groups" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / path.name.replace("_DOT_", ".")).write_text(f"{text}\n")

    return write


def files(folder, **contents):
    return {f"{folder}{name}": text for name, text in contents.items()}


def test_without_groups_all_is_the_hosts(machine):
    assert (host.cores(), host.free_memory()) == (8, 16 * GIB)  # no file at all, as on macOS
    machine("0::/\n")
    assert (host.cores(), host.free_memory()) == (8, 16 * GIB)


def test_version_2_counts_what_only_caches_files_as_free(machine):
    machine(
        "0::/\n",
        memory_DOT_max=4 * GIB,
        memory_DOT_current=4 * GIB - 5,
        memory_DOT_stat=f"anon 1\nactive_file {GIB}\ninactive_file {2 * GIB}\nslab_reclaimable 7\nshmem 9",
        cpu_DOT_max="250000 100000",
    )
    assert host.free_memory() == 5 + 3 * GIB + 7
    assert host.cores() == 2


def test_version_2_without_limits(machine):
    machine("0::/\n", memory_DOT_max="max", memory_DOT_current=GIB, cpu_DOT_max="max 100000")
    assert (host.cores(), host.free_memory()) == (8, 16 * GIB)


def test_a_limit_may_stand_above_the_own_group(machine):
    machine(
        "0::/user/job\n",
        **files("user__", memory_DOT_max=2 * GIB, memory_DOT_current=GIB, cpu_DOT_max="50000 100000"),
        **files("user__job__", memory_DOT_max="max", memory_DOT_current=GIB, cpu_DOT_max="max 100000"),
    )
    assert (host.cores(), host.free_memory()) == (1, GIB)  # half a core is one


def test_version_1(machine):
    machine(
        "9:name=systemd:/\n4:memory:/docker/7f\n1:cpuacct,cpu:/docker/7f\n0::/\n",
        **files(
            "memory__",  # the container's own view: its group is the root
            memory_DOT_limit_in_bytes=3 * GIB,
            memory_DOT_usage_in_bytes=2 * GIB,
            memory_DOT_stat=f"active_file 1\ntotal_inactive_file {GIB}\ntotal_active_file 0",
        ),
        **files("cpu__", cpu_DOT_cfs_quota_us=400000, cpu_DOT_cfs_period_us=100000),
    )
    assert (host.cores(), host.free_memory()) == (4, 2 * GIB)


def test_version_1_without_limits(machine):
    machine(
        "4:memory:/\n1:cpu:/\n",
        **files("memory__", memory_DOT_limit_in_bytes=2**63 - 4096, memory_DOT_usage_in_bytes=GIB),
        **files("cpu__", cpu_DOT_cfs_quota_us=-1, cpu_DOT_cfs_period_us=100000),
    )
    assert (host.cores(), host.free_memory()) == (8, 16 * GIB)


def test_a_group_out_of_sight_and_files_that_make_no_sense(machine):
    machine("0::/../../other\n", memory_DOT_max="many", memory_DOT_current="", cpu_DOT_max="1 0")
    assert (host.cores(), host.free_memory()) == (8, 16 * GIB)


@pytest.mark.parametrize("kilobytes", [300_000, 500_000, 600_000])  # what ends in signals, and in words of C++
def test_where_torch_does_not_fit_it_is_not_loaded(kilobytes, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "atari_dqn", "train", "cartpole"],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024,) * 2),
    )  # fmt: skip
    told = f"atari-dqn: the memory of this process is limited to {kilobytes:,} kB, and torch with a small network needs"
    assert (done.returncode, done.stderr) == (2, f"{told} 737,280; raise the limit (ulimit -v)\n")
    assert list(tmp_path.iterdir()) == []


def test_what_needs_no_torch_needs_no_memory_for_it(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda limit: (500_000 * 1024,) * 2)
    assert main(["presets"]) == 0
    assert main(["train", "cartpole"]) == 2


def test_threads_that_cannot_be_had_are_missed_before_a_library_needs_them(monkeypatch, tmp_path, capsys):
    start, before = threading.Thread.start, threading.active_count()

    def limited(thread):
        if threading.active_count() >= before + 5:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    host.refuse_few_threads(5)
    with pytest.raises(UsageError, match="about 6 threads and processes are needed, and no more than 5 can be started"):
        host.refuse_few_threads(6)
    assert threading.active_count() == before
    monkeypatch.chdir(tmp_path)
    assert main("train pong --yes --device cpu --precision fp32 --torch-threads 2 --env-threads 30".split()) == 2
    # 2 of the network, 30 and 16 of the games in training and in evaluations, 3 others
    assert "about 51 threads and processes are needed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
