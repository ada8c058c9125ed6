"""Nested dicts on disk, whole or not at all: safetensors for arrays, JSON for the rest, a checksum for each file.

    checkpoints/step_0000250000/
      tensors.safetensors     every tensor and array, by its path in the dict
      meta.json               format version, what the state is of, and the rest of the state
      SHA256SUMS              a checksum for each of them; `sha256sum -c` checks it, too

A checkpoint is written beside its place, forced to the disk and renamed; readers see all of it or nothing. One that is
written again, after an evaluation that it still owed, is moved aside first. Reading verifies before anything is used,
and executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from atari_dqn.errors import MachineRefused, UsageError, refusal
from atari_dqn.safe_files import MEMORY_BYTES, TABLE_BYTES, open_to_read, read_json, read_text
from atari_dqn.storage.schema import CheckpointError, integer, table
from atari_dqn.storage.steps import list_steps

FORMAT_VERSION = 5
META_FIELDS = table({}, optional={"step": integer(0), "best_step": integer(-1)}, more=True)
TENSORS, META, SUMS = "tensors.safetensors", "meta.json", "SHA256SUMS"
META_BYTES = 2**26  # a checkpoint of 64 games has 100 kB
REPLACED = ".replaced"


class Snapshot(NamedTuple):
    """A state on its way to the disk."""

    tree: Any
    """What JSON can hold, with marks where tensors were."""
    tensors: dict[str, torch.Tensor]
    """By their path in the state."""


def save(directory: Path, state: Mapping[str, Any], meta: Mapping[str, Any]) -> None:
    """Write a nested dict of tensors, arrays, numbers, strings, None, lists and dicts.

    Args:
      directory: the checkpoint; one that stands there is replaced once all is on the disk.
      state:     keys are strings; tensors may lie on any device.
      meta:      what a reader has to know before loading (JSON).

    Raises:
      UsageError: the disk refuses (full, read-only); older checkpoints are untouched.
    """
    write(directory, snapshot(state), meta)


def snapshot(state: Mapping[str, Any]) -> Snapshot:
    """A copy of a nested dict as it is now, on the host, for `write`."""
    tensors: dict[str, torch.Tensor] = {}
    return Snapshot(_split(state, "", tensors), tensors)


def write(directory: Path, copied: Snapshot, meta: Mapping[str, Any]) -> None:
    """The second half of `save`."""
    partial = directory.with_name(directory.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()  # a run folder that is gone is not made again
        save_file(copied.tensors, partial / TENSORS)
        content = {"format_version": FORMAT_VERSION, **meta, "state": copied.tree}
        (partial / META).write_text(json.dumps(content) + "\n", encoding="utf-8")
        (partial / SUMS).write_text(checksums(partial), encoding="utf-8")
        shutil.copymode(partial / META, partial / TENSORS)  # safetensors lets nobody but the owner read it
        for path in (partial / TENSORS, partial / META, partial / SUMS, partial):
            force_to_disk(path)
        replaced = directory.with_name(directory.name + REPLACED)
        if directory.exists():
            os.replace(directory, replaced)  # a folder that is not empty cannot be renamed over
        os.replace(partial, directory)
        force_to_disk(directory.parent)
        shutil.rmtree(replaced, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UsageError(
            f"cannot write the checkpoint {directory} ({error}); older checkpoints are intact. "
            "Make room or mend the folder, then go on with --resume"
        ) from error


def load(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read and verify a checkpoint.

    Returns:
      (state, meta): as saved; tensors are on the CPU.

    Raises:
      CheckpointError: naming the file and what is wrong with it.
    """
    meta = read_meta(directory)
    try:
        _verify(directory)
        tensors = load_file(directory / TENSORS)
        state = _join(meta.pop("state"), "", tensors)
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        refuse_as_machine(directory, error)
        raise CheckpointError(f"{directory} is damaged ({error!r}); use an older checkpoint") from error
    return state, meta


def read_meta(directory: Path) -> dict[str, Any]:
    """The JSON of a checkpoint, its version checked.

    Raises:
      CheckpointError: missing, not JSON, or of another format version.
    """
    path = directory / META
    try:
        meta = read_json(path, META_BYTES)
    except FileNotFoundError as error:
        raise CheckpointError(f"{directory} is no checkpoint: {META} is missing") from error
    except (OSError, ValueError) as error:
        refuse_as_machine(path, error)
        raise CheckpointError(f"{path} is damaged ({error}); use an older checkpoint") from error
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise CheckpointError(f"{path} is damaged: it lacks the state; use an older checkpoint")
    if (version := meta.get("format_version")) != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version!r}, this program reads {FORMAT_VERSION}: use the release that wrote it"
        )
    META_FIELDS(meta, "")
    return meta


def refuse_as_machine(path: Path, error: Exception) -> None:
    """Raise MachineRefused, if a file could not be read for want of memory or handles: it may be as good as any."""
    if isinstance(error, PermissionError):
        raise MachineRefused(f"{path} cannot be read ({error.strerror}); make it readable") from error
    if (refused := refusal(error)) is not None:
        raise MachineRefused(f"{path} cannot be read now: {refused}") from error


def checksums(directory: Path) -> str:
    """The text of SHA256SUMS for the files as they are."""
    return "".join(f"{_sha256(directory / name)}  {name}\n" for name in (TENSORS, META))


def _verify(directory: Path) -> None:
    stored = read_text(directory / SUMS, TABLE_BYTES, errors="replace").splitlines()
    found = checksums(directory).splitlines()
    for name, mine, theirs in zip((TENSORS, META), found, [*stored, "", ""], strict=False):
        if mine != theirs:
            raise CheckpointError(f"{directory / name} is damaged: its checksum differs; use an older checkpoint")


def restore_replaced(folder: Path) -> None:
    """Put back what a process that was killed had moved aside for a checkpoint that it did not get to name."""
    for replaced in folder.glob(f"step_*{REPLACED}"):
        directory = replaced.with_suffix("")
        if directory.exists():
            shutil.rmtree(replaced)
        else:
            os.replace(replaced, directory)


def prune(folder: Path, keep: int, protect: Collection[Path] = ()) -> None:
    """Delete all but the newest `keep` checkpoints and the protected ones, and what a killed save left behind."""
    for directory in list_steps(folder)[:-keep]:
        if directory not in protect:
            shutil.rmtree(directory)
    for leftover in folder.glob("step_*.partial"):
        shutil.rmtree(leftover)


def _split(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The JSON part of a value; tensors go to `tensors` under their path, and leave a mark of their kind."""
    if isinstance(value, Mapping):
        return {key: _split(item, f"{path}/{key}", tensors) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"__kind__": "tensor"}
    if isinstance(value, np.ndarray):
        tensors[path] = torch.from_numpy(value.copy())
        return {"__kind__": "array"}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_split(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__} (at {path or 'the root'})")


def _join(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, dict):
        kind = value.get("__kind__")
        if kind == "tensor":
            return tensors[path]
        if kind == "array":
            return tensors[path].numpy()
        return {key: _join(item, f"{path}/{key}", tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_join(item, f"{path}/{index}", tensors) for index, item in enumerate(value)]
    return value


def _sha256(path: Path) -> str:
    with open_to_read(path, MEMORY_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def force_to_disk(path: Path) -> None:
    """Force a file or folder to the disk, so that a power cut cannot undo the rename that follows."""
    folder = path.is_dir()
    if folder and not hasattr(os, "O_DIRECTORY"):
        return  # Windows opens no folders
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)  # Windows forces what may be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
