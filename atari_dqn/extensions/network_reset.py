"""Network resets: fresh weights in the middle of a run, while the replay stays.

What is learned early, from little play and from values that feed on their own errors, is not unlearned later. A fresh
network learns from the replay for some updates before play goes on.

Source: Nikishin et al. 2022, The primacy bias in deep reinforcement learning.
"""

from __future__ import annotations

import copy
from typing import Protocol

import torch
from torch import nn

from atari_dqn.config import Config
from atari_dqn.networks import initialize
from atari_dqn.networks.weights import set_weights
from atari_dqn.seeding import stream

PIECE = 128  # updates between two looks at whether the run is to end: a few seconds of a CPU


class Resettable(Protocol):
    """What a reset needs of an algorithm."""

    model: nn.Module
    optimizer: torch.optim.Optimizer

    def sync_target(self) -> None: ...


class NetworkReset:
    """Resets at `config.extensions.reset_steps`, each followed by `reset_updates` updates without play.

    Attributes:
      pending_updates: those that the newest network still has to do before play goes on.
    """

    def __init__(self, config: Config, algorithm: Resettable) -> None:
        self.config, self.algorithm = config, algorithm
        self.pending_updates = 0

    @property
    def is_fresh(self) -> bool:
        """Has the newest network done none of its updates yet?"""
        return 0 < self.pending_updates == self.config.extensions.reset_updates

    def reset_if_due(self, before: int, after: int) -> None:
        """Draw the network anew if one of the steps lies in (before, after]."""
        for number, step in enumerate(self.config.extensions.reset_steps):
            if before < step <= after:
                self.reset(number)

    def reset(self, number: int) -> None:
        """Draw the network again, for the `number`-th time (from 0)."""
        seed = stream(self.config.seed, "init").generate_state(number + 2)[-1]  # the first was the run's
        redraw(self.algorithm, torch.Generator().manual_seed(int(seed)), self.config.network.initializer)
        self.pending_updates = self.config.extensions.reset_updates

    def next_piece(self) -> tuple[int, int]:
        """Take some of the pending updates: those in (before, after], agent steps of a run that begins with them."""
        done = self.config.extensions.reset_updates - self.pending_updates
        updates = min(self.pending_updates, PIECE)
        self.pending_updates -= updates
        return done * self.config.algorithm.update_period, (done + updates) * self.config.algorithm.update_period


@torch.no_grad()
def redraw(algorithm: Resettable, generator: torch.Generator, initializer: str) -> None:
    """Draw both networks and forget what the optimizer has gathered; every tensor keeps its place in memory."""
    fresh = copy.deepcopy(algorithm.model).cpu()  # numbers are drawn there whatever the device
    initialize(fresh, generator, initializer)
    set_weights(algorithm.model, fresh.state_dict())
    for values in algorithm.optimizer.state.values():
        for value in values.values():
            value.zero_()
    algorithm.sync_target()
