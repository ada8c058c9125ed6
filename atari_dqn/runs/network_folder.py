"""A network in a folder of its own, without its run: config, weights and a card, as `pretrained.py` names them.

Weights in half precision are turned back into float32; reading executes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from atari_dqn.config import SETTINGS, Config
from atari_dqn.dqn.agent import Agent, make_agent
from atari_dqn.envs import spec_of
from atari_dqn.errors import UsageError
from atari_dqn.runs.memory import refuse_large_network
from atari_dqn.runs.pretrained import CARD, CONFIG, MODEL
from atari_dqn.safe_files import MEMORY_BYTES, open_to_read, replacing, write_text

ANY_MACHINE: dict[str, Any] = {
    name: setting.default
    for name, setting in SETTINGS.items()
    if setting.group == "machine" and (setting.may.change or name == "precision")
}
"""An export plays anywhere: what the machine that trained it had is left to the machine at hand."""


def read_network(folder: Path, config: Config) -> tuple[Agent, int]:
    """The agent with the weights of a folder in float32, and the agent step they were saved at (`config` resolved).

    Raises:
      UsageError: the file is damaged, or does not fit the network of the config.
    """
    spec = spec_of(config)
    refuse_large_network(config, spec)
    agent = make_agent(config, spec, learns=False)
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


def write_network(
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
    """Write a folder that `pretrained.find` and `read_network` understand.

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
        shutil.copymode(out / CONFIG, out / MODEL)  # safetensors lets nobody but the owner read it
        write_text(out / card_name, card)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"cannot write {out} ({error}); choose another --out") from error
