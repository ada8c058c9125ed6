"""Trained networks that come with the package, named `pretrained:<game>`.

    atari_dqn/data/pretrained/<game>/
      config.json          of the run that trained it
      model.safetensors    the online network in half precision; its header says step and source
      MODEL_CARD.md        how it was trained and what it scores

`network_folder.py` writes and reads such a folder; `scripts/export_pretrained.py` writes the card, too. A folder that
was exported elsewhere can be named by its path.
"""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path

from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.safe_files import TABLE_BYTES, read_text

PREFIX = "pretrained:"
CONFIG, MODEL, CARD = "config.json", "model.safetensors", "MODEL_CARD.md"
MAX_BYTES = 4 * 10**6  # of one network in the package: the paper's has 1.7 million weights of 2 bytes


def home() -> Path:
    """Where the networks of the package lie."""
    return Path(str(resources.files("atari_dqn"))) / "data" / "pretrained"


def available() -> list[str]:
    """Games with a network in the package."""
    return sorted(path.parent.name for path in home().glob(f"*/{MODEL}"))


def find(path: Path) -> Path | None:
    """The folder that `path` means: `pretrained:<game>` or an exported folder; None for anything else.

    Raises:
      UsageError: there is none of this name, with those that there are.
    """
    name = str(path)
    if not name.startswith(PREFIX):
        return path if (path / MODEL).is_file() else None
    game, known = name.removeprefix(PREFIX), available()
    if game in known:
        return home() / game
    if not known:
        raise UsageError(
            f"there is no {name}: this package comes without trained networks; make one with atari-dqn train {game}"
        )
    near = difflib.get_close_matches(game, known, n=1)
    hint = f"did you mean {PREFIX}{near[0]}? " if near else ""
    names = ", ".join(PREFIX + game for game in known)
    raise UsageError(f"no network is called {name!r}; {hint}the package has: {names}")


def config_of(folder: Path) -> Config:
    """The config of the run that a network comes from.

    Raises:
      UsageError: it cannot be read.
    """
    try:
        return Config.from_json(read_text(folder / CONFIG, TABLE_BYTES))
    except (OSError, UnicodeDecodeError, UsageError) as error:
        raise UsageError(f"{folder / CONFIG} cannot be used: {error}") from error
