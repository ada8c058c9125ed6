"""Flags of `atari-dqn train` that a suite passes on to its jobs."""

from __future__ import annotations

from collections.abc import Sequence


def field_name(flag: str) -> str:
    """The config field behind a flag: `--no-save-replay` and `--save_replay=no` are both `save_replay`."""
    return flag.split("=")[0].removeprefix("--").replace("-", "_").removeprefix("no_")


def by_flag(words: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Each flag of a command line with its values; words before the first flag come first, together."""
    groups: list[list[str]] = []
    for word in words:
        if word.startswith("--") or word == "-h" or not groups:
            groups.append([])
        groups[-1].append(word)
    return tuple(map(tuple, groups))
