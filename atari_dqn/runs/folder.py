"""The folder of one run: the interface between training, evaluation, suite and report.

config.json   meta.json   metrics.jsonl   evals.csv   checkpoints/step_<10 digits>/   events.out...   DONE
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.runs.provenance import hardware
from atari_dqn.safe_files import (
    TABLE_BYTES,
    number,
    read_json,
    read_text,
    write_text,
)
from atari_dqn.storage.steps import STEP_PATTERN

LONGEST_FACT = 200  # letters
NAMED = 5  # runs in a message
LEFT_BY_A_RUN = ("checkpoints/*", "evaluations/*", "metrics.jsonl", "evals.csv", "DONE", "events.out.tfevents.*")
"""A new run beside these would be mixed up with the one that they are of."""


def default_run_dir(config: Config, root: Path = Path("runs")) -> Path:
    """`<root>/<game>/<preset>/seed<k>`; the id of a game of gymnasium's, `gym:MinAtar/Breakout-v1`, is one folder."""
    return root / as_name(config.game) / as_name(config.preset) / f"seed{config.seed}"


def as_name(words: str) -> str:
    """Words as the name of one file or folder here, whatever they are."""
    return re.sub(r"^\.*$", "_", re.sub(r'[:/\\<>"|?*]', "_", words))


class RunFolder:
    """A run on disk; made by `create` or `open`.

    Attributes:
      path:   the folder.
      config: what the run does.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self.path, self.config = path, config
        self.checkpoints = path / "checkpoints"
        self.done = path / "DONE"

    @classmethod
    def create(cls, path: Path, config: Config, command: Sequence[str]) -> RunFolder:
        """Begin a run in a folder from `make_folder`, which this process has locked, and write down what it is.

        Raises:
          UsageError: the folder holds a run already, or cannot be written.
        """
        make_folder(path, config)  # again: another process may have begun one before the lock was ours
        try:
            (path / "checkpoints").mkdir(exist_ok=True)
            meta = {
                "command": list(command),
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                **hardware(),
            }
            write_text(path / "meta.json", json.dumps(meta, indent=2) + "\n")
            write_text(path / "config.json", config.to_json())
        except OSError as error:
            raise UsageError(
                f"cannot write the run folder {path} ({error.strerror}); choose another --run-dir"
            ) from error
        return cls(path, config)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run.

        Raises:
          UsageError: there is none, or its config cannot be read.
        """
        try:
            text = read_text(path / "config.json", TABLE_BYTES)
        except FileNotFoundError as error:
            raise UsageError(f"{path} holds no run: config.json is missing; {_runs_near(path)}") from error
        except NotADirectoryError as error:
            raise UsageError(f"{path} is a file; name the folder of a run") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path / 'config.json'} cannot be read ({error})") from error
        try:
            return cls(path, Config.from_json(text))
        except UsageError as error:
            raise UsageError(f"{path / 'config.json'}: {error}") from error

    def facts(self) -> dict[str, str]:
        """What meta.json says of how the run began, in words; nothing where it cannot be read."""
        try:
            meta = read_json(self.path / "meta.json", TABLE_BYTES)
            command, packages = shlex.join(map(str, meta["command"])), meta["packages"]
            facts = {name: meta[name] for name in ("started", "commit", "platform", "cpu", "cores", "gpu", "python")}
            facts |= {name: version for name, version in packages.items() if version}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}
        return {"command": command} | {name: str(value)[:LONGEST_FACT] for name, value in facts.items() if value}

    def go_on(self, config: Config) -> None:
        """A resumed run is no longer done, and its folder says what the run does from now on."""
        self.checkpoints.mkdir(exist_ok=True)
        self.done.unlink(missing_ok=True)  # first: a kill in between leaves an unfinished run, not a wrong DONE
        if config != self.config:
            self.config = config
            write_text(self.path / "config.json", config.to_json())

    def mark_done(self, summary: Mapping[str, Any]) -> None:
        """Write DONE, the last file of a run."""
        write_text(self.done, json.dumps(summary, indent=2) + "\n")


def find_run(path: Path) -> tuple[RunFolder, bool]:
    """The run that a path means, and whether it names one of the run's checkpoints.

    Raises:
      UsageError: there is no run.
    """
    names_checkpoint = STEP_PATTERN.fullmatch(path.resolve().name) is not None
    return RunFolder.open(path.resolve().parent.parent if names_checkpoint else path), names_checkpoint


