"""Where the numbers of a run go: TensorBoard, metrics.jsonl and evals.csv. Knows no learning.

metrics.jsonl has one object a line, evals.csv one row an evaluation; x is always the agent step. A resumed run cuts off
what was written after its checkpoint, so no point stands twice.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from atari_dqn.dqn.ports import Evaluation, Value, numbers_of
from atari_dqn.evaluation.result import score_told
from atari_dqn.runs.tensorboard import TensorBoard
from atari_dqn.runs.terminal import say
from atari_dqn.safe_files import LOG_BYTES, integer, number, open_to_append, parse_json, read_text, write_text

METRICS, EVALS = "metrics.jsonl", "evals.csv"
EVAL_COLUMNS = (
    "step",
    "frames",
    "protocol",
    "episodes",
    "mean",
    "std",
    "human_normalized",
    "epsilon",
    "best",
)  # fmt: skip
EVAL_TAG = "eval/episode_return"  # in the line of each evaluation
OF_AN_EPISODE = "episode/"  # tags with a point for each episode of training


class RunLogger:
    """Writes into a run folder.

    Args:
      folder:          the run folder; exists.
      total_steps:     length of the run, agent steps.
      frames_per_step: emulator frames of an agent step.
      resume_step:     what was written after this agent step is cut off; None for a new run.
      evaluated_at:    likewise for evaluations: the run may have been stopped in the one of `resume_step`.
      settings:        of the run, for TensorBoard's HPARAMS.
      facts:           of the run, for TensorBoard's card.
      tell:            prints a line for whoever watches.
    """

    def __init__(
        self,
        folder: Path,
        *,
        total_steps: int,
        frames_per_step: int,
        resume_step: int | None = None,
        evaluated_at: int | None = None,
        settings: Mapping[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        tell: Callable[[str], None] = say,
    ) -> None:
        self.frames_per_step = frames_per_step
        again: list[dict[str, Any]] = []
        purge = None
        if resume_step is not None:
            evaluated_at = resume_step if evaluated_at is None else evaluated_at
            purge = resume_step + 1
            kept = _cut_metrics(folder / METRICS, resume_step, evaluated_at)
            _cut_evals(folder / EVALS, evaluated_at)
            if evaluated_at < resume_step:  # TensorBoard drops whole steps
                purge, again = resume_step, [record for record in kept if record["step"] == resume_step]
        with ExitStack() as opened:  # closed again, where one of them cannot be opened
            self._metrics = opened.enter_context(open_to_append(folder / METRICS))
            self._evals = opened.enter_context(open_to_append(folder / EVALS))
            if self._evals.tell() == 0:
                self._write_row(EVAL_COLUMNS)
            self._board = TensorBoard(folder, purge, settings or {}, facts or {})
            opened.pop_all()
        for record in again:
            curves = {tag: number(value) for tag, value in record.items() if "/" in tag}
            self._board.log(purge or 0, {tag: value for tag, value in curves.items() if value is not None})
        self._total, self._newest = total_steps, 0
        self._tell = tell

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """One point of each tag; numbers make a line of metrics.jsonl, too, null for one that is none.

        Those of single episodes (`episode/...`) make none: they may be many.
        """
        self._board.log(step, values)
        numbers = {tag: value for tag, value in numbers_of(values).items() if not tag.startswith(OF_AN_EPISODE)}
        if not numbers:
            return
        finite = {tag: value if math.isfinite(value) else None for tag, value in numbers.items()}
        record = {"step": step, "frame": step * self.frames_per_step, "time": time.time(), **finite}
        self._metrics.write(json.dumps(record) + "\n")
        self._board.flush()
        self._newest = step

    def evaluation(self, result: Evaluation, best: bool) -> None:
        """One row of evals.csv."""
        step = result.step or 0
        more = {"frames": step * self.frames_per_step, "best": best}
        row = [more[name] if name in more else getattr(result, name) for name in EVAL_COLUMNS]
        self._write_row(["" if value is None else value for value in row])
        self.message(
            f"step {step:,}: evaluation {score_told(result.mean, '')} +- {score_told(result.std, '')} "
            f"over {result.episodes} episode{'s' if result.episodes != 1 else ''}{', the best so far' if best else ''}"
        )

    def message(self, text: str) -> None:
        self._tell(text)

    def flush(self) -> None:
        """Everything written so far is on the disk when this returns."""
        self._board.flush()
        for file in (self._metrics, self._evals):
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        with ExitStack() as files:  # all of them, also where the disk refuses one
            files.callback(self._board.close, finished=self._newest >= self._total)
            for file in (self._metrics, self._evals):
                files.callback(file.close)

    def _write_row(self, row: Any) -> None:
        csv.writer(self._evals, lineterminator="\n").writerow(row)


def _cut_metrics(path: Path, last_step: int, evaluated_at: int) -> list[dict[str, Any]]:
    """Keep the lines up to `last_step`, those of evaluations up to `evaluated_at`; a broken one, as by a crash, goes.

    Returns:
      The records that are kept.
    """
    if not path.exists():
        return []
    kept, records = [], []
    for line in read_text(path, LOG_BYTES, errors="replace").splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            continue
        step = integer(record.get("step")) if isinstance(record, dict) else None
        if step is not None and step <= (evaluated_at if EVAL_TAG in record else last_step):
            kept.append(line + "\n")
            records.append(record)
    write_text(path, "".join(kept))
    return records


def _cut_evals(path: Path, last_step: int) -> None:
    if not path.exists():
        return
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    for line in read_text(path, LOG_BYTES, errors="replace").splitlines():
        try:
            row = next(csv.reader([line]), [])
        except csv.Error:  # a field of more than 128 KiB
            continue
        step = integer(row[0]) if len(row) == len(EVAL_COLUMNS) else None
        if row == list(EVAL_COLUMNS) or (step is not None and step <= last_step):
            writer.writerow(row)
    write_text(path, output.getvalue())
