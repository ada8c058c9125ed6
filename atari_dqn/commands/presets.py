"""`atari-dqn presets`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from atari_dqn.commands import parse
from atari_dqn.config import SETTINGS
from atari_dqn.presets import PRESETS, preset_named


@dataclass(frozen=True)
class Presets:
    """List the presets, or print what one of them changes."""

    name: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[NAME]")] = None
    """One preset: what differs from `nature`, each value with its unit. Without a name: all presets, a line each."""


def run(words: Sequence[str]) -> int:
    """Print the list, or one preset; returns the exit code."""
    name = parse(Presets, words, prog="atari-dqn presets").name
    if name is None:
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column("preset", no_wrap=True)
        table.add_column("what it is")
        for preset, make in PRESETS.items():
            table.add_row(preset, (make.__doc__ or "").splitlines()[0])
    else:
        table = differences(name)
    # a pipe has no width: never wrap there
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def differences(name: str) -> Table:
    """What a preset changes of `nature`; of `nature`, all of it."""
    papers = PRESETS["nature"]("any")
    preset = preset_named(name)("cartpole" if name.startswith("cartpole") else "any")
    headings = ("setting", name, "unit") if name == "nature" else ("setting", name, "nature", "unit")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    rows = {setting: (value,) for setting, value in papers.flat().items()}
    for setting, values in (rows if name == "nature" else preset.differences(papers)).items():
        if setting not in ("game", "preset", "seed"):
            bounds = SETTINGS[setting].bounds
            table.add_row(setting, *map(_shown, values), bounds.unit if bounds else "")
    return table


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "none" if value is None else "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
