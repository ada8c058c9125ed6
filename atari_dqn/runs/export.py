"""A trained network for other programs: as ONNX, as TorchScript, or as a folder for a model hub.

The network takes observations [N, K, 84, 84] uint8 (or [N, K, D] float32, or [N, K, H, W, C] as the game shows them)
and gives Q-values [N, A] float32, whatever its head says inside; the greedy action is the largest. It is computed in
float32, and a noisy one without its noise.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from atari_dqn import __version__
from atari_dqn.config import Config
from atari_dqn.envs.games import code_of
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.result import EvaluationResult, score_told
from atari_dqn.extras import require
from atari_dqn.runs import pretrained
from atari_dqn.runs.folder import find_run, refuse_full_folder
from atari_dqn.runs.model_card import (
    THESE_WEIGHTS,
    Score,
    card,
    cell,
    facts_of,
    head,
    score_rows,
    scores_in,
    training_rows,
)
from atari_dqn.runs.network_folder import write_network
from atari_dqn.runs.results import FOLDER, read_result
from atari_dqn.runs.torch_defaults import torch_defaults
from atari_dqn.safe_files import TABLE_BYTES, read_json, read_text, replacing

TRIED = 64  # observations on which an exported file is compared with the network
TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"  # environment variable of onnxruntime's, read when it is imported
INPUT, OUTPUT = "obs", "q"


def facts(player: Player) -> dict[str, str]:
    """What goes into an exported file beside the network."""
    return {
        "game": player.config.game,
        "preset": player.config.preset,
        "step": str(player.step),
        "actions": json.dumps(player.action_names),
        "made_by": f"atari-dqn {__version__}",
    }


def random_observations(player: Player, count: int, seed: int = 0) -> Tensor:
    """[count, K, ...] of noise, of the type that the network takes, on the CPU."""
    draw, shape = np.random.default_rng(seed), (count, player.config.env.frame_stack, *player.spec.frame_shape)
    if player.spec.frame_dtype == "uint8":
        return torch.from_numpy(draw.integers(0, 256, shape, np.uint8))
    if player.spec.frame_dtype == "bool":
        return torch.from_numpy(draw.random(shape) < 0.5)
    return torch.from_numpy(draw.standard_normal(shape, np.float32))


def load_onnxruntime() -> ModuleType:
    """The package `onnxruntime` without its telemetry, unless the user's environment says otherwise.

    Since 1.29 it sends events to its maker from Linux, too, and warns where it cannot keep its id below HOME.
    """
    os.environ.setdefault(TELEMETRY_OFF, "1")
    import onnxruntime

    return onnxruntime


@torch_defaults()
def export_onnx(player: Player, out: Path) -> float:
    """Write an ONNX file, and play it.

    Args:
      player: the network, on the CPU.
      out:    the file; what stands there is replaced when all is well.

    Returns:
      The largest difference between Q-values of onnxruntime and of torch, on observations of noise.

    Raises:
      UsageError: a package is missing, or the file cannot be written.
    """
    require("export", "--to onnx needs")
    onnxruntime = load_onnxruntime()
    model, obs = _network(player), random_observations(player, TRIED)
    with _quietly():
        program = torch.onnx.export(
            model,
            (obs[:2],),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(facts(player))
    with _written(out) as partial:
        program.save(partial, external_data=False)
        session = onnxruntime.InferenceSession(partial.read_bytes(), providers=["CPUExecutionProvider"])
    (q,) = session.run([OUTPUT], {INPUT: obs.numpy()})
    return _difference(model(obs), torch.from_numpy(q))


@torch_defaults()
def export_torchscript(player: Player, out: Path) -> float:
    """Write a TorchScript file, which needs no package but torch, and play it; see `export_onnx`."""
    model, obs = _network(player), random_observations(player, TRIED)
    with _quietly(), torch.no_grad():  # torch calls TorchScript old; C++ programs and mobiles still read it
        script = torch.jit.trace(model, (obs[:2],), check_trace=False)
        with _written(out) as partial:
            torch.jit.save(script, str(partial), _extra_files={"facts.json": json.dumps(facts(player))})
        return _difference(model(obs), torch.jit.load(str(out))(obs))


def export_hub_folder(path: Path, player: Player, checkpoint: str, out: Path) -> list[str]:
    """Write a folder that `huggingface_hub` can upload, and that `atari-dqn` itself reads like a run.

    README.md (the card, with the scores for the hub), config.json, model.safetensors (float32).

    Args:
      path:       what the player was loaded from: a run folder, a checkpoint, an exported folder, `pretrained:<game>`.
      player:     the network.
      checkpoint: "last" or "best".
      out:        the folder; new, or empty.

    Returns:
      The evaluations that the card lists for the hub, in words.

    Raises:
      UsageError: the folder holds something, or cannot be written.
    """
    refuse_full_folder(out)
    name = f"{player.config.game.replace(':', '-')}-{player.config.preset}"
    if (exported := pretrained.find(path)) is not None:
        body = _old_card(exported)
        scores = scores_in(body)
    else:
        folder = find_run(path)[0]
        results = _evaluations(folder.path, player)
        scores = [Score(result.protocol, result.episodes, result.mean, result.std) for result in results]
        about = f"A deep Q-network (Mnih et al. 2015) for {cell(player.game)}, trained with atari-dqn."
        rows = score_rows((THESE_WEIGHTS, result) for result in results)
        rows += training_rows(folder.path, player.step)
        origin = facts_of(folder.config, folder.path, player, _meta(folder.path), checkpoint)
        body = card(name, about, origin, rows, _use(out.resolve().name, folder.config))
    source = {"seed": str(player.config.seed), "preset": player.config.preset}
    write_network(
        player.agent,
        player.config,
        player.step,
        head(name, player.config.game, scores) + body,
        out,
        source,
        card_name="README.md",
        dtype=torch.float32,
    )
    return [f"{score.protocol} {score_told(score.mean)} over {score.episodes} episodes" for score in scores]


def _use(folder: str, config: Config) -> list[str]:
    """How to play an exported folder, as lines of a shell."""
    allow, allowed = (" --allow-import", ", allow_import=True") if code_of(config) else ("", "")
    script = f"from atari_dqn import load; print(load({json.dumps(folder, ensure_ascii=False)}{allowed}).action_names)"
    return [
        f"atari-dqn evaluate {shlex.quote(folder)} --protocol auto{allow}",
        f"atari-dqn watch {shlex.quote(folder)}{allow}",
        f"python -c {shlex.quote(script)}",
    ]


def _evaluations(run: Path, player: Player) -> list[EvaluationResult]:
    """Results in the run folder that are of this step's network, in the game as it was trained, each once."""
    found = [read_result(run, file.stem) for file in sorted((run / FOLDER).glob("*.json"))]
    of_it = [one for one in found if one and one.scores and (one.step, one.game) == (player.step, player.game)]
    return list({(one.protocol, one.seed, one.scores): one for one in of_it}.values())


def _meta(run: Path) -> dict[str, Any]:
    try:
        table = read_json(run / "meta.json", TABLE_BYTES)
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _old_card(folder: Path) -> str:
    """The card of an exported network without the head that a hub reads."""
    names = [name for name in (pretrained.CARD, "README.md") if (folder / name).is_file()]
    text = read_text(folder / names[0], TABLE_BYTES) if names else ""
    return text.split("\n---\n", 1)[-1] if text.startswith("---\n") else text


def _network(player: Player) -> nn.Module:
    """The online network, as it acts in evaluations."""
    algorithm = player.agent.algorithm
    algorithm.chance.silence(algorithm.model)
    return algorithm.model.eval().requires_grad_(False)


def _difference(expected: Tensor, got: Tensor) -> float:
    assert got.shape == expected.shape
    return float((expected - got).abs().max())


@contextmanager
def _written(out: Path) -> Iterator[Path]:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as partial:
            yield partial
    except OSError as error:
        raise UsageError(f"cannot write {out} ({error.strerror or error}); choose another --out") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporters warn of parts of themselves that are old, and of packages that are not needed here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
