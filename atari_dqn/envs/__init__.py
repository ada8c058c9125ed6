"""The games: one protocol (`types.VecEnv`), three backends."""

from __future__ import annotations

import difflib
from typing import Any

from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.types import VecEnv

ATARI_RESEED_AFTER = 100_000  # agent steps; bounds what a resume has to play again


def make_envs(config: Config) -> VecEnv:
    """The environments that a config describes, not yet reset.

    Raises:
      UsageError: an unknown game, with the nearest names.
    """
    if config.backend == "classic":
        from atari_dqn.envs.classic import ClassicEnvs

        return ClassicEnvs(config.game, config.num_envs, max_episode_steps=config.max_episode_steps)
    check_rom(config.game)
    if config.backend == "reference":
        from atari_dqn.envs.reference import ReferenceEnvs

        return ReferenceEnvs(config.game, config.num_envs, **_atari_settings(config))
    from atari_dqn.envs.native import NativeEnvs

    return NativeEnvs(
        config.game,
        config.num_envs,
        num_threads=config.env_threads,
        reseed_after=ATARI_RESEED_AFTER,
        **_atari_settings(config),
    )


def _atari_settings(config: Config) -> dict[str, Any]:
    """The arguments that both Atari backends take."""
    return {
        "frame_skip": config.frame_skip,
        "noop_max": config.noop_max,
        "sticky_probability": config.sticky_probability,
        "full_action_space": config.full_action_space,
        "life_loss": config.terminal_on_life_loss,
        "max_episode_steps": config.max_episode_steps,
    }


def check_rom(game: str) -> None:
    """Refuse a game that ale-py has no ROM for.

    Raises:
      UsageError: naming the nearest ROM ids.
    """
    from ale_py.roms import get_all_rom_ids

    known = sorted(get_all_rom_ids())
    if game in known:
        return
    near = difflib.get_close_matches(game.lower().replace("-", "_"), known, n=3, cutoff=0.5)
    hint = (
        f"did you mean {', '.join(near)}?"
        if near
        else "names look like pong, ms_pacman, space_invaders"
    )
    raise UsageError(f"unknown game {game!r}; {hint} (or cartpole)")
