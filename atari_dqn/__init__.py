"""A Nature-paper DQN for Atari from pixels. The names below are promised; everything else may move."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for type checkers and editors; the same names as in _HOMES
    from atari_dqn import presets as presets
    from atari_dqn.config import Config as Config
    from atari_dqn.dqn.agent import Agent as Agent
    from atari_dqn.dqn.agent import make_agent as make_agent
    from atari_dqn.dqn.algorithm import DQN as DQN
    from atari_dqn.dqn.callbacks import Callback as Callback
    from atari_dqn.dqn.callbacks import Training as Training
    from atari_dqn.dqn.trainer import Trainer as Trainer
    from atari_dqn.envs import make_envs as make_envs
    from atari_dqn.errors import UsageError as UsageError
    from atari_dqn.networks.nature_cnn import NatureCNN as NatureCNN
    from atari_dqn.replay.buffer import FrameReplay as FrameReplay
    from atari_dqn.runs.evaluate import Selection as Selection
    from atari_dqn.runs.evaluate import evaluate_run as evaluate_run
    from atari_dqn.runs.run import Run as Run
    from atari_dqn.runs.run import load as load
    from atari_dqn.runs.train import train as train

__version__ = "0.1.0"

_HOMES = {
    "Agent": "dqn.agent",
    "Callback": "dqn.callbacks",
    "Config": "config",
    "DQN": "dqn.algorithm",
    "FrameReplay": "replay.buffer",
    "NatureCNN": "networks.nature_cnn",
    "Run": "runs.run",
    "Selection": "runs.evaluate",
    "Trainer": "dqn.trainer",
    "Training": "dqn.callbacks",
    "UsageError": "errors",
    "evaluate_run": "runs.evaluate",
    "load": "runs.run",
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
