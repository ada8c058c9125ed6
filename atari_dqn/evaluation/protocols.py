"""How episodes are played to measure an agent, under the names that papers and training use."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.published.scores import FIVE_MINUTES, THIRTY_MINUTES

if TYPE_CHECKING:  # torch takes seconds
    from torch import Tensor


ProtocolName = Literal["auto", "nature", "sticky", "monitor", "greedy"]
"""What `--protocol` takes; see `protocol_named`."""


class Policy(Protocol):
    """What evaluation asks of an agent."""

    def predict(self, obs: Tensor) -> np.ndarray:
        """Greedy actions: [N, K, ...] -> [N] int64."""
        ...


class NoopPolicy:
    """The policy that does nothing; with epsilon 1 it is the random one."""

    def predict(self, obs: Tensor) -> np.ndarray:
        return np.zeros(len(obs), np.int64)  # action 0 is the no-op of every Atari game


@dataclass(frozen=True)
class EvalProtocol:
    """How episodes are played and how many. Exactly one of `episodes` and `steps` is set."""

    name: str
    episodes: int | None
    """Played."""
    steps: int | None
    """Agent steps of play, one episode after the other; those that fit count, at least one."""
    max_episode_steps: int
    """Time limit of an episode, agent steps."""
    epsilon: float
    """Chance of a random action."""
    noop_max: int
    """Up to this many no-ops open an episode, frames."""
    sticky_probability: float
    """Chance that a frame repeats the previous action."""
    first_episode: int = 0
    """Number of the first one; each number has its own seed, so any episode can be played alone."""

    def only(self, number: int) -> EvalProtocol:
        """The same, but of its episodes the one with this number is played and no other."""
        return dataclasses.replace(self, episodes=1, steps=None, first_episode=number)

    def env_config(self, config: Config, num_envs: int) -> Config:
        """The environments to play in: a lost life never ends an episode; the action set stays the network's."""
        return config.replace(
            **_fresh_backend(config),
            num_envs=num_envs,
            env_groups=1,
            learning_starts=max(config.replay.learning_starts, (config.algorithm.n_step + 1) * num_envs),
            capacity=max(config.replay.capacity, (config.algorithm.n_step + 1) * num_envs),
            terminal_on_life_loss=config.env.fire_on_reset,  # then it must be seen; the episode goes on either way
            noop_after_life_loss=False,
            max_episode_steps=self.max_episode_steps,
            noop_max=self.noop_max,
            sticky_probability=self.sticky_probability,
        )


def _fresh_backend(config: Config) -> dict[str, str]:
    """Where each episode opens by a reset of its own, which worker processes spare."""
    if config.env.backend != "workers":
        return {"backend": config.env.backend}
    if config.env.game_mode is config.env.difficulty is None:
        return {"backend": "native"}
    return {"backend": "reference"}  # the native one knows no modes


def monitor(config: Config) -> EvalProtocol:
    """The evaluation during training. Source: Nature's code: 125,000 steps every 250,000; 30-minute episodes (D10)."""
    return EvalProtocol(
        name="monitor",
        episodes=config.evaluation.eval_episodes,
        steps=None if config.evaluation.eval_episodes else config.evaluation.eval_steps,
        max_episode_steps=config.env.max_episode_steps,
        epsilon=config.evaluation.eval_epsilon,
        noop_max=config.env.noop_max,
        sticky_probability=config.env.sticky_probability,
    )


def nature(episodes: int = 30, *, frame_skip: int = 4) -> EvalProtocol:
    """The paper's table: 30 episodes of at most 5 minutes. Source: Mnih et al. 2015, Methods, Evaluation procedure."""
    return EvalProtocol("nature", episodes, None, FIVE_MINUTES // frame_skip, 0.05, 30, 0.0)


def sticky(episodes: int = 100, *, frame_skip: int = 4) -> EvalProtocol:
    """Sticky actions, no no-ops, 30 minutes. Source: Machado et al. 2018, section 5."""
    return EvalProtocol("sticky", episodes, None, THIRTY_MINUTES // frame_skip, 0.01, 0, 0.25)


def greedy(config: Config, episodes: int = 100) -> EvalProtocol:
    """Without random actions, for games without an emulator such as CartPole."""
    return EvalProtocol("greedy", episodes, None, config.env.max_episode_steps, 0.0, 0, 0.0)


def protocol_name(name: str, config: Config) -> str:
    """What `auto` stands for: a network is evaluated in the games that it was trained for."""
    if name != "auto":
        return name
    if config.env.backend == "classic":
        return "greedy"
    return "sticky" if config.env.sticky_probability > 0.0 else "nature"


def protocol_named(name: str, config: Config) -> EvalProtocol:
    """What `--protocol` means for a run."""
    name = protocol_name(name, config)
    if name in ("nature", "sticky") and config.env.backend == "classic":
        raise UsageError(f"protocol {name!r} is for Atari, but {config.game} has no emulator; use greedy")
    return {
        "nature": nature(frame_skip=config.env.frame_skip),
        "sticky": sticky(frame_skip=config.env.frame_skip),
        "monitor": monitor(config),
        "greedy": greedy(config),
    }[name]
