"""Trained networks that come with the package, named `pretrained:<game>`.

    atari_dqn/data/pretrained/<game>/
      config.json          of the run that trained it
      model.safetensors    the online network in half precision; its header says step and source
      MODEL_CARD.md        how it was trained and what it scores

`export` makes such a folder from a checkpoint; `scripts/export_pretrained.py` writes the card, too. Reading turns the
weights back into float32 and executes nothing. A folder that was exported elsewhere can be named by its path.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent, make_agent
from atari_dqn.envs import spec_of
from atari_dqn.errors import UsageError
from atari_dqn.runs.memory import refuse_large_network
from atari_dqn.safe_files import MEMORY_BYTES, TABLE_BYTES, open_to_read, read_text, replacing, write_text

PREFIX = "pretrained:"
CONFIG, MODEL, CARD = "config.json", "model.safetensors", "MODEL_CARD.md"
# An export plays anywhere: what the machine that trained it had is left to the machine at hand.
ANY_MACHINE: dict[str, Any] = {
    "device": "auto",
    "replay_device": "auto",
    "replay_tiles": False,
    "precision": "fp32",
    "compile": "auto",
    "own_kernels": True,
    "torch_threads": 0,
    "env_threads": 0,
}
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


def load_agent(folder: Path, config: Config) -> tuple[Agent, int]:
    """The agent with the weights of a folder in float32, and the agent step they were saved at (`config` resolved).

    Raises:
      UsageError: the file is damaged, or does not fit the network of the config.
    """
    spec = spec_of(config)
    refuse_large_network(config, spec)
    agent = make_agent(config, spec)
    try:
        open_to_read(folder / MODEL, MEMORY_BYTES).close()
        with safe_open(folder / MODEL, framework="pt") as file:
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 (it is no dict)
            step = int(file.metadata()["step"])
        agent.algorithm.model.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"{folder / MODEL} does not fit the network of {config.game} ({reason})") from error
    agent.sync_target()
    return agent, step


def export(
    agent: Agent,
    config: Config,
    step: int,
    card: str,
    out: Path,
    source: Mapping[str, str],
    *,
    card_name: str = CARD,
    dtype: torch.dtype = torch.half,
) -> None:
    """Write a folder that `find` and `load_agent` understand.

    Args:
      agent:  whose online network is written.
      config: of its run.
      step:   agent step of the network.
      card:   the text of the card.
      out:    the folder; made if need be.
      source: more facts for the header of the weights.
      card_name: the card's file.
      dtype:  of the weights in the file.

    Raises:
      UsageError: a weight is beyond half precision, or the folder cannot be written.
    """
    model = agent.algorithm.model.state_dict()
    weights = {name: value.detach().cpu().to(dtype).contiguous() for name, value in model.items()}
    if broken := [name for name, value in weights.items() if not bool(value.isfinite().all())]:
        kind = "half" if dtype == torch.half else "single"
        told = f"{kind} precision holds no weight above {torch.finfo(dtype).max:.6g}"
        raise UsageError(f"{', '.join(broken)} cannot be exported: {told}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with replacing(out / MODEL) as partial:
            save_file(weights, partial, {**source, "game": config.game, "step": str(step)})
        write_text(out / CONFIG, config.replace(**ANY_MACHINE).to_json())
        write_text(out / card_name, card)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot write {out} ({error}); choose another --out") from error
