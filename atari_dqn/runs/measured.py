"""Which precision is faster here: measured once, and kept for the next start in the user's cache folder.

    FOLDER/precision_<16 hex digits>.json     one file for each processor, torch and kind of update

FOLDER is the environment variable ATARI_DQN_CACHE, else atari-dqn in XDG_CACHE_HOME or ~/.cache. It may be deleted at
any time. What is missing, damaged or of something else is measured again, and so is everything where the folder cannot
be read or written: nothing here ends a run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from atari_dqn import __version__, host
from atari_dqn.config import Config
from atari_dqn.runs.provenance import processor, processor_flags
from atari_dqn.safe_files import TABLE_BYTES, number, read_json, write_text
from atari_dqn.settings.running import Precision

CACHE = "ATARI_DQN_CACHE"
LIBRARIES = ("ATEN_", "DNNL_", "GOMP_", "KMP_", "MKL_", "OMP_", "ONEDNN_")  # whose variables change how torch computes
QUIET = 0.8  # of the time that a measurement takes, its thread has a core; else others were in its way
GROUPS = ("algorithm", "network", "optimizer", "extensions")  # of the config: what an update consists of


class Measured(NamedTuple):
    """What was measured, now or at an earlier start."""

    seconds: dict[Precision, float]
    """Of an update, by precision."""
    told: str
    """When it was measured, and where it is kept, in words."""


def cache_folder() -> Path | None:
    """Where it is kept; None for a user without a home."""
    if named := os.environ.get(CACHE):
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atari-dqn"
    except RuntimeError:
        return None


def kept_files() -> list[Path]:
    """What is kept there now."""
    folder = cache_folder()
    try:
        return sorted(folder.glob("precision_*.json")) if folder else []
    except OSError:
        return []


def seconds_per_update(
    config: Config,
    precisions: Sequence[Precision],
    measure: Callable[[Precision], float],
    prepare: Callable[[], None] = lambda: None,
) -> Measured:
    """Seconds of an update at each precision: those that are kept, or what `measure` finds (`config` resolved).

    `prepare` is called first if there is something to measure: its waiting is none for a core.
    """
    known = json.dumps(facts(config), sort_keys=True)
    folder = cache_folder()
    path = folder / f"precision_{hashlib.sha256(known.encode()).hexdigest()[:16]}.json" if folder else None
    if path is not None and (kept := _read(path, known, precisions)):
        return kept
    prepare()
    clock, own = time.perf_counter(), time.thread_time()
    seconds = {precision: measure(precision) for precision in precisions}
    held = (time.thread_time() - own) / (time.perf_counter() - clock)
    if held < QUIET and config.machine.device == "cpu":
        return Measured(seconds, "measured now, and not kept: something else is using the processor")
    return Measured(seconds, _keep(path, known, seconds))


def facts(config: Config) -> dict[str, Any]:
    """All that the speed of an update depends on (`config` resolved)."""
    machine = config.machine
    on_gpu = machine.device.startswith("cuda")
    return {
        "version": __version__,
        "torch": torch.__version__,
        "processor": processor(),
        "flags": " ".join(processor_flags()),
        "cores": host.cores(),
        "gpu": torch.cuda.get_device_name(machine.device) if on_gpu else None,
        "environment": {name: value for name, value in os.environ.items() if name.startswith(LIBRARIES)},
        "machine": [machine.device, machine.torch_threads, machine.compile, machine.own_kernels, machine.cuda_graph],
        "batch": [config.replay.batch_size, config.env.frame_stack],
        **{name: dataclasses.asdict(getattr(config, name)) for name in GROUPS},
    }


def _read(path: Path, known: str, precisions: Sequence[Precision]) -> Measured | None:
    """What is kept in a file; None if there is none, or not of these facts and precisions."""
    try:
        kept = read_json(path, TABLE_BYTES)
        if json.dumps(kept["facts"], sort_keys=True) != known:
            return None
        seconds = {name: number(kept["seconds"][name]) or 0.0 for name in precisions}
        day = datetime.fromisoformat(kept["measured"]).date()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    if min(seconds.values()) <= 0.0:
        return None
    return Measured(seconds, f"measured on {day}, kept in {path}; delete it to measure anew")


def _keep(path: Path | None, known: str, seconds: dict[Precision, float]) -> str:
    """Write a file as a whole, whoever else does so at the same time; returns what to say of it."""
    if path is None:
        return f"measured now, and not kept: there is no home folder ({CACHE} names another)"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"measured": now, "seconds": seconds, "facts": json.loads(known)}, indent=1) + "\n"
    own = path.with_name(f"{path.stem}_{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(own, text)
        os.replace(own, path)
    except OSError as error:
        reason = error.strerror or error
        return f"measured now, and not kept: {path.parent} cannot be written ({reason}; {CACHE} names another)"
    return f"measured now, kept in {path}"
