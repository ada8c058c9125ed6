"""Files of an evaluation: a table with one row an episode, and one JSON object beside it.

In a run folder they are evaluations/nature_last.csv (number, seed, episode_return, episode_length in agent steps) and
evaluations/nature_last.json (what was played, by which checkpoint, and what came out).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path

from atari_dqn.errors import UsageError
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.runs.folder import why_unwritable
from atari_dqn.safe_files import TABLE_BYTES, read_json, write_text
from atari_dqn.types import EpisodeScore

FOLDER = "evaluations"  # in a run folder


def check_writable(folder: Path) -> None:
    """Can files be made here? Asked before hours of play; leaves nothing behind.

    Raises:
      UsageError: no.
    """
    if why := why_unwritable(folder):
        raise _refused(folder, why)


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
        raise _refused(folder, error.strerror or str(error)) from error


def read_result(run: Path, name: str) -> EvaluationResult | None:
    """An evaluation in a run folder; None where there is none that can be read."""
    try:
        table = read_json(run / FOLDER / f"{name}.json", TABLE_BYTES)
        return EvaluationResult.from_dict(table) if isinstance(table, dict) else None
    except (OSError, ValueError):
        return None


def _refused(folder: Path, why: str) -> UsageError:
    return UsageError(
        f"cannot write evaluations to {folder} ({why}); "
        "mend the folder, name another with --out FOLDER, or keep nothing with --no-write"
    )
