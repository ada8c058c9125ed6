"""`atari-dqn presets`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from atari_dqn.commands import parse
from atari_dqn.presets import PRESETS


@dataclass(frozen=True)
class Presets:
    """Print the presets side by side, each value with its unit."""


def run(words: Sequence[str]) -> int:
    """Print the table; returns the exit code."""
    parse(Presets, words, prog="atari-dqn presets")
    tables = [dataclasses.asdict(preset("any")) for preset in PRESETS.values()]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("setting", *PRESETS, "unit"):
        table.add_column(heading, no_wrap=True)
    for name in tables[0]:
        if name not in ("game", "preset", "seed"):
            table.add_row(name, *(_shown(values[name]) for values in tables), UNITS.get(name, ""))
    # a pipe has no width: never wrap there
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


UNITS = {
    "num_envs": "environments",
    "env_groups": "groups",
    "frame_skip": "frames per agent step",
    "frame_stack": "frames",
    "noop_max": "frames",
    "sticky_probability": "per frame",
    "max_episode_steps": "agent steps",
    "total_steps": "agent steps",
    "total_episodes": "games, 0 = by steps",
    "learning_starts": "agent steps",
    "capacity": "transitions",
    "replay_window_fraction": "of all steps",
    "replay_window_growth_steps": "agent steps, 0 = none",
    "replay_window_min": "transitions",
    "priority_alpha": "0 = uniform",
    "priority_decay_steps": "agent steps, 0 = none",
    "reset_steps": "agent steps",
    "reset_updates": "updates",
    "batch_size": "transitions",
    "update_period": "agent steps",
    "game_end_updates": "updates per game",
    "target_update_period": "agent steps",
    "gamma": "per agent step",
    "n_step": "agent steps",
    "n_step_end": "agent steps",
    "n_step_decay_steps": "agent steps, 0 = none",
    "epsilon_start": "probability",
    "epsilon_end": "probability",
    "epsilon_decay_steps": "agent steps",
    "epsilon_decay_factor": "per agent step",
    "epsilon_ladder": "power, 1 = all alike",
    "hidden_sizes": "units",
    "value_bins": "bins, 0 = none",
    "value_limit": "discounted rewards",
    "table_bins": "cells per number",
    "rmsprop_decay": "per update",
    "eval_period": "agent steps",
    "eval_period_episodes": "games, 0 = by steps",
    "eval_steps": "agent steps",
    "eval_episodes": "games, 0 = by steps",
    "eval_epsilon": "probability",
    "eval_num_envs": "environments",
    "film_seconds": "seconds of play",
    "log_period": "agent steps",
    "checkpoint_period": "agent steps",
    "torch_threads": "threads, 0 = cores",
    "env_threads": "threads, 0 = cores",
}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