def _runs_near(path: Path) -> str:
    """What else to name: runs below a folder, or beside one that is missing, at most three folders away."""
    for top, depth in ((path, 3), *((parent, 1 + level) for level, parent in enumerate(path.parents[:3]))):
        if top == Path(top.anchor) or not top.is_dir():
            continue
        deep = range(1, depth + 1) if top == path else (depth,)
        found = [file.parent for level in deep for file in islice(top.glob(f"{'*/' * level}config.json"), NAMED + 1)]
        if found:
            more = " and more" if len(found) > NAMED else ""
            return f"there are {', '.join(map(str, sorted(found)[:NAMED]))}{more}"
    return "check the path"


def refuse_folder(path: Path, config: Config) -> None:
    """See that a new run can have this folder: there is none yet, or it holds nothing of another run.

    Raises:
      UsageError: it holds a run, or what is left of one, is a file, or cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; choose another --run-dir")
    if (path / "config.json").exists():
        _refuse_existing(RunFolder.open(path), config)
    left = [name for pattern in LEFT_BY_A_RUN for name in sorted(path.glob(pattern))]
    if left:
        raise UsageError(
            f"{path} holds {left[0].relative_to(path)} of a run whose config.json is gone; "
            "bring that back, or choose another --run-dir"
        )
    refuse_unwritable(path, "the run folder", "--run-dir")


def refuse_unwritable(path: Path, what: str, flag: str, *, link: bool = True) -> None:
    """Raises UsageError if a folder cannot be made here, or written, or may be no `link`; leaves nothing behind."""
    if why := why_unwritable(path) if link or not path.is_symlink() else "is a link":
        raise UsageError(f"cannot write {what} {path} ({why}); choose another {flag}")


def why_unwritable(path: Path) -> str | None:
    """Why a folder cannot be made here, or written; None if it can.

    It is tried in the nearest folder that exists: permissions do not tell that /proc and a full disk take nothing.
    """
    there = next(place for place in (path, *path.absolute().parents) if place.exists() or place.is_symlink())
    if not there.exists():
        return f"{there} is a link to nothing"
    if not there.is_dir():
        return f"{there} is a file"
    try:
        with tempfile.TemporaryDirectory(prefix=".atari_dqn_", dir=there):
            return None
    except OSError as error:
        return (error.strerror or str(error)).lower()


def make_folder(path: Path, config: Config) -> None:
    """Make the folder of a new run, if it can have it.

    Raises:
      UsageError: as `refuse_folder`, or the disk refuses; nothing was changed.
    """
    refuse_folder(path, config)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write the run folder {path} ({error.strerror}); choose another --run-dir") from error


def refuse_full_folder(out: Path) -> None:
    """Raises UsageError if a folder or file of this name would be written over."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already; choose another --out, or remove it")


class Done(NamedTuple):
    """What DONE says to those who go on from a finished run; `summary.RunSummary` has all of it."""

    steps: int
    episodes: int
    best_eval_step: int | None
    frames_per_second: float | None


def read_done(folder: Path) -> Done | None:
    """What a finished run says of itself; None if it is not finished, or the file is damaged."""
    try:
        table = read_json(folder / "DONE", TABLE_BYTES)
        steps, episodes, best = table["steps"], table["episodes"], table["best_eval_step"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = type(steps) is type(episodes) is int and (best is None or type(best) is int)
    return Done(steps, episodes, best, number(table.get("frames_per_second"))) if whole else None


def _refuse_existing(found: RunFolder, wanted: Config) -> None:
    differing = [
        f"{name} {theirs!r}, not {mine!r}"
        for name, (mine, theirs) in wanted.differences(found.config).items()
        if mine != "auto" and not (name.endswith("_threads") and not mine)  # else it is left to the machine
    ]
    if differing:
        goes_on = "" if found.done.exists() else "; --resume goes on with it as it was begun"
        told = f"{found.path} holds another run ({', '.join(differing)}); choose another --run-dir or --seed"
        raise UsageError(told + goes_on)
    if found.done.exists():
        raise UsageError(f"{found.path} holds this run already, finished; choose another --seed or --run-dir")
    raise UsageError(f"{found.path} holds this run already, unfinished; go on with --resume")
