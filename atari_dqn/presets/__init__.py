"""Published and recommended settings: complete tables, one function each.

In reading order: papers.py (nature, nnabla, rl_zoo, sticky), family.py (Double DQN to Rainbow), quick.py (an hour on a
laptop), cartpole.py, pixels.py (gymnasium's games of pictures), minatar.py (small ones with channels).

Each takes a game, and settings that are to differ, by their names: `quick("pong", num_envs=8)`.
"""

from __future__ import annotations

import difflib

from atari_dqn.config import Preset
from atari_dqn.errors import UsageError
from atari_dqn.presets.cartpole import cartpole, cartpole_parl, cartpole_tf2
from atari_dqn.presets.family import FAMILY
from atari_dqn.presets.minatar import minatar
from atari_dqn.presets.papers import nature, nnabla, rl_zoo, sticky
from atari_dqn.presets.pixels import pixels
from atari_dqn.presets.quick import quick

__all__ = [
    "PRESETS", "cartpole", "cartpole_parl", "cartpole_tf2", "minatar", "nature", "nnabla", "pixels", "preset_named",
    "quick", "rl_zoo", "sticky",
]  # fmt: skip

PRESETS: dict[str, Preset] = {
    "nature": nature,
    "nnabla": nnabla,
    "rl_zoo": rl_zoo,
    "sticky": sticky,
    "quick": quick,
    "cartpole": cartpole,
    "cartpole_tf2": cartpole_tf2,
    "cartpole_parl": cartpole_parl,
    "pixels": pixels,
    "minatar": minatar,
    **FAMILY,
}


def preset_named(name: str) -> Preset:
    """The preset that a user names.

    Raises:
      UsageError: there is none; the nearest names are told, else all of them.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"choose one of {', '.join(PRESETS)}"
        raise UsageError(f"there is no preset {name!r}; {hint}")
    return PRESETS[name]
