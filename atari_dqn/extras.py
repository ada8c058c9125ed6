"""The extras of pyproject.toml: what each brings, and how a command asks for one before it loads or writes anything."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from atari_dqn.errors import UsageError

EXTRAS = {  # each with the modules that it brings
    "video": ("imageio_ffmpeg",),
    "plot": ("matplotlib",),
    "play": ("pygame",),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "wandb": ("wandb",),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "bench": ("stable_baselines3",),
}


def installed(extra: str) -> bool:
    """Are its modules there? Milliseconds: none is imported."""
    return all(
        sys.modules[module] is not None if module in sys.modules else find_spec(module) is not None
        for module in EXTRAS[extra]
    )


def require(extra: str, what: str, without: str = "") -> None:
    """Ask for an extra.

    Args:
      extra:   its name.
      what:    needs it, such as "plots need".
      without: how it can be done without.

    Raises:
      UsageError: it is not installed.
    """
    if not installed(extra):
        raise UsageError(f"{what} the {extra!r} extra: pip install 'atari-dqn[{extra}]'{without}")
