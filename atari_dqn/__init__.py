"""A Nature-paper DQN for Atari from pixels. The names below are promised; everything else may move."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Agent": "dqn.agent",
    "Config": "config",
    "DQN": "dqn.algorithm",
    "FrameReplay": "replay.buffer",
    "NatureCNN": "networks.nature_cnn",
    "Selection": "runs.evaluate",
    "Trainer": "dqn.trainer",
    "UsageError": "errors",
    "evaluate_run": "runs.evaluate",
    "make_agent": "dqn.agent",
    "make_envs": "envs",
    "presets": "presets",
    "train": "runs.train",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: torch takes seconds, and not everything here needs it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its names are {', '.join(__all__)}")
    home = import_module(f"{__name__}.{_HOMES[name]}")
    return home if name == _HOMES[name] else getattr(home, name)


def __dir__() -> list[str]:
    return __all__
