"""CartPole and other gymnasium games: vectors and channels as they are, pictures as 84 x 84 planes (`pictures.py`)."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from atari_dqn.config import Config
from atari_dqn.envs.atari import SIZE
from atari_dqn.envs.checked_game import FAILURES, CheckedGame, told
from atari_dqn.envs.games import GYM_PREFIX
from atari_dqn.envs.pictures import PictureGame
from atari_dqn.envs.single import Game, SingleEnvs
from atari_dqn.errors import UsageError
from atari_dqn.types import EnvSpec

# What play shows of CartPole. Its own bounds are no help: infinite for velocities, and twice the position and the angle
# at which an episode ends. Position: the end of the track that ends one, m. Angle: 12 degrees, which end it too. The
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
    raise UsageError(f"game {game!r} is none of gymnasium's; use cartpole, or gym:ID such as gym:Acrobot-v1")


class GymGame(NamedTuple):
    """Which game, and how it is made."""

    game: str
    """`cartpole` or `gym:ID`."""
    kwargs: str = ""
    """Keyword arguments for it, a JSON object; "" for none."""
    wrapper: str = ""
    """`MODULE:FUNCTION`, called with each game; "" for none."""
    channels: bool = False
    """Its pictures are shown as they are, also those that could be planes of 84 x 84."""


def gym_game(config: Config) -> GymGame:
    """A game as the settings have it made, and as their network sees it."""
    channels = config.network.network == "minatar_cnn"
    return GymGame(config.game, config.env.env_kwargs, config.env.wrapper, channels)


def make_game(game: GymGame, render_mode: str | None = None) -> CheckedGame:
    """One game.

    Raises:
      UsageError: it cannot be made.
    """

    def make_one() -> Any:
        name = gymnasium_id(game.game)
        _register_plugin(name)
        kwargs: dict[str, Any] = json.loads(game.kwargs) if game.kwargs else {}
        if render_mode:
            kwargs["render_mode"] = render_mode
        env = gymnasium.make(name, **{**kwargs, "disable_env_checker": True})
        return _wrapped(env, game) if game.wrapper else env

    return CheckedGame(game.game, make_one, channels=game.channels)


def _register_plugin(name: str) -> None:
    """Let an installed package register its games, `NAMESPACE/ID`, as it says under gymnasium's entry points."""
    namespace = name.split(":")[-1].rpartition("/")[0]
    if namespace and all(spec.namespace != namespace for spec in gymnasium.registry.values()):
        for entry in entry_points(group="gymnasium.envs", name=namespace):
            entry.load()()


def _wrapped(env: Any, game: GymGame) -> Any:
    """What the user's function makes of a game.

    Raises:
      UsageError: there is no such function, or it fails.
    """
    module, _, function = game.wrapper.partition(":")
    try:
        made = getattr(import_module(module), function)(env)
    except FAILURES as error:
        raise UsageError(f"wrapper is {game.wrapper!r}, which failed for {game.game}: {told(error)}") from error
    if not all(callable(getattr(made, method, None)) for method in ("reset", "step", "close")):
        raise UsageError(f"wrapper is {game.wrapper!r}, which made {made!r} of {game.game}: it must return a game")
    return made


def own_time_limit(game: GymGame) -> int | None:
    """Agent steps after which an episode ends by itself, as the game was registered; None if it does not say.

    Raises:
      UsageError: it cannot be made.
    """
    made = make_game(game)
    made.close()
    limit = getattr(getattr(made.env, "spec", None), "max_episode_steps", None)
    return limit if limit is None else int(limit)  # True is 1


class ClassicEnvs(SingleEnvs):
    """N games of one gymnasium id.

    Args:
      game:              which, see `GymGame`.
      num_envs:          N.
      max_episode_steps: time limit of an episode, agent steps, besides the game's own.
      reseed_after:      see `SingleEnvs`.

    Raises:
      UsageError: an unknown id, a game whose observations are neither vectors nor pictures or whose actions are not
        numbered, or one that fails or breaks gymnasium's contract in its first step.
    """

    def __init__(self, game: GymGame, num_envs: int, *, max_episode_steps: int, reseed_after: int = 0) -> None:
        probe = make_game(game)
        spec = _spec(game.game, probe)
        probe.reset(seed=0)
        probe.step(0)
        probe.close()

        def make_one() -> Game:
            one = make_game(game)
            made = _spec(game.game, one)
            differs = [
                f"{name} {now} after {before}"
                for name, before in vars(spec).items()
                if name != "frame_range" and (now := getattr(made, name)) != before
            ]
            if differs:  # numpy would fill a vector of 3 numbers from one of 1
                raise UsageError(f"{game.game} is another game each time it is made: {', '.join(differs)}")
            return PictureGame(one) if probe.shows_pictures else one

        limits = {"max_episode_steps": max_episode_steps, "reseed_after": reseed_after}
        super().__init__(make_one, num_envs, spec=spec, **limits)


def _spec(game: str, env: CheckedGame) -> EnvSpec:
    seen, actions = env.observation_space, env.action_space
    vector = isinstance(seen, gymnasium.spaces.Box) and len(seen.shape) == 1 and seen.shape[0]
    if not (vector or env.shows_pictures or env.channels_of):
        raise UsageError(
            f"{game} shows {seen}; only vectors (a Box of one axis, not empty) and pictures (uint8 of [H, W]; of "
            "[H, W, C] also bool, or floats in [0, 1]) can be learned from; "
            "--wrapper gymnasium.wrappers:FlattenObservation may make it a vector"
        )
    if not isinstance(actions, gymnasium.spaces.Discrete) or actions.n > 256:
        raise UsageError(
            f"{game} takes {actions}; DQN needs numbered actions (Discrete, at most 256). "
            "Some games have them, too: CarRacing by --env-kwargs '{\"continuous\": false}'"
        )
    names = tuple(str(actions.start + action) for action in range(int(actions.n)))
    if env.shows_pictures:
        return EnvSpec(game, (SIZE, SIZE), "uint8", names, 1)
    if env.channels_of:
        return EnvSpec(game, seen.shape, env.channels_of, names, 1)
    return EnvSpec(game, seen.shape, np.dtype(np.float32).name, names, 1, _range(game, seen))


def _range(game: str, seen: gymnasium.spaces.Box) -> tuple[tuple[float, float], ...]:
    """Lowest and highest value of each number; empty if one of them is unbounded."""
    if gymnasium_id(game).startswith("CartPole-v"):
        return CARTPOLE_RANGE
    bounds = tuple(zip(seen.low.tolist(), seen.high.tolist(), strict=True))
    return bounds if np.isfinite(bounds).all() else ()
