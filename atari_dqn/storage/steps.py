"""Names of checkpoints, `step_<10 digits>`, and which of them there are; reads none, and imports no torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

Which = Literal["last", "best"]
"""Of a run's checkpoints: the newest, or the one with the best evaluation."""

STEP_PATTERN = re.compile(r"step_(\d{10})")


def step_name(step: int) -> str:
    """Name of what belongs to an agent step: `step_<10 digits>`."""
    return f"step_{step:010d}"


def step_directory(folder: Path, step: int) -> Path:
    """Where the checkpoint of an agent step lies."""
    return folder / step_name(step)


def list_steps(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if STEP_PATTERN.fullmatch(path.name) and path.is_dir())
