"""The games: one protocol (`types.VecEnv`), four backends.

In reading order: contract.py (what all keep to), native.py (ale-py's C++ threads), single.py (one Gymnasium game),
reference.py (Atari by wrappers), classic.py (CartPole and others), checked_game.py (each held to its contract),
in_turns.py (groups of environments). Then our own worker processes: emulator.py (what a game does), palette.py,
board.py (memory shared), worker.py (a process), pool.py (all of them), workers.py (their games behind the protocol).
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from typing import Any

from atari_dqn.config import Config
from atari_dqn.envs.in_turns import EnvsInTurns
from atari_dqn.errors import UsageError
from atari_dqn.types import EnvSpec, VecEnv

LIST_COMMAND = 'python -c "from atari_dqn.envs import atari_games; print(*atari_games())"'
RESEED_AFTER = 100_000  # agent steps; bounds what a resume has to play again


def make_envs(config: Config) -> VecEnv:
    """The environments that a config describes, not yet reset.

    Raises:
      UsageError: an unknown game, with the nearest names.
    """
    if config.backend == "workers":
        return _in_workers(config)
    if config.env_groups > 1:
        one = dataclasses.replace(config, num_envs=config.envs_at_once, env_groups=1)
        return EnvsInTurns([make_envs(one) for _ in range(config.env_groups)])
    if config.backend == "classic":
        from atari_dqn.envs.classic import ClassicEnvs

        limits = {"max_episode_steps": config.max_episode_steps, "reseed_after": RESEED_AFTER}
        return ClassicEnvs(config.game, config.num_envs, **limits)
    check_rom(config.game)
    if config.backend == "reference":
        from atari_dqn.envs.reference import ReferenceEnvs

        return ReferenceEnvs(config.game, config.num_envs, **_atari_settings(config))
    from atari_dqn.envs.native import NativeEnvs

    return NativeEnvs(
        config.game,
        config.num_envs,
        num_threads=config.env_threads,
        **_atari_settings(config),
    )


def _in_workers(config: Config) -> VecEnv:
    """Groups that take turns share the processes."""
    from atari_dqn.envs.pool import WorkerPool
    from atari_dqn.envs.workers import WorkerEnvs

    check_rom(config.game)
    settings = _atari_settings(config)
    del settings["reseed_after"]  # nothing is ever played again
    raw = config.resize == "replay"
    pool = WorkerPool(
        config.game, config.num_envs, groups=config.env_groups, num_workers=config.env_threads, raw=raw, **settings
    )
    groups = [WorkerEnvs(pool, group) for group in range(config.env_groups)]
    return EnvsInTurns(groups) if len(groups) > 1 else groups[0]


def spec_of(config: Config) -> EnvSpec:
    """What a network and a replay have to know about the game of a config, as one environment tells it.

    Raises:
      UsageError: an unknown game, as by `make_envs`.
    """
    envs = make_envs(dataclasses.replace(config, num_envs=1, env_groups=1))
    envs.close()
    return envs.spec


def with_own_time_limit(config: Config) -> Config:
    """A config of a preset for CartPole, with the time limit of the game that it is to play, if that has one.

    Raises:
      UsageError: the game cannot be made.
    """
    limit = _own_time_limit(config)
    return config if limit is None else dataclasses.replace(config, max_episode_steps=limit)


def time_limit_told(config: Config) -> str | None:
    """One line if the time limit of a config is not the game's own; None if it is, and for Atari."""
    limit, own = config.max_episode_steps, _own_time_limit(config)
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
    from atari_dqn.envs.classic import own_time_limit

    return own_time_limit(config.game)


def is_vector_game(game: str) -> bool:
    """Is it one of gymnasium's games of vectors, by its name: `cartpole` or `gym:ID`? All others are ROM ids."""
    return game == "cartpole" or game.startswith("gym:")


def module_of(game: str) -> str | None:
    """The Python module that playing a game imports: MODULE of `gym:MODULE:ID`, None for all others."""
    parts = game.split(":")
    return parts[1] if parts[0] == "gym" and len(parts) > 2 else None


def _atari_settings(config: Config) -> dict[str, Any]:
    """The arguments that all Atari backends take."""
    return {
        "frame_skip": config.frame_skip,
        "noop_max": config.noop_max,
        "sticky_probability": config.sticky_probability,
        "action_set": config.action_set,
        "life_loss": config.terminal_on_life_loss,
        "max_episode_steps": config.max_episode_steps,
        "reseed_after": RESEED_AFTER,
    }


def atari_games() -> list[str]:
    """ROM ids that can be played, in alphabetical order.

    ale-py ships four more, for two players only; opening one of those would end the process.
    """
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    specs = gymnasium.registry.values()
    return sorted({spec.kwargs["game"] for spec in specs if spec.namespace == "ALE"})


def check_game(config: Config) -> None:
    """Refuse a game that cannot be played: an unknown name, or a Gymnasium game that breaks its contract at once.

    Raises:
      UsageError: naming it.
    """
    if config.backend == "classic":
        spec_of(config)
    else:
        check_rom(config.game)


def check_rom(game: str) -> None:
    """Refuse what is no Atari game.

    Raises:
      UsageError: naming the nearest ROM ids, and how to list them all.
    """
    if is_vector_game(game):
        raise UsageError(f"{game} is no Atari game; its backend is 'classic', as in preset cartpole")
    known = atari_games()
    if game in known:
        return
    plain = re.sub(r"^ale/|-v\d+$", "", game.lower()).replace("-", "_")  # of ALE/Pong-v5: pong
    near = difflib.get_close_matches(plain, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "names look like pong, ms_pacman, space_invaders"
    raise UsageError(f"unknown game {game!r}; {hint} (or cartpole). To list all: {LIST_COMMAND}")
