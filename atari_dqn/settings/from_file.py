"""A config in a file: its settings, in the words of this version, each of the type that it has to have."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from atari_dqn.errors import UsageError
from atari_dqn.safe_files import parse_json
from atari_dqn.settings.checks import UNUSED, about_single_values
from atari_dqn.settings.table import Setting, fitting, type_complaint

GROUPS = (
    "env",
    "replay",
    "algorithm",
    "exploration",
    "network",
    "optimizer",
    "extensions",
    "evaluation",
    "logging",
    "machine",
)
"""Objects inside the object; older versions wrote all settings beside each other."""
ONCE: Mapping[str, float] = {
    "total_episodes": 0,
    "game_end_updates": 0,
    "eval_period_episodes": 0,
    "eval_episodes": 0,
    "n_step_decay_steps": 0,
    "priority_decay_steps": 0,
    "replay_window_growth_steps": 0,
    "categorical_bins": 0,
    "max_grad_norm": 0,
    "epsilon_decay_factor": 1,
}
"""Numbers that older versions wrote for none."""
RENAMED = {
    "recent_share": "replay_window_fraction",
    "recent_growth_steps": "replay_window_growth_steps",
    "recent_least": "replay_window_min",
    "priority_exponent": "priority_alpha",
    "priority_correction": "priority_beta",
    "epsilon_spread": "epsilon_ladder",
    "hold_random_actions": "ez_greedy_warm_up",
    "center_pixels": "subtract_mean_frame",
    "value_bins": "categorical_bins",
    "value_limit": "value_support",
}


def settings_in(text: str, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """What the config.json of a run says of the settings of `Config`, by their names.

    Args:
      text:     of the file, in groups or flat as older versions wrote it.
      settings: all that there are.

    Raises:
      UsageError: it names no game, or as of `some_settings_in`.
    """
    table = some_settings_in(text, settings)
    if "game" not in table:
        raise UsageError("the config names no game; is it a config.json of a run?")
    return table | _unused(table, settings)


def some_settings_in(text: str, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The same of a file that may say some settings only.

    Raises:
      UsageError: not JSON, not an object, an unknown setting or one that stands twice, a wrong type.
    """
    try:
        table = parse_json(text)
    except ValueError as error:
        raise UsageError(f"the config is not valid JSON ({error})") from error
    if not isinstance(table, dict):
        raise UsageError(f"the config must be a JSON object, not {type(table).__name__}")
    if twice := _twice(table):
        raise UsageError(f"the config says {', '.join(twice)} twice; leave one of them out")
    table = flattened(table)
    if unknown := sorted(set(table) - set(settings)):
        near = {name: difflib.get_close_matches(name, (*settings, *GROUPS), n=1) for name in unknown}
        told = ", ".join(f"{name} (did you mean {near[name][0]}?)" if near[name] else name for name in unknown)
        raise UsageError(f"the config has unknown settings: {told}; was it written by another version?")
    for name, value in table.items():
        table[name] = fitting(value, settings[name])
        if wanted := type_complaint(table[name], settings[name]):
            raise UsageError(f"{name} must be {wanted}, not {value!r:.80}")
    return table


def _unused(table: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Quiet values of what the backend does not use: older versions took any within bounds, and nothing came of it."""
    values = {name: table.get(name, setting.default) for name, setting in settings.items()}
    out_of_bounds = {complaint.split()[0] for complaint in about_single_values(values, settings)}
    backend = UNUSED.get(values["backend"], {})
    return {
        name: quiet[0] for name, quiet in backend.items() if values[name] not in quiet and name not in out_of_bounds
    }


def flattened(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a config.json by their names, in the words of this version and without groups."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= value if _is_group(name, value) else {name: value}
    return _renamed(flat)


def _is_group(name: str, value: Any) -> bool:
    return name in GROUPS and isinstance(value, dict)  # older versions had words by the names of some groups


def _twice(table: Mapping[str, Any]) -> list[str]:
    inside = [set(value) for name, value in table.items() if _is_group(name, value)]
    outside = {name for name, value in table.items() if not _is_group(name, value)}
    count = Counter(setting for names in [outside, *inside] for setting in names)
    return sorted(name for name, times in count.items() if times > 1)


def _renamed(table: dict[str, Any]) -> dict[str, Any]:
    """A config of an older version in the words of this one."""
    table = {RENAMED.get(name, name): value for name, value in table.items()}
    numbers = {name: value for name, value in table.items() if name in ONCE and type(value) in (int, float)}
    table |= {name: None for name, value in numbers.items() if value == ONCE[name]}
    if (full := table.pop("full_action_space", None)) is not None:
        table["action_set"] = "full" if full else "minimal"
    if (clipped := table.pop("clip_td_error", None)) is not None:
        table["loss"] = "huber" if clipped else "mse"
    return table
