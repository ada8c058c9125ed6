"""`atari-dqn doctor`: what this machine has, what fits on it, and how fast it is."""

from __future__ import annotations

import os
import platform
import shutil
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from atari_dqn.commands import parse
from atari_dqn.envs.games import is_vector_game, known_game
from atari_dqn.errors import UsageError
from atari_dqn.extras import EXTRAS, installed
from atari_dqn.presets import PRESETS, nature, quick
from atari_dqn.runs.display import Display
from atari_dqn.runs.folder import why_unwritable

if TYPE_CHECKING:  # torch takes seconds: wrong flags are answered before
    from atari_dqn.config import Config

BF16 = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512", "bf16": "the processor"}  # flags of /proc/cpuinfo; ARM's
COLUMNS, INDENT = 80, 11


@dataclass(frozen=True)
class Doctor:
    """Look at this machine: what it has, what each preset needs, how fast it trains."""

    game: str = "pong"
    """Game of the measurement, a ROM id."""
    runs_dir: Path = Path("runs")
    """Folder where runs would go; the free space of its disk is told."""
    seconds: float = 3.0
    """Approximate length of the measurement, seconds; 0: none."""


def run(words: Sequence[str]) -> int:
    """Print what was found; returns the exit code."""
    command = parse(Doctor, words, prog="atari-dqn doctor")
    game = known_game(command.game)
    if not 0.0 <= command.seconds < 3_600.0:
        raise UsageError(f"seconds is {command.seconds}; it must lie in [0, 3600)")
    if is_vector_game(game):
        raise UsageError(f"game is {game!r}; the measurement is for Atari: give a ROM id such as pong")
    with Display() as display:
        display.doing("loading torch")
        from atari_dqn.envs.games import check_rom

        check_rom(game)
        lines = [*software(), *hardware(), *needs(command.runs_dir), *kept()]
        if command.seconds:
            display.doing(f"measuring for about {command.seconds:.0f} s")
            lines += speed(game, command.seconds)
    for name, told in lines:
        for number, line in enumerate(textwrap.wrap(told, COLUMNS - INDENT, break_on_hyphens=False)):
            print(f"{'' if number else name:<{INDENT}}{line}")
    return 0


def software() -> Iterator[tuple[str, str]]:
    """Python, torch, the compiler, ffmpeg, extras: what is there, and how to get what is not."""
    import torch

    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "torch", f"{torch.__version__}, {f'CUDA {torch.version.cuda}' if torch.version.cuda else 'for CPUs'}"
    compiler = shutil.which(os.environ.get("CXX") or "g++") or shutil.which("clang++")
    yield "compiler", compiler or "none: updates are not compiled; install g++"
    there = [extra for extra in EXTRAS if installed(extra)]
    missing = [extra for extra in EXTRAS if extra not in there]
    yield "ffmpeg", _ffmpeg() if "video" in there else "none: videos become .gif; pip install 'atari-dqn[video]'"
    yield "extras", ", ".join(there) or "none"
    if missing:
        yield "", f"not installed: pip install 'atari-dqn[{','.join(missing)}]'"


def _ffmpeg() -> str:
    import imageio_ffmpeg

    try:
        return str(Path(imageio_ffmpeg.get_ffmpeg_exe()).name)
    except RuntimeError as error:  # the package has none for this system
        return f"none: {str(error).splitlines()[0]}"


def hardware() -> Iterator[tuple[str, str]]:
    """Processor and GPU."""
    import torch

    from atari_dqn import host
    from atari_dqn.runs.memory import GIB
    from atari_dqn.runs.provenance import processor, processor_flags

    yield "processor", processor()
    cores = host.cores()
    yield "", f"{cores} core{'s' * (cores != 1)} for this process, {bf16_told(processor_flags())}"
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            yield "GPU", f"{name}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    elif torch.backends.mps.is_available():
        yield "GPU", "Apple's, by --device mps (never measured)"
    elif shutil.which("nvidia-smi"):
        yield "GPU", "torch sees none, but there is an NVIDIA driver: install torch for CUDA"
    else:
        yield "GPU", "none"


def bf16_told(flags: Sequence[str]) -> str:
    """Whether a processor with these flags computes with bfloat16 itself; without any, nobody knows."""
    if not flags:
        return "bf16 unknown"
    by = [name for flag, name in BF16.items() if flag in flags]
    return f"bf16 by {by[0]}" if by else "no bf16"


