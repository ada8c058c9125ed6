"""`atari-dqn evaluate RUN`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from atari_dqn import assess
from atari_dqn.commands import parse, say
from atari_dqn.errors import UsageError


@dataclass(frozen=True)
class Evaluate:
    """Play games with a trained network and report its score."""

    run: tyro.conf.Positional[Path]
    """A run folder, or one of its checkpoints (checkpoints/step_...)."""
    protocol: Literal["auto", "nature", "sticky", "monitor", "greedy"] = "auto"
    """`nature`: 30 games of 5 minutes, epsilon 0.05. `sticky`: 100 games, sticky actions 0.25, epsilon 0.01.
    `monitor`: as during training. `greedy`: 100 games, epsilon 0. `auto`: greedy for vector games, else nature."""
    episodes: int | None = None
    """Games to play, instead of the protocol's number."""
    checkpoint: Literal["last", "best"] = "last"
    """Which checkpoint of a run folder: the newest, or the one with the best evaluation during training."""
    seed: int = 0
    """Root of the games' seeds."""
    num_envs: int = 8
    """Games played side by side; does not change which games are played."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    json: bool = False
    """End with one line of JSON."""


def run(words: Sequence[str]) -> int:
    """Evaluate a run or a checkpoint; returns the exit code."""
    command = parse(Evaluate, words, prog="atari-dqn evaluate")
    for name in ("episodes", "num_envs"):
        if (value := getattr(command, name)) is not None and value < 1:
            raise UsageError(f"{name} is {value}; it must be at least 1")
    if command.seed < 0:
        raise UsageError(f"seed is {command.seed}; it must be at least 0")
    result = assess.evaluate_run(
        command.run,
        which=command.checkpoint,
        protocol_name=command.protocol,
        episodes=command.episodes,
        seed=command.seed,
        num_envs=command.num_envs,
        device=command.device,
        say=say,
    )
    for line in assess.evaluation_lines(result):
        print(line)
    if command.json:
        print(json.dumps(result))
    return 0
