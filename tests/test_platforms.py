"""A process as macOS and Windows offer it: without what only Linux, or only Unix, has."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.presets import nature
from tests.warm_process import COMMAND_LINE, WarmProcess

TINY = (
    "--total-steps 400 --learning-starts 100 --capacity 400 --eval-period 200 --eval-steps 50 --log-period 100 "
    "--checkpoint-period 100 --batch-size 8 --torch-threads 1"
).split()

# Others' libraries are imported as they are: only what ours use afterwards is taken away.
COMMON = """
import os, pathlib, signal, sys
import ale_py, filelock, gymnasium, psutil, rich, scipy, tensorboard, torch, torch._dynamo, tyro
from torch.utils.tensorboard import SummaryWriter

def take(module, *names):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)

take(os, "sched_getaffinity", "sysconf", "sysconf_names", "memfd_create")
really_open, really_read, really_exists = os.open, pathlib.Path.read_text, pathlib.Path.exists

def of_linux(path):
    return str(path).startswith(("/proc", "/sys"))

def read_text(path, *arguments, **options):
    if of_linux(path):
        raise FileNotFoundError(2, "there is none here", str(path))
    return really_read(path, *arguments, **options)

pathlib.Path.read_text = read_text
pathlib.Path.exists = lambda path, **options: not of_linux(path) and really_exists(path, **options)
"""
WINDOWS = """
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
import faulthandler
take(faulthandler, "register", "unregister")
take(signal, "SIGHUP", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGALRM", "SIGURG", "setitimer")
take(os, "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK", "set_blocking")
take(os, "fork", "getuid", "geteuid", "getpgid", "killpg", "uname")

def open_file(path, *arguments, **options):
    if os.path.isdir(path):
        raise PermissionError(13, "a folder cannot be opened", str(path))
    return really_open(path, *arguments, **options)

os.open = open_file
import shutil
shutil._use_fd_functions = False  # as on Windows: rmtree goes by names
shutil._rmtree_impl = shutil._rmtree_unsafe  # from Python 3.14 on it is chosen at the import
"""
HURRIED = "from atari_dqn.suite import cost; cost.MEASURE_SECONDS = 0.2\n"
PLATFORMS = {"macos": COMMON, "windows": COMMON + WINDOWS}


def command(platform, *words):
    process = WarmProcess(PLATFORMS[platform] + HURRIED + COMMAND_LINE, words)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output + errors


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_run_from_its_start_to_its_resume_and_its_evaluation(platform, tmp_path):
    run = tmp_path / "run"
    command(platform, "train", "cartpole", *TINY, "--run-dir", run)
    command(platform, "train", "cartpole", "--run-dir", run, "--resume", "--total-steps", 600)
    assert json.loads((run / "DONE").read_text())["steps"] == 600
    assert "over 2 episodes" in command(platform, "evaluate", run, "--episodes", 2)
    assert "free on this host" in command(
        platform, "suite", "--games", "cartpole", "--runs-dir", tmp_path / "suite", "--dry-run", *TINY
    )


def test_workers_are_not_for_windows(monkeypatch):
    monkeypatch.setattr("atari_dqn.envs.sys", SimpleNamespace(platform="win32"))
    with pytest.raises(UsageError, match="backend 'workers' is for Linux and macOS; use --backend native"):
        make_envs(nature().replace(backend="workers"))


@pytest.mark.parametrize("script", sorted(Path(__file__).parents[1].glob("scripts/*.sh")), ids=lambda path: path.name)
def test_scripts_are_for_the_bash_of_macos_too(script):
    """Bash 3.2: under `set -u` an empty list is unset. And `realpath -m` is of GNU alone."""
    text = script.read_text()
    assert "realpath" not in text
    for name in re.findall(r"\b(\w+)=\(\)", text):
        bare = text.replace(f'${{{name}[@]+"${{{name}[@]}}"}}', "")
        assert f'"${{{name}[@]}}"' not in bare, name