def needs(runs_dir: Path) -> Iterator[tuple[str, str]]:
    """Memory and disk, and the presets that they are enough for."""
    from atari_dqn import host
    from atari_dqn.envs import spec_of
    from atari_dqn.suite.cost import disk_bytes, memory_bytes
    from atari_dqn.suite.plan import free_disk, size

    memory, (disk, nearest) = host.free_memory(), free_disk(runs_dir)
    yield "memory", f"{size(memory)} free"
    told = f"{size(disk)} free in {nearest}"
    if why := why_unwritable(runs_dir):
        told += f", where no run can be written ({why}): name another folder with --runs-dir"
    yield "disk", told
    configs = {name: make("cartpole" if name.startswith("cartpole") else "pong") for name, make in PRESETS.items()}
    del configs["minatar"]  # which is for neither, and needs next to nothing
    specs = {game: spec_of(next(c for c in configs.values() if c.game == game)) for game in ("pong", "cartpole")}
    needed = {
        name: (memory_bytes(config, specs[config.game]), disk_bytes(config, specs[config.game]))
        for name, config in configs.items()
    }
    for number, line in enumerate(needs_told(needed, memory, disk)):
        yield "" if number else "presets", line


def needs_told(needed: Mapping[str, tuple[int, int]], memory: int, disk: int) -> list[str]:
    """What presets need in whole GiB, those that need the same in one line.

    Args:
      needed: bytes of the replay and, at most, of the checkpoints of each preset.
      memory: free bytes.
      disk:   free bytes.
    """
    groups: dict[str, list[str]] = {}
    for name, (replay, checkpoints) in needed.items():
        lacks = [what for what, enough in (("memory", replay <= memory), ("disk", checkpoints <= disk)) if not enough]
        verdict = f"too much for the {' and the '.join(lacks)}, lower --capacity" if lacks else "fits"
        told = f"{_gib(replay)} of memory, up to {_gib(checkpoints)} of disk: {verdict}"
        groups.setdefault(told, []).append(name)
    return [f"{', '.join(names)}: {told}" for told, names in groups.items()]


def _gib(number: int) -> str:
    return f"{-(-number // 2**30)} GiB"


def kept() -> Iterator[tuple[str, str]]:
    """What earlier starts measured here, and how to have it measured anew."""
    from atari_dqn.runs.measured import CACHE, cache_folder, kept_files

    folder = cache_folder()
    if count := len(kept_files()):
        told = f"{count} measurement{'s' * (count > 1)} of --precision auto in {folder}"
        yield "kept", f"{told}; without that folder the next run measures anew"
    elif why := "there is no home folder" if folder is None else why_unwritable(folder):
        where = f"{folder} cannot be written ({why})" if folder else why
        yield "kept", f"no measurement of --precision auto, and none will be: {where}; {CACHE} names another folder"
    else:
        yield "kept", f"no measurement of --precision auto yet; the first goes to {folder}"


def speed(game: str, seconds: float) -> Iterator[tuple[str, str]]:
    """Rates of play and of updates, and what follows for the paper's preset and for the laptop's."""
    from atari_dqn.runs.machine import flushed_denormals, resolve, update_seconds
    from atari_dqn.runs.pace import Moment, Pace, duration

    with flushed_denormals():
        small = resolve(quick(game))
        here = ("device", "torch_threads", "env_threads")  # as decided: said once
        paper = nature(game).replace(**{name: getattr(small.machine, name) for name in here})
        steps, took = play(small, seconds / 2)
        yield "speed", f"{game}: {steps / took:,.0f} agent steps/s played, with random actions"
        for config in (small, paper):
            update = update_seconds(config)
            assert update is not None
            pace = Pace(config, update)
            pace.see(0.0, 0, learning=False)
            pace.see(took, steps, learning=False)
            left = pace.seconds_left(Moment(0, config.replay.learning_starts))
            yield (
                "",
                (
                    f"{config.preset}: {1e3 * update:.1f} ms an update in {config.machine.precision}, "
                    f"{config.total_steps:,} steps in about {duration(left or 0.0)}"
                ),
            )


def play(config: Config, seconds: float) -> tuple[int, float]:
    """Play at random for so long (`config` resolved); returns agent steps and seconds."""
    from atari_dqn.envs import make_envs

    envs = make_envs(config.replace(backend="native"))
    random = np.random.default_rng(0)
    try:
        envs.reset(np.arange(envs.num_envs))
        began, steps = time.monotonic(), 0
        while (took := time.monotonic() - began) < seconds or not steps:
            envs.send(random.integers(envs.spec.num_actions, size=envs.num_envs))
            envs.recv()
            steps += envs.num_envs
        return steps, took
    finally:
        envs.close()
