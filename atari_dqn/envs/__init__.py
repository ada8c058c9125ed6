"""The games: one protocol (`types.VecEnv`), four backends.

In reading order: games.py (their names), contract.py (what all keep to), atari.py (what Atari is told), native.py
(ale-py's C++ threads), single.py (one Gymnasium game), reference.py (Atari by wrappers), classic.py (CartPole and
others), pictures.py (those that show some), checked_game.py (each held to its contract), in_turns.py (groups of
environments). Then our own worker processes: emulator.py (what a game does), palette.py, frame_maker.py (screens become
frames), board.py (memory shared), worker.py (a process), pool.py (all of them), workers.py (their games behind the
protocol).
"""

from __future__ import annotations

import sys

from atari_dqn.config import Config
from atari_dqn.envs.atari import SIZE, AtariRules
from atari_dqn.envs.games import atari_games as atari_games
from atari_dqn.envs.games import check_rom
from atari_dqn.envs.in_turns import EnvsInTurns
from atari_dqn.errors import UsageError
from atari_dqn.settings.checks import about_the_observations
from atari_dqn.settings.play import EnvConfig
from atari_dqn.types import EnvSpec, VecEnv

RESEED_AFTER = 100_000  # agent steps; bounds what a resume has to play again


def make_envs(config: Config) -> VecEnv:
    """The environments that a config describes, not yet reset.

    Raises:
      UsageError: an unknown game, with the nearest names.
    """
    if config.env.backend == "workers":
        return _in_workers(config)
    if config.env.env_groups > 1:
        one = config.replace(num_envs=config.envs_at_once, env_groups=1)
        return EnvsInTurns([make_envs(one) for _ in range(config.env.env_groups)])
    if config.env.backend == "classic":
        from atari_dqn.envs.classic import ClassicEnvs, gym_game

        limits = {"max_episode_steps": config.env.max_episode_steps, "reseed_after": RESEED_AFTER}
        return ClassicEnvs(gym_game(config), config.env.num_envs, **limits)
    check_rom(config.game)
    if config.env.backend == "reference":
        from atari_dqn.envs.reference import ReferenceEnvs

        return ReferenceEnvs(atari_rules(config.game, config.env), config.env.num_envs, reseed_after=RESEED_AFTER)
    from atari_dqn.envs.native import NativeEnvs

    options = {"num_threads": config.machine.env_threads, "reseed_after": RESEED_AFTER}
    return NativeEnvs(atari_rules(config.game, config.env), config.env.num_envs, **options)


def _in_workers(config: Config) -> VecEnv:
    """Groups that take turns share the processes."""
    from atari_dqn.envs.pool import WorkerPool
    from atari_dqn.envs.workers import WorkerEnvs

    check_rom(config.game)
    if sys.platform == "win32":  # which hands no file descriptors on
        raise UsageError("backend 'workers' is for Linux and macOS; use --backend native")
    pool = WorkerPool(
        atari_rules(config.game, config.env),
        config.env.num_envs,
        groups=config.env.env_groups,
        num_workers=config.machine.env_threads,
        raw=config.machine.resize == "replay",
    )
    groups = [WorkerEnvs(pool, group) for group in range(config.env.env_groups)]
    return EnvsInTurns(groups) if len(groups) > 1 else groups[0]


def spec_of(config: Config) -> EnvSpec:
    """What a network and a replay have to know about the game of a config, as one environment tells it.

    Raises:
      UsageError: an unknown game, as by `make_envs`.
    """
    envs = make_envs(config.replace(num_envs=1, env_groups=1))
    envs.close()
    return envs.spec


def with_own_time_limit(config: Config) -> Config:
    """A config of a preset for CartPole, with the time limit of the game that it is to play, if that has one.

    Raises:
      UsageError: the game cannot be made.
    """
    limit = _own_time_limit(config)
    return config if limit is None else config.replace(max_episode_steps=limit)


def time_limit_told(config: Config) -> str | None:
    """One line if the time limit of a config is not the game's own; None if it is, and for Atari."""
    limit, own = config.env.max_episode_steps, _own_time_limit(config)
    if not config.game.startswith("gym:") or limit == own:
        return None
    if own is None:
        return f"time limit: {limit:,} agent steps; {config.game} has none of its own (--max-episode-steps decides)"
    if limit > own:
        return f"time limit: {own:,} agent steps, that of {config.game}, before max_episode_steps ({limit:,})"
    return f"time limit: {limit:,} agent steps, though {config.game} itself ends after {own:,} (--max-episode-steps)"


def _own_time_limit(config: Config) -> int | None:
    if not config.game.startswith("gym:"):
        return None
    from atari_dqn.envs.classic import gym_game, own_time_limit

    return own_time_limit(gym_game(config))


def atari_rules(game: str, env: EnvConfig) -> AtariRules:
    """How an Atari game is played, whichever backend plays it."""
    return AtariRules(
        game=game,
        frame_skip=env.frame_skip,
        noop_max=env.noop_max,
        sticky_probability=env.sticky_probability,
        action_set=env.action_set,
        life_loss=env.terminal_on_life_loss,
        max_episode_steps=env.max_episode_steps,
        mode=env.game_mode,
        difficulty=env.difficulty,
    )


def check_game(config: Config) -> None:
    """Refuse a game that cannot be played, or learned by the network of the config.

    Raises:
      UsageError: an unknown name, a Gymnasium game that breaks its contract at once, one for another kind of network.
    """
    shape: tuple[int, ...] = (SIZE, SIZE)
    ranges = False
    if config.env.backend == "classic":
        spec = spec_of(config)
        shape, ranges = spec.frame_shape, bool(spec.frame_range)
    else:
        check_rom(config.game)
    if config.network.network == "own":  # of which only its caller knows
        return
    for complaint in about_the_observations(config.network.network, config.game, shape, ranges=ranges):
        raise UsageError(complaint)
