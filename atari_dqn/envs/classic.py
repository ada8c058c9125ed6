"""CartPole and other gymnasium games whose observations are vectors."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from atari_dqn.envs.checked_game import CheckedGame
from atari_dqn.envs.games import GYM_PREFIX
from atari_dqn.envs.single import SingleEnvs
from atari_dqn.errors import UsageError
from atari_dqn.types import EnvSpec

# What play shows of CartPole. Its own bounds are no help: infinite for velocities, and twice the position and the angle
# at which a game ends. Position: the end of the track that ends a game, m. Angle: 12 degrees, which end it too. The
# velocities (m/s, rad/s) have no bound: in 200,000 steps of random play 3 lay beyond.
CARTPOLE_RANGE = ((-2.4, 2.4), (-3.0, 3.0), (-0.2095, 0.2095), (-3.5, 3.5))


def gymnasium_id(game: str) -> str:
    """`cartpole` is CartPole-v1; `gym:Acrobot-v1` is Acrobot-v1.

    Raises:
      UsageError: neither of the two forms.
    """
    if game == "cartpole":
        return "CartPole-v1"
    if game.startswith(GYM_PREFIX):
        return game.removeprefix(GYM_PREFIX)
    raise UsageError(f"game {game!r} has no vector observations; use cartpole, or gym:ID such as gym:Acrobot-v1")


def make_game(game: str, render_mode: str | None = None) -> CheckedGame:
    """One game of an id.

    Raises:
      UsageError: it cannot be made.
    """
    drawn: dict[str, Any] = {"render_mode": render_mode} if render_mode else {}
    return CheckedGame(game, lambda: gymnasium.make(gymnasium_id(game), disable_env_checker=True, **drawn))


def own_time_limit(game: str) -> int | None:
    """Agent steps after which a game ends by itself, as it was registered; None if it does not say.

    Raises:
      UsageError: it cannot be made.
    """
    made = make_game(game)
    made.close()
    spec = made.env.spec
    return spec.max_episode_steps if spec else None


class ClassicEnvs(SingleEnvs):
    """N games of one gymnasium id.

    Args:
      game:              `cartpole` or `gym:ID`.
      num_envs:          N.
      max_episode_steps: time limit of a game, agent steps, besides the game's own.
      reseed_after:      see `SingleEnvs`.

    Raises:
      UsageError: an unknown id, a game whose observations are no vectors or whose actions are not numbered, or one that
        fails or breaks gymnasium's contract in its first step.
    """

    def __init__(self, game: str, num_envs: int, *, max_episode_steps: int, reseed_after: int = 0) -> None:
        probe = make_game(game)
        spec = _spec(game, probe)
        probe.reset(seed=0)
        probe.step(0)
        probe.close()
        limits = {"max_episode_steps": max_episode_steps, "reseed_after": reseed_after}
        super().__init__(lambda: make_game(game), num_envs, spec=spec, **limits)


def _spec(game: str, env: CheckedGame) -> EnvSpec:
    seen, actions = env.observation_space, env.action_space
    if not isinstance(seen, gymnasium.spaces.Box) or len(seen.shape) != 1 or not seen.shape[0]:
        raise UsageError(f"{game} shows {seen}; only vectors (a Box of one axis, not empty) can be learned from here")
    if not isinstance(actions, gymnasium.spaces.Discrete) or actions.n > 256:
        raise UsageError(f"{game} takes {actions}; DQN needs numbered actions (Discrete, at most 256)")
    names = tuple(str(actions.start + action) for action in range(int(actions.n)))
    return EnvSpec(game, seen.shape, np.dtype(np.float32).name, names, 1, _range(game, seen))


def _range(game: str, seen: gymnasium.spaces.Box) -> tuple[tuple[float, float], ...]:
    """Lowest and highest value of each number; empty if one of them is unbounded."""
    if gymnasium_id(game).startswith("CartPole-v"):
        return CARTPOLE_RANGE
    bounds = tuple(zip(seen.low.tolist(), seen.high.tolist(), strict=True))
    return bounds if np.isfinite(bounds).all() else ()
