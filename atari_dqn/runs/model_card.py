"""The card of a trained network: what it is, how it was trained, what it scores. Markdown; a hub reads its head.

Every number comes from the run folder or from an evaluation's JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from atari_dqn.config import DEFAULTS, GROUP_OF, Config
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.result import EvaluationResult, edge_told, score_told
from atari_dqn.runs.logger import EVALS
from atari_dqn.runs.provenance import without_its_path
from atari_dqn.safe_files import LOG_BYTES, read_text

LIBRARY = "atari-dqn"
ADDED = ("double_q", "n_step", *(name for name, group in GROUP_OF.items() if group == "extensions"))
"""Settings of what came after the paper; their defaults are its DQN."""
LONGEST = 2_000  # letters of a cell
UNKNOWN = "unknown"
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
    words, packages = meta.get("command"), meta.get("packages")
    command = shlex.join(map(str, words)) if isinstance(words, list) and words else UNKNOWN
    versions = packages.items() if isinstance(packages, dict) else ()
    on = config.namespace()
    extensions = [f"{name} {getattr(on, name)}" for name in ADDED if getattr(on, name) != DEFAULTS[name]]
    told: dict[str, Any] = {name: meta.get(name) or UNKNOWN for name in ("commit", "started", "cpu", "cores", "python")}
    facts: dict[str, Any] = {
        "game": player.game,
        "preset": config.preset,
        "seed": config.seed,
        "extensions": ", ".join(extensions) or "none",
        "command": "",
        "commit": told["commit"],
        "started": told["started"],
        "hardware": f"{told['cpu']}, {told['cores']} cores, GPU {meta.get('gpu') or 'none'}",
        "software": ", ".join([f"Python {told['python']}", *(f"{key} {value}" for key, value in versions if value)]),
        "network": f"{config.network.network}, {weights:,} weights",
        "checkpoint": f"{checkpoint}, agent step {player.step:,} of {config.total_steps:,} "
        f"({player.step * config.frames_per_step:,} frames)",
    }
    return {name: cell(value) for name, value in facts.items()} | {"command": code(without_its_path(command, run))}


def card(title: str, about: str, facts: Mapping[str, Any], rows: Sequence[str], use: Iterable[str]) -> str:
    """The card as text.

    Args:
      title: first line.
      about: a sentence below it.
      facts: see `facts_of`: cells of a table.
      rows:  of the table of scores, see `score_rows` and `training_rows`.
      use:   lines of a shell.
    """
    lines = [
        f"# {cell(title)}",
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
        f"| {who} | {cell(result.protocol)} | {result.episodes} | {_told(result.mean)} ± {_told(result.std)} | "
        f"{edge_told(min(result.scores))} to {edge_told(max(result.scores))} | {result.seed} |"
        for who, result in scores
    ]


def _told(score: float) -> str:
    return score_told(score, "")


def scores_in(text: str) -> list[Score]:
    """What `score_rows` wrote into a card of these weights."""
    rows = re.findall(rf"^\| {THESE_WEIGHTS} \| (\w+) \| (\d+) \| (-?[\d.]+) ± ([\d.]+) \|", text, re.MULTILINE)
    return [Score(protocol, int(episodes), float(mean), float(std)) for protocol, episodes, mean, std in rows]


def training_rows(run: Path, step: int) -> list[str]:
    """The evaluation during training at this step, as a line of the table."""
    try:
        text = read_text(run / EVALS, LOG_BYTES, errors="replace")
        found = [row for row in csv.DictReader(io.StringIO(text, newline="")) if row["step"] == str(step)]
        return [
            f"| checkpoint in training | {cell(row['protocol'])} | {int(row['episodes'])} | "
            f"{_told(float(row['mean']))} ± {_told(float(row['std']))} | | |"
            for row in found
        ]
    except (OSError, LookupError, ValueError, TypeError, csv.Error):  # there is none, or it is not ours
        return []


def cell(value: Any) -> str:
    """A value in a cell of a table, where it is text and nothing else: no column, link or tag."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(str(value).split())[:LONGEST])


def code(words: str) -> str:
    """Words as code in a cell, between more backticks than they have in a row."""
    words = " ".join(words.split())[:LONGEST]
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    room = " " if "`" in words else ""
    return f"{fence}{room}{words}{room}{fence}".replace("|", "\\|")


def head(name: str, game: str, scores: Sequence[Score]) -> str:
    """The head of a card, YAML as the Hugging Face hub reads it: what it is, and its scores.

    Args:
      name:   of the network.
      game:   ROM id or gymnasium id.
      scores: of these very weights.
    """

    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False)  # JSON is YAML, but for its pairs of surrogates

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
            f"      value: {text(f'{_told(score.mean)} +/- {_told(score.std)}')}",
            f"      name: {text(f'{score.protocol}, {score.episodes} episodes')}",
        ]
    return "\n".join([*lines, "---", ""])
