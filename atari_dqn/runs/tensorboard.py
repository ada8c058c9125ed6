"""The numbers of a run for TensorBoard: curves that say what they are, pictures, HPARAMS, and a card with its facts."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atari_dqn.dqn.ports import Animation, Histogram, Image, Value
from atari_dqn.runs.event_file import EventFile
from atari_dqn.runs.tags import description

HPARAM_SCORES = ("eval/episode_return_best", "eval/episode_return", "eval/human_normalized", "train/episode_return")
"""Columns beside the settings."""
FIRST_SETTINGS = (
    "game", "preset", "seed", "total_steps", "num_envs", "learning_rate", "batch_size", "update_period",
    "target_update_period", "capacity", "learning_starts", "gamma", "n_step", "epsilon_end",
)  # fmt: skip
"""What runs are told apart by: of HPARAMS, before all others, and chosen to be shown at first."""
HISTOGRAM_BINS = 64


class TensorBoard:
    """One life of a run in TensorBoard.

    Args:
      folder:   the run folder.
      purge:    see `EventFile`.
      settings: for HPARAMS; all but numbers are shown as text.
      facts:    of the card, shown before the settings; no card if there are none.
    """

    def __init__(self, folder: Path, purge: int | None, settings: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self._file = EventFile(folder, purge)
        self._described: set[str] = set()  # tags that TensorBoard knows: it keeps what the first point says
        self._session_end = self._begin_session(settings)
        if facts:
            self._add_card(facts, settings, (purge or 1) - 1)

    def _begin_session(self, settings: Mapping[str, Any]) -> Any:
        """Write the run's line in HPARAMS, whose scores are the newest points of the curves of this run.

        `SummaryWriter.add_hparams` would open a second event file in a folder of its own, with copies of the scores.
        A resumed run writes the line again; TensorBoard keeps the first.

        Returns:
          What marks the run as finished, to be written at its end.
        """
        from torch.utils.tensorboard.summary import hparams

        plain = {name: value if type(value) in (int, float) else str(value) for name, value in settings.items()}
        experiment, begin, end = hparams(plain, dict.fromkeys(HPARAM_SCORES, 0.0))
        _put_first(experiment)
        self._file.add(experiment)
        self._file.add(begin)
        return end

    def _add_card(self, facts: Mapping[str, Any], settings: Mapping[str, Any], step: int) -> None:
        from torch.utils.tensorboard.summary import text

        for title, rows in (("run", facts), ("settings", settings)):
            summary = text(title, _table(rows))
            summary.value[0].metadata.summary_description = description(summary.value[0].tag)
            self._file.add(summary, step)

    def log(self, step: int, values: Mapping[str, Value]) -> None:
        """One point of each tag."""
        for tag, value in values.items():
            self._add(tag, _summary(tag, value), step)

    def _add(self, tag: str, summary: Any, step: int) -> None:
        """Write one value in TensorBoard's newer form: of older ones its fast reader drops the description."""
        from tensorboard.data_compat import migrate_value

        (value,) = summary.value
        if tag not in self._described:
            self._described.add(tag)
            value.metadata.summary_description = description(tag)
        value.CopyFrom(migrate_value(value))
        self._file.add(summary, step)

    def flush(self) -> None:
        """What was written so far can be read."""
        self._file.flush()

    def close(self, *, finished: bool) -> None:
        """End the file; `finished`: the run has come to its end."""
        try:
            if finished:
                self._file.add(self._session_end)
        finally:
            self._file.close()


def _summary(tag: str, value: Value) -> Any:
    """A point as TensorBoard reads it."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard import summary

    if isinstance(value, Histogram):
        return summary.histogram(tag, value.values, HISTOGRAM_BINS)
    if isinstance(value, Image):
        return summary.image(tag, value.pixels, dataformats="HW" if value.pixels.ndim == 2 else "HWC")
    if isinstance(value, Animation):
        width, height = struct.unpack("<HH", value.gif[6:10])
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=value.gif)
        return Summary(value=[Summary.Value(tag=tag, image=image)])
    return summary.scalar(tag, value)


def _put_first(summary: Any) -> None:
    """Mark FIRST_SETTINGS in a summary of `hparams`, and explain the scores.

    TensorBoard sorts settings by name, after those that are marked to differ between runs.
    """
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    plugin = summary.value[0].metadata.plugin_data
    content = HParamsPluginData.FromString(plugin.content)
    for setting in content.experiment.hparam_infos:
        setting.differs = setting.name in FIRST_SETTINGS
    for score in content.experiment.metric_infos:
        score.description = description(score.name.tag)
    plugin.content = content.SerializeToString()


def _table(rows: Mapping[str, Any]) -> str:
    """Markdown with one row each; what would break it out is made harmless."""
    lines = [f"| {name} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: Any) -> str:
    return f"`{str(value).replace('`', ' ').replace('|', '/')}`" if str(value) else ""
