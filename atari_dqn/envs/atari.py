"""What all Atari backends are told: how the games are played, and which of the emulator's actions the agent has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atari_dqn.types import EnvSpec, Screens

SIZE = 84  # pixels of a frame, height and width
PAPER_ACTIONS = {"pong": ("noop", "right", "left")}
"""Games for which the paper's emulator (Xitari) has fewer actions than ale-py (D11): of the 49, only this one."""


@dataclass(frozen=True)
class AtariRules:
    """How the games of a run are played."""

    game: str
    """ROM id."""
    frame_skip: int = 4
    """Frames per agent step, also where a life is lost (D6); the last two are max-pooled."""
    noop_max: int = 30
    """Up to this many no-ops open an episode, frames (D7)."""
    sticky_probability: float = 0.0
    """Chance that a frame repeats the previous action."""
    action_set: str = "minimal"
    """`minimal`, `paper` or `full`, see `Config.action_set`."""
    life_loss: bool = True
    """A lost life is reported as terminated, and the game goes on (D5)."""
    max_episode_steps: int = 27_000
    """Time limit of an episode, agent steps."""
    mode: int | None = None
    """Of the game, one of those that its cartridge has; None for the one that it starts in."""
    difficulty: int | None = None
    """Likewise."""

    def chosen_actions(self, names: Sequence[str]) -> np.ndarray:
        """Which of the emulator's actions the agent has, [A] int64: numbers into `names`, which are in their order."""
        wanted = PAPER_ACTIONS.get(self.game, names) if self.action_set == "paper" else names
        return np.array([names.index(name) for name in wanted], np.int64)

    def spec(self, names: Sequence[str], screens: Screens | None = None) -> EnvSpec:
        """What the agent sees and does: `names` of the emulator's actions, `screens` where it gets these."""
        chosen = tuple(names[number] for number in self.chosen_actions(names))
        return EnvSpec(self.game, (SIZE, SIZE), "uint8", chosen, self.frame_skip, screens=screens)
