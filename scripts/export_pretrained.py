#!/usr/bin/env python
"""Make a network for the package from a run: rounded weights in half precision, its config, and a card.

    python scripts/export_pretrained.py runs/pong/quick/seed0 --checkpoint best --out atari_dqn/data/pretrained/pong
    atari-dqn evaluate atari_dqn/data/pretrained/pong --protocol nature --json > nature.json
    python scripts/export_pretrained.py runs/pong/quick/seed0 --checkpoint best --out atari_dqn/data/pretrained/pong \
        --scores nature.json

The card lists scores of the exported weights (--scores) and, marked as such, those of the run's own evaluations.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from atari_dqn import safe_files
from atari_dqn.dqn.agent import Agent
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.runs import pretrained
from atari_dqn.runs.evaluate import load_player
from atari_dqn.runs.folder import RunFolder
from atari_dqn.runs.model_card import THESE_WEIGHTS, card, facts_of, score_rows, training_rows
from atari_dqn.runs.network_folder import write_network


def main() -> int:
    """Export; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("--out", type=Path, required=True, help="folder to write; what is there is replaced")
    parser.add_argument("--checkpoint", choices=["last", "best"], default="last")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], help="what `evaluate --json` said of the export")
    parser.add_argument("--allow-import", action="store_true", help="import MODULE of the run's game gym:MODULE:ID")
    words = parser.parse_args()
    try:
        folder = RunFolder.open(words.run)
        options = {"which": words.checkpoint, "device": "cpu", "allow_import": words.allow_import}
        player = load_player(words.run, **options)
        meta = read_json(words.run / "meta.json")
        text = model_card(folder, player, words.checkpoint, scores_of(words.scores, words.run, player.step))
        source = {"commit": str(meta.get("commit")), "seed": str(folder.config.seed), "preset": folder.config.preset}
        round_weights(player.agent)
        write_network(player.agent, folder.config, player.step, text, words.out, source)
    except UsageError as error:
        print(f"export_pretrained: {error}", file=sys.stderr)
        return 2
    size = (words.out / pretrained.MODEL).stat().st_size
    print(f"{words.out}: step {player.step:,} of {words.run}, {size / 1e6:.2f} MB")
    if size >= pretrained.MAX_BYTES:
        print(f"export_pretrained: too large for the package, the limit is {pretrained.MAX_BYTES / 1e6:.0f} MB")
        return 1
    return 0


def round_weights(agent: Agent) -> None:
    """Keep seven significant bits, one less than bf16 computes with: then a wheel packs 3.6 MB into 2.5."""
    with torch.no_grad():
        for weight in agent.algorithm.model.parameters():
            fraction, exponent = torch.frexp(weight)
            weight.copy_(torch.ldexp((fraction * 128).round() / 128, exponent))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
      UsageError: there is none.
    """
    try:
        table = safe_files.read_json(path, safe_files.TABLE_BYTES)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error})") from error
    if not isinstance(table, dict):
        raise UsageError(f"{path} must hold a JSON object")
    return table


def scores_of(files: Iterable[Path], run: Path, step: int) -> list[tuple[str, EvaluationResult]]:
    """Evaluations of this step: of the exported weights, and of the checkpoint before rounding."""
    found = [(THESE_WEIGHTS, path) for path in files]
    found += [("checkpoint in float32", path) for path in sorted(run.glob("evaluations/*.json"))]
    results = [(who, read_result(path)) for who, path in found]
    return [(who, result) for who, result in results if result.step == step and result.scores]


def read_result(path: Path) -> EvaluationResult:
    """The evaluation in a file.

    Raises:
      UsageError: there is none.
    """
    try:
        return EvaluationResult.from_dict(read_json(path))
    except ValueError as error:
        raise UsageError(f"{path} holds no evaluation: it {error}") from error


def model_card(folder: RunFolder, player: Player, checkpoint: str, scores: list[tuple[str, EvaluationResult]]) -> str:
    """MODEL_CARD.md as text."""
    name = f"{pretrained.PREFIX}{folder.config.game}"
    facts = facts_of(folder.config, folder.path, player, read_json(folder.path / "meta.json"), checkpoint)
    facts["network"] += ", stored in half precision, computed in float32"
    use = [
        f"atari-dqn evaluate {name} --protocol nature",
        f"atari-dqn video {name} --overlay --out {folder.config.game}.mp4",
    ]
    about = "A network of the package atari-dqn. Written by `scripts/export_pretrained.py`."
    return card(name, about, facts, score_rows(scores) + training_rows(folder.path, player.step), use)


if __name__ == "__main__":
    sys.exit(main())
