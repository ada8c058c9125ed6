"""A trained network that acts, on observations from wherever they come."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.play import greedy_actions
from atari_dqn.published.scores import game_label
from atari_dqn.types import EnvSpec


class Player(NamedTuple):
    """A trained network, ready to play."""

    agent: Agent
    config: Config  # of its run, resolved for this machine
    source: str  # where it was read from: a checkpoint or `pretrained:<game>`
    label: str  # what its evaluations are called: last, best, the checkpoint's name, or pretrained
    step: int  # agent step it was saved at
    spec: EnvSpec  # of its game

    @property
    def game(self) -> str:
        """What scores of its game are listed under: `breakout`, `breakout_mode4`, ..."""
        return game_label(self.config.game, self.config.env.game_mode, self.config.env.difficulty)

    @property
    def action_names(self) -> tuple[str, ...]:
        """What each action does, in the order of the actions' numbers: `noop`, `fire`, ..."""
        return self.spec.action_names

    def act(self, obs: np.ndarray | Tensor) -> np.ndarray:
        """The greedy actions of some observations.

        Args:
          obs: [N, K, 84, 84] uint8, the newest of K frames last, or [N, K, D] for vectors, [N, K, H, W, C] for pictures
               with channels; or one of them without N.

        Returns:
          [N] int64, or [] for a single observation: `int(...)` makes it a number.

        Raises:
          UsageError: the network takes other observations.
        """
        batch, single = _batch_of(obs, self.spec, self.config.env.frame_stack)
        if len(batch) == 0:
            return np.zeros(0, np.int64)
        action = greedy_actions(self.agent, batch.to(self.config.machine.device))
        return action[0].reshape(()) if single else action


def _batch_of(obs: np.ndarray | Tensor, spec: EnvSpec, frame_stack: int) -> tuple[Tensor, bool]:
    """Observations as the network of a game takes them, and whether a single one was given, which is a batch now."""
    if not isinstance(obs, np.ndarray | Tensor):
        raise UsageError(f"obs is of type {type(obs).__name__}; give a numpy array or a tensor")
    given = torch.as_tensor(obs)
    shape, dtype = (frame_stack, *spec.frame_shape), getattr(torch, spec.frame_dtype)
    single = given.dim() == len(shape)
    batch = given[None] if single else given
    if tuple(batch.shape[1:]) != shape or batch.dim() != len(shape) + 1:
        raise UsageError(
            f"obs has the shape {tuple(given.shape)}; the network of {spec.game} takes {('N', *shape)} or {shape}"
        )
    if dtype != torch.float32 and batch.dtype != dtype:
        wanted = "pixels as uint8, from 0 to 255" if dtype == torch.uint8 else "truth values, bool"
        raise UsageError(f"obs is {batch.dtype}; the network of {spec.game} takes {wanted}")
    return batch.to(dtype), single
