"""What is passed around: environment steps, training batches, learning statistics, the VecEnv protocol.

Axis letters everywhere: `N` environments, `B` batch, `K` frame stack, `H W` pixels, `A` actions, `n` reward steps.
This file holds no behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:  # worker processes of games do without torch
    from torch import Tensor


@dataclass(frozen=True)
class Screens:
    """Pictures that are to become frames where those are kept: the last two screens of an emulator, [2, H, W] uint8."""

    height: int
    width: int
    luminance: tuple[int, ...]
    """Of each number that a screen holds, 0 to 255."""


@dataclass(frozen=True)
class EnvSpec:
    """What a network and a replay have to know about a game."""

    game: str
    """ROM id (`ms_pacman`) or gymnasium id (`CartPole-v1`)."""
    frame_shape: tuple[int, ...]
    """Shape of one frame of one environment: (84, 84) for Atari, (4,) for CartPole, (10, 10, C) for MinAtar."""
    frame_dtype: str
    """numpy name of the frame's type: `uint8` for pixels, `float32` for vectors; channels may be of both, or `bool`."""
    action_names: tuple[str, ...]
    """One name per action, in the order of the action's number."""
    frame_skip: int
    """Emulator frames per agent step; 1 where there is no emulator."""
    frame_range: tuple[tuple[float, float], ...] = ()
    """Lowest and highest value of each number of a vector, for networks that divide it into cells or scale it; empty
    where they are not known."""
    screens: Screens | None = None
    """What `Step.frame` holds instead of frames, [N, 2, H, W]; None: frames."""

    @property
    def num_actions(self) -> int:
        return len(self.action_names)


class Step(NamedTuple):
    """One vector step: what N environments answered. All arrays are owned by the receiver (never reused).

    `terminated` and `started` are different facts: one cuts the Bellman sum, the other cuts the frame stack.
    An episode goes from a reset to its end; a lost life ends none. After an end the next step carries `started`: its
    frame opens the new episode and its reward is 0.
    """

    frame: np.ndarray  # [N, *frame_shape] frame_dtype, the newest frame only
    reward: np.ndarray  # [N] float32, true score change, not clipped
    terminated: np.ndarray  # [N] bool, no value follows: game over, or a life lost if the environment says so
    truncated: np.ndarray  # [N] bool, the time limit was reached; `frame` is the true last frame
    started: np.ndarray  # [N] bool, this frame opens a new episode: earlier frames are not part of its stack
    finished: np.ndarray  # [N] bool, an episode ended: its score may be reported


class EpisodeScore(NamedTuple):
    """What one episode, played to its end, was worth."""

    number: int  # of the episode in its evaluation; in training, of the environment that played it
    seed: int | None  # replays it; None in training
    episode_return: float  # raw score
    episode_length: int  # agent steps


class Transitions(NamedTuple):
    """A minibatch for the learner. Rewards are raw; beyond the end of an episode they are zero."""

    obs: Tensor  # [B, K, H, W] uint8 (or [B, K, D] float32 for vector observations)
    action: Tensor  # [B] int64
    reward: Tensor  # [B, n] float32, raw rewards of the n steps that follow obs
    num_steps: Tensor  # [B] int64 in [1, n], steps between obs and next_obs
    terminated: Tensor  # [B] bool, no value follows next_obs
    next_obs: Tensor  # like obs


class LearnStats(NamedTuple):
    """What one update reports, as scalars on the learner's device: reading them waits for the device."""

    loss: Tensor  # [] float32, as minimised (sum or mean, see Config.loss_reduction)
    q: Tensor  # [] float32, mean of Q(s, a) over the batch
    td_error: Tensor  # [] float32, mean |TD error| before clipping
    grad_norm: Tensor  # [] float32, Euclidean norm of the gradient


class VecEnv(Protocol):
    """N environments side by side. `reset` once, then `send` and `recv` in turns.

    Between `send` and `recv` they may play in threads of their own; the caller is free to work. Where groups of
    environments take turns (`envs/in_turns.py`), `send` and `recv` are about one group: N / groups environments.
    """

    spec: EnvSpec
    num_envs: int

    def reset(self, seeds: np.ndarray) -> Step:
        """Start an episode in each; `seeds` is [N] int64 in [0, 2**31). All `started`, reward 0."""
        ...

    def send(self, action: np.ndarray) -> None:
        """Play one agent step; `action` is [N] int64. Raises UsageError outside [0, num_actions)."""
        ...

    def recv(self) -> Step:
        """Wait for the step that `send` began."""
        ...

    def seed_next_episode(self, index: int, seed: int) -> None:
        """Environment `index` opens its next episode from `seed` instead of going on with its random stream."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit; only between `recv` and `send`."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def close(self) -> None: ...
