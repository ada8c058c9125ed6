"""Where numbers come from: versions, commit, processor, GPU."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("atari-dqn", "torch", "numpy", "gymnasium", "ale-py", "opencv-python-headless", "tensorboard")


def without_its_path(text: str, run: Path) -> str:
    """Text that a run left, with its folder as the word FOLDER: it means the same on another machine."""
    for path in (run.resolve(), run):  # the longer one first: it may end as the other one does
        text = text.replace(str(path), "FOLDER")
    return text


def hardware() -> dict[str, Any]:
    """What the numbers of a run or a benchmark depend on: versions, commit, processor, GPU."""
    import torch  # it takes seconds, and a run folder is opened without

    packages: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": processor(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "packages": packages,
    }


def _commit() -> str | None:
    """Commit of the source tree, marked where it was changed; None outside of a repository."""
    source = Path(__file__).parent.parent
    if not (source.parent / ".git").exists():
        return None
    try:
        options: dict[str, Any] = {
            "cwd": source,
            "capture_output": True,
            "text": True,
            "check": True,
            "timeout": 10,
            "env": os.environ | {"GIT_OPTIONAL_LOCKS": "0"},  # killed with one, it would leave the repository locked
        }
        commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], **options).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], **options).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-changed" if changed else commit


def processor() -> str:
    """Name of the processor."""
    return _of_cpuinfo("model name") or platform.processor() or platform.machine()


def processor_flags() -> list[str]:
    """What the processor can do, in the words of Linux; empty elsewhere."""
    return (_of_cpuinfo("flags") or _of_cpuinfo("Features")).split()  # ARM's are called Features


def _of_cpuinfo(name: str) -> str:
    """What /proc/cpuinfo says of the first core; empty if nothing, or where there is no such file."""
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform == "linux" and cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.split(":")[0].strip() == name:
                return line.split(":", 1)[1].strip()
    return ""
