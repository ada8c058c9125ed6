"""Flags of `atari-dqn train` that a suite passes on to its jobs."""

from __future__ import annotations


def field_name(flag: str) -> str:
    """The config field behind a flag: `--no-save-replay` and `--save_replay=no` are both `save_replay`."""
    return flag.split("=")[0].removeprefix("--").replace("-", "_").removeprefix("no_")
