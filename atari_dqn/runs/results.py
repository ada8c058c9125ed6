"""Files of an evaluation: a table with one row an episode, and one JSON object beside it.

In a run folder they are evaluations/nature_last.csv (number, seed, episode_return, episode_length in agent steps) and
evaluations/nature_last.json (what was played, by which checkpoint, and what came out).
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

from atari_dqn.errors import UsageError
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.safe_files import TABLE_BYTES, read_json, write_text
from atari_dqn.types import EpisodeScore

FOLDER = "evaluations"  # in a run folder


def check_writable(folder: Path) -> None:
    """Can files be made here? Asked before hours of play; changes nothing.

    Raises:
      UsageError: no.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise _refused(folder, NotADirectoryError(20, f"{nearest} is a file"))
    if not os.access(nearest, os.W_OK):
        raise _refused(folder, PermissionError(13, "permission denied"))


def write_evaluation(folder: Path, name: str, result: EvaluationResult, episodes: Iterable[EpisodeScore]) -> None:
    """Write `<name>.csv` and then `<name>.json`, each as a whole.

    Raises:
      UsageError: the disk refuses.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(EpisodeScore._fields)
    writer.writerows(episodes)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / f"{name}.csv", table.getvalue())
        write_text(folder / f"{name}.json", json.dumps(result.to_dict(), indent=2) + "\n")
    except OSError as error:
        raise _refused(folder, error) from error


def read_result(run: Path, name: str) -> EvaluationResult | None:
    """An evaluation in a run folder; None where there is none that can be read."""
    try:
        table = read_json(run / FOLDER / f"{name}.json", TABLE_BYTES)
        return EvaluationResult.from_dict(table) if isinstance(table, dict) else None
    except (OSError, ValueError):
        return None


def _refused(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"cannot write evaluations to {folder} ({error.strerror or error}); "
        "mend the folder, name another with --out FOLDER, or keep nothing with --no-write"
    )
