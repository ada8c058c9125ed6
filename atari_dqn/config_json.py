"""A config in a file: its settings, in the words of this version, each of the type that it has to have."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from atari_dqn.config_checks import UNUSED, about_single_values
from atari_dqn.errors import UsageError
from atari_dqn.safe_files import parse_json

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
RENAMED = {
    "recent_share": "replay_window_fraction",
    "recent_growth_steps": "replay_window_growth_steps",
    "recent_least": "replay_window_min",
    "priority_exponent": "priority_alpha",
    "priority_correction": "priority_beta",
    "epsilon_spread": "epsilon_ladder",
    "hold_random_actions": "ez_greedy_warm_up",
}


def fields_of(text: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What the config.json of a run says of the settings of `Config`, by their names.

    Args:
      text:     of the file, in groups or flat as older versions wrote it.
      defaults: of all settings; their types are those wanted.

    Raises:
      UsageError: it names no game, or as of `some_fields_of`.
    """
    table = some_fields_of(text, defaults)
    if "game" not in table:
        raise UsageError("the config names no game; is it a config.json of a run?")
    return table | _unused(table, defaults)


def some_fields_of(text: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
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
    table = renamed(flattened(table))
    if unknown := sorted(set(table) - set(defaults)):
        near = {name: difflib.get_close_matches(name, (*defaults, *GROUPS), n=1) for name in unknown}
        told = ", ".join(f"{name} (did you mean {near[name][0]}?)" if near[name] else name for name in unknown)
        raise UsageError(f"the config has unknown settings: {told}; was it written by another version?")
    for name, value in table.items():
        _check_type(name, value, defaults[name])
    return table


def _unused(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Quiet values of what the backend does not use: older versions took any within bounds, and nothing came of it."""
    values = {**defaults, **table}
    out_of_bounds = {complaint.split()[0] for complaint in about_single_values(SimpleNamespace(**values))}
    backend = UNUSED.get(values["backend"], {})
    return {
        name: quiet[0] for name, quiet in backend.items() if values[name] not in quiet and name not in out_of_bounds
    }


def flattened(table: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a config.json by their names, without the groups."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= value if _is_group(name, value) else {name: value}
    return flat


def _is_group(name: str, value: Any) -> bool:
    return name in GROUPS and isinstance(value, dict)  # older versions had words by the names of some groups


def _twice(table: Mapping[str, Any]) -> list[str]:
    inside = [set(value) for name, value in table.items() if _is_group(name, value)]
    outside = {name for name, value in table.items() if not _is_group(name, value)}
    count = Counter(setting for names in [outside, *inside] for setting in names)
    return sorted(name for name, times in count.items() if times > 1)


def renamed(table: dict[str, Any]) -> dict[str, Any]:
    """A config of an older version in the words of this one."""
    table = {RENAMED.get(name, name): value for name, value in table.items()}
    if (full := table.pop("full_action_space", None)) is not None:
        table["action_set"] = "full" if full else "minimal"
    if (clipped := table.pop("clip_td_error", None)) is not None:
        table["loss"] = "huber" if clipped else "mse"
    return table


def _check_type(name: str, value: Any, default: Any) -> None:
    expected = type(default)
    if expected is tuple:
        good = isinstance(value, list) and all(type(item) is int for item in value)
    elif expected is float:
        good = type(value) in (int, float)
    else:
        good = type(value) is expected
    if not good:
        raise UsageError(f"{name} must be {'a list of int' if expected is tuple else expected.__name__}, not {value!r}")
