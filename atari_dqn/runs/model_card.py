"""The card of a trained network: what it is, how it was trained, what it scores. Markdown; a hub reads its head.

Every number comes from the run folder or from an evaluation's JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from atari_dqn.config import Config
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.runs.logger import EVALS
from atari_dqn.runs.provenance import without_its_path
from atari_dqn.safe_files import LOG_BYTES, read_text

LIBRARY = "atari-dqn"
THESE_WEIGHTS = "these weights"  # in the table of scores: not those of a checkpoint before rounding


class Score(NamedTuple):
    """A score of a card's very weights, as far as a hub reads it."""

    protocol: str
    episodes: int
    mean: float
    std: float


def facts_of(config: Config, run: Path, player: Player, meta: Mapping[str, Any], checkpoint: str) -> dict[str, Any]:
    """Where a network comes from.

    Args:
      config:     of its run.
      run:        the folder; its path is left out of the command.
      player:     the network.
      meta:       what meta.json says; what it does not say is unknown.
      checkpoint: "last" or "best".
    """
    weights = sum(parameter.numel() for parameter in player.agent.algorithm.model.parameters())
    command = " ".join(map(str, meta.get("command") or ["unknown"]))
    packages = ", ".join(f"{key} {value}" for key, value in (meta.get("packages") or {}).items() if value)
    return {
        "game": config.game,
        "preset": config.preset,
        "seed": config.seed,
        "command": f"`{without_its_path(command, run)}`",
        "commit": meta.get("commit"),
        "started": meta.get("started"),
        "hardware": f"{meta.get('cpu')}, {meta.get('cores')} cores, GPU {meta.get('gpu') or 'none'}",
        "software": f"Python {meta.get('python')}, {packages}",
        "network": f"{config.network.network}, {weights:,} weights",
        "checkpoint": f"{checkpoint}, agent step {player.step:,} of {config.total_steps:,} "
        f"({player.step * config.frames_per_step:,} frames)",
    }


def card(title: str, about: str, facts: Mapping[str, Any], rows: Sequence[str], use: Iterable[str]) -> str:
    """The card as text.

    Args:
      title: first line.
      about: a sentence below it.
      facts: see `facts_of`.
      rows:  of the table of scores, see `score_rows` and `training_rows`.
      use:   lines of a shell.
    """
    lines = [
        f"# {title}",
        "",
        about,
        "",
        "| what | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in facts.items()),
        "",
        "## Scores",
        "",
        "Raw scores of whole episodes, mean ± standard deviation. `monitor` is the evaluation during training; the",
        "best of several such evaluations is chosen by luck, too, so it is no estimate of what comes next.",
        "",
        "| what played | protocol | episodes | score | range | seed |",
        "|---|---|---|---|---|---|",
        *(rows or ["| nothing was evaluated at this step | | | | | |"]),
        "",
        "## Use",
        "",
        "```bash",
        *use,
        "```",
        "",
    ]
    return "\n".join(lines)


def score_rows(scores: Iterable[tuple[str, EvaluationResult]]) -> list[str]:
    """Evaluations, with all their scores, as lines of the table: who played, and what came out."""
    return [
        f"| {who} | {result.protocol} | {result.episodes} | {result.mean:.1f} ± {result.std:.1f} | "
        f"{min(result.scores):.0f} to {max(result.scores):.0f} | {result.seed} |"
        for who, result in scores
    ]


def scores_in(text: str) -> list[Score]:
    """What `score_rows` wrote into a card of these weights."""
    rows = re.findall(rf"^\| {THESE_WEIGHTS} \| (\w+) \| (\d+) \| (-?[\d.]+) ± ([\d.]+) \|", text, re.MULTILINE)
    return [Score(protocol, int(episodes), float(mean), float(std)) for protocol, episodes, mean, std in rows]


def training_rows(run: Path, step: int) -> list[str]:
    """The evaluation during training at this step, as a line of the table."""
    if not (run / EVALS).exists():
        return []
    with io.StringIO(read_text(run / EVALS, LOG_BYTES, errors="replace"), newline="") as file:
        return [
            f"| checkpoint in training | {row['protocol']} | {row['episodes']} | {float(row['mean']):.1f} ± "
            f"{float(row['std']):.1f} | | |"
            for row in csv.DictReader(file)
            if row["step"] == str(step)
        ]


def head(name: str, game: str, scores: Sequence[Score]) -> str:
    """The head of a card, YAML as the Hugging Face hub reads it: what it is, and its scores.

    Args:
      name:   of the network.
      game:   ROM id or gymnasium id.
      scores: of these very weights.
    """

    def text(value: str) -> str:
        return json.dumps(value)  # JSON is YAML

    lines = ["---", f"library_name: {LIBRARY}", "pipeline_tag: reinforcement-learning", "tags:"]
    lines += [f"- {text(tag)}" for tag in ("deep-reinforcement-learning", "dqn", game)]
    if scores:
        lines += ["model-index:", f"- name: {text(name)}", "  results:"]
    for score in scores:
        lines += [
            "  - task:",
            "      type: reinforcement-learning",
            "    dataset:",
            f"      type: {text(game)}",
            f"      name: {text(game)}",
            "    metrics:",
            "    - type: mean_reward",
            f"      value: {text(f'{score.mean:.1f} +/- {score.std:.1f}')}",
            f"      name: {text(f'{score.protocol}, {score.episodes} episodes')}",
        ]
    return "\n".join([*lines, "---", ""])
