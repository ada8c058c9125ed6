"""`atari-dqn export RUN --to FORMAT`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from atari_dqn.commands import parse
from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.runs.folder import as_name, refuse_full_folder, refuse_unwritable
from atari_dqn.runs.refusals import check_named
from atari_dqn.storage.steps import Which

ENDINGS = {"onnx": ".onnx", "torchscript": ".pt"}


@dataclass(frozen=True)
class Export:
    """Write a trained network for other programs: from observations to Q-values."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder, one of its checkpoints (checkpoints/step_...), or pretrained:<game>."""
    to: Literal["onnx", "torchscript", "hub-folder"]
    """`onnx`: for onnxruntime and others (needs the `export` extra). `torchscript`: for torch in C++. `hub-folder`: a
    model card, config and weights, which the Hugging Face hub and atari-dqn itself read."""
    out: Path | None = None
    """File (.onnx, .pt) or folder to write. Default: <game>.onnx, <game>.pt or <game>_hub here."""
    checkpoint: Which = "last"
    """Which checkpoint of a run folder: the newest, or the one with the best evaluation during training."""
    allow_import: bool = False
    """Execute what the run's game names: MODULE of `gym:MODULE:ID`, a wrapper, env_kwargs."""


def run(words: Sequence[str]) -> int:
    """Export the network of a run, a checkpoint or the package; returns the exit code."""
    command = parse(Export, words, prog="atari-dqn export")
    ending = ENDINGS.get(command.to, "")
    if command.out is not None and command.out.suffix != ending and ending:
        raise UsageError(f"{command.out} must end in {ending}")
    if command.to == "onnx":
        require("export", "--to onnx needs")
    check_named(command.run, allow_import=command.allow_import)
    if command.out is not None:
        refuse_unwritable(command.out.parent, "a network into", "--out")
        if command.to == "hub-folder":
            refuse_full_folder(command.out)
    from atari_dqn.runs import export
    from atari_dqn.runs.evaluate import load_player

    player = load_player(command.run, which=command.checkpoint, device="cpu", allow_import=command.allow_import)
    game = as_name(player.config.game)
    out = command.out or Path(f"{game}{ending}" if ending else f"{game}_hub")
    if command.to == "hub-folder":
        scores = export.export_hub_folder(command.run, player, command.checkpoint, out)
        told = f"scores: {', '.join(scores)}" if scores else "no evaluation of this step; atari-dqn evaluate makes one"
        name, folder = shlex.quote(f"USER/{out.resolve().name}"), shlex.quote(str(out))
        print(f"{out}: network of step {player.step:,}\n{told}\nto upload it: hf upload {name} {folder} .")
        return 0
    write = export.export_onnx if command.to == "onnx" else export.export_torchscript
    difference = write(player, out)
    shape = ", ".join(map(str, (player.config.env.frame_stack, *player.spec.frame_shape)))
    print(f"{out}: network of step {player.step:,}, its Q-values within {difference:.1g} of atari-dqn's")
    print(f"{export.INPUT} [N, {shape}] {player.spec.frame_dtype} -> ", end="")
    print(f"{export.OUTPUT} [N, {player.spec.num_actions}] float32")
    return 0
