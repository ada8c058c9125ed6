"""Names of games: what a user may call one, what it is called here, and which come near a wrong name."""

from __future__ import annotations

import difflib
import re

from atari_dqn.config import GYM_PREFIX as GYM_PREFIX
from atari_dqn.config import Config
from atari_dqn.config import is_vector_game as is_vector_game
from atari_dqn.errors import UsageError

LIST_COMMAND = "atari-dqn games"


def module_of(game: str) -> str | None:
    """The Python module that playing a game imports: MODULE of `gym:MODULE:ID`, None for all others."""
    parts = game.split(":")
    return parts[1] if parts[0] == "gym" and len(parts) > 2 else None


EXECUTED = ("env_kwargs", "wrapper")
"""Settings that may make a game execute other code: only a command line can ask for that, no file and no folder."""


def code_of(config: Config) -> str | None:
    """What playing a config's game executes besides gymnasium's own games, in words; None if nothing."""
    if (module := module_of(config.game)) is not None:
        return f"imports the Python module {module!r} and executes it"
    if config.env.wrapper:
        return f"is wrapped by the Python function {config.env.wrapper!r}, which is executed"
    if config.env.env_kwargs:
        return f"is given the arguments {config.env.env_kwargs}, which may make it load other code"
    return None


def atari_games() -> list[str]:
    """ROM ids that can be played, in alphabetical order.

    ale-py ships four more, for two players only; opening one of those would end the process.
    """
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    specs = gymnasium.registry.values()
    return sorted({spec.kwargs["game"] for spec in specs if spec.namespace == "ALE"})


def known_game(name: str) -> str:
    """What a game is called here: `pong` for `Pong`, `PongNoFrameskip-v4` and `ALE/Pong-v5`; else `name` as it is.

    Only the game is taken from such an id, not what else it stands for: frame skip, sticky actions.
    """
    if is_vector_game(name) or re.fullmatch("[a-z0-9_]+", name):
        return name
    if name.lower() == "cartpole":
        return "cartpole"
    return {_plain(rom): rom for rom in atari_games()}.get(_plain(name), name)


def check_rom(game: str) -> None:
    """Refuse what is no Atari game.

    Raises:
      UsageError: naming the nearest games, and how to list them all.
    """
    if is_vector_game(game):
        raise UsageError(f"{game} is no Atari game; its backend is 'classic', as in preset cartpole")
    known = atari_games()
    if game in known:
        return
    names = _gymnasium_games() | {_plain(rom): rom for rom in known}
    if not re.search(r"-v\d+$", game):  # an id of gymnasium's means its own game, a plain word the short name
        names["cartpole"] = "cartpole"
    near = difflib.get_close_matches(_plain(game), names, n=3, cutoff=0.6)
    if _plain(game) in names:
        near = [_plain(game)]
    hint = f"did you mean {', '.join(names[name] for name in near)}?" if near else "names look like pong, ms_pacman"
    raise UsageError(f"unknown game {game!r}; {hint} (or cartpole, gym:ID). To list all: {LIST_COMMAND}")


def _gymnasium_games() -> dict[str, str]:
    """Gymnasium's own games, which are played as `gym:ID`, the newest version of each."""
    import gymnasium

    specs = [spec for spec in gymnasium.registry.values() if spec.namespace is None and "game" not in spec.kwargs]
    return {_plain(spec.id): GYM_PREFIX + spec.id for spec in sorted(specs, key=lambda spec: spec.version or 0)}


def _plain(name: str) -> str:
    """What is the same in all ways to write the name of a game."""
    name = re.sub(r"(noframeskip|deterministic)?(-v\d+)?$", "", name.lower().removeprefix("ale/"))
    return re.sub(r"[^a-z0-9]", "", name)
