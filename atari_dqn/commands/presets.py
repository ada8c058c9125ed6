"""`atari-dqn presets`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from atari_dqn.commands import parse
from atari_dqn.errors import UsageError
from atari_dqn.presets import PRESETS


@dataclass(frozen=True)
class Presets:
    """List the presets, or print what one of them changes."""

    name: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="NAME")] = None
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
    elif name in PRESETS:
        table = differences(name)
    else:
        near = difflib.get_close_matches(name, PRESETS, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"choose one of {', '.join(PRESETS)}"
        raise UsageError(f"there is no preset {name!r}; {hint}")
    # a pipe has no width: never wrap there
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


def differences(name: str) -> Table:
    """What a preset changes of `nature`; of `nature`, all of it."""
    papers = PRESETS["nature"]("any").flat()
    values = PRESETS[name]("cartpole" if name.startswith("cartpole") else "any").flat()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("setting", name, *([] if name == "nature" else ["nature"]), "unit"):
        table.add_column(heading, overflow="fold")
    for setting, value in values.items():
        if setting in ("game", "preset", "seed") or (name != "nature" and value == papers[setting]):
            continue
        beside = [] if name == "nature" else [_shown(papers[setting])]
        table.add_row(setting, _shown(value), *beside, UNITS.get(setting, ""))
    return table


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
    "atoms": "outputs per action",
    "munchausen_alpha": "weight, 0 = none",
    "munchausen_temperature": "discounted rewards",
    "noisy_sigma": "0 = none",
    "priority_beta": "0 = no correction",
    "priority_beta_end": "at total_steps",
    "max_grad_norm": "0 = no limit",
    "table_bins": "cells per number",
    "rmsprop_decay": "per update",
    "eval_period": "agent steps",
    "eval_period_episodes": "games, 0 = by steps",
    "eval_early_steps": "agent steps",
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
