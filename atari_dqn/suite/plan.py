"""What a suite needs beside what is there, in lines. Each job counts with its own settings: games and presets mix."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from atari_dqn.config import Config
from atari_dqn.envs import spec_of
from atari_dqn.envs.games import is_vector_game
from atari_dqn.runs.memory import GIB, free_bytes
from atari_dqn.runs.pace import counted, duration
from atari_dqn.suite import cost

Kinds = dict[Config, list[int]]


def kinds_of(configs: Sequence[Config]) -> Kinds:
    """Numbers of the jobs that cost the same: all Atari games of the same settings, each vector game by itself."""
    kinds: Kinds = {}
    for number, config in enumerate(configs):
        game = config.game if is_vector_game(config.game) else "Atari"
        kinds.setdefault(config.replace(game=game, seed=0), []).append(number)
    return kinds


def each(configs: Sequence[Config], bytes_of: Callable[..., int]) -> list[int]:
    """`cost.memory_bytes` or `cost.disk_bytes` of every job."""
    found = [0] * len(configs)
    for numbers in kinds_of(configs).values():
        one = configs[numbers[0]]
        size = bytes_of(one, spec_of(one))
        for number in numbers:
            found[number] = size
    return found


def side_by_side(needs: Sequence[int], slots: int) -> int:
    """The most that so many of the jobs can need at a time; jobs differ in length, so any can meet."""
    return sum(sorted(needs, reverse=True)[:slots])


def memory_problem(configs: Sequence[Config], slots: int) -> str:
    """Why the replays of the jobs to be trained here do not fit, empty if they do; a GPU's each job looks at itself."""
    here = [config for config in configs if config.machine.device == "cpu" or not torch.cuda.is_available()]
    needed, free = side_by_side(each(here, cost.memory_bytes), slots), free_bytes("cpu")
    if needed <= free:
        return ""
    return (
        f"the replays of {counted(min(slots, len(here)), 'job')} side by side need {size(needed)}, but "
        f"{size(free)} are free; lower --jobs or --capacity"
    )


def disk_problem(configs: Sequence[Config], runs_dir: Path) -> str:
    """Why the checkpoints of the jobs to be trained may not fit; empty if they do."""
    needed, (free, nearest) = sum(each(configs, cost.disk_bytes)), free_disk(runs_dir)
    if needed <= free:
        return ""
    return (
        f"the checkpoints of {counted(len(configs), 'job')} may need {size(needed)}, but {size(free)} are free in "
        f"{nearest}; use another --runs-dir, a lower --capacity, or --no-save-replay (a resumed run then fills its "
        "replay anew)"
    )


def needs_told(configs: Sequence[Config], slots: int, runs_dir: Path) -> list[str]:
    """Memory and disk of the jobs to be trained, and what is free."""
    memory, disk = each(configs, cost.memory_bytes), each(configs, cost.disk_bytes)
    free, nearest = free_disk(runs_dir)
    return [
        f"memory: {_range(memory)} of replay each, {size(side_by_side(memory, slots))} for {min(slots, len(memory))} "
        f"side by side; {size(free_bytes('cpu'))} are free on this host",
        f"disk: up to {_range(disk)} each, {size(sum(disk))} for all {len(disk)}; {size(free)} are free in {nearest}",
    ]


def time_told(
    configs: Sequence[Config], left: Sequence[int], slots: int, rate_of: Callable[[Config], cost.Rate]
) -> str:
    """How long the jobs take, so many agent steps each, at the rate of their kind."""
    seconds, told = [0.0] * len(configs), []
    for kind, numbers in kinds_of(configs).items():
        rate = rate_of(configs[numbers[0]])
        for number in numbers:
            seconds[number] = left[number] / rate.steps_per_second
        told.append(f"{kind.game} at {rate.steps_per_second:,.0f} steps/s a job, {rate.source}")
    length = duration(cost.seconds_left(seconds, slots))
    return (
        f"time: {length} for {sum(left):,} steps, {slots} side by side, if they do not slow each other down "
        f"({'; '.join(told)}); the evaluation of finished runs comes on top"
    )


def size(number: int) -> str:
    """Bytes in words."""
    return f"{number / GIB:,.2f} GiB" if number >= GIB / 10 else f"{number / 2**20:.1f} MiB"


def _range(needs: Sequence[int]) -> str:
    least, most = size(min(needs)), size(max(needs))
    return most if least == most else f"{least} to {most}"


def free_disk(runs_dir: Path) -> tuple[int, Path]:
    """Bytes that are free where a folder is or would be made, and the nearest folder that exists."""
    nearest = next(path for path in (runs_dir.absolute(), *runs_dir.absolute().parents) if path.exists())
    return shutil.disk_usage(nearest).free, nearest
