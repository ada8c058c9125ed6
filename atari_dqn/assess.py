"""Score a trained network: load it from a run, make the games of a protocol, play them, and say what came out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from atari_dqn import checkpoint, pretrained
from atari_dqn.agent import Agent, make_agent
from atari_dqn.config import Config
from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.evaluation import (
    FIVE_MINUTES,
    EvalProtocol,
    Policy,
    Score,
    evaluate,
    greedy,
    monitor,
    nature,
    sticky,
)
from atari_dqn.machine import resolve
from atari_dqn.run_folder import RunFolder
from atari_dqn.scores import Pair, human_normalized, published
from atari_dqn.seeding import stream

Say = Callable[[str], None]


def play(
    policy: Policy,
    config: Config,
    protocol: EvalProtocol,
    *,
    num_envs: int,
    seed: np.random.SeedSequence,
    **options: Any,
) -> list[Score] | None:
    """Evaluate on environments made for it and closed after it; see `evaluation.evaluate` for more `options`."""
    envs = make_envs(protocol.env_config(config, num_envs))
    try:
        return evaluate(
            policy,
            envs,
            protocol,
            seed=seed,
            frame_stack=config.frame_stack,
            device=config.device,
            **options,
        )
    finally:
        envs.close()


def evaluate_run(
    path: Path,
    *,
    which: str,
    protocol_name: str,
    episodes: int | None,
    seed: int,
    num_envs: int,
    device: str,
    say: Say,
) -> dict[str, Any]:
    """Play a protocol with the network of a run.

    Args:
      path:          a run folder, one of its checkpoints, or `pretrained:<game>`.
      which:         "last" or "best" checkpoint of a run folder.
      protocol_name: auto, nature, sticky, monitor or greedy.
      episodes:      games instead of the protocol's number.
      seed:          root of the games' seeds.
      num_envs:      games side by side.
      device:        auto, cpu or cuda.
      say:           prints a line.

    Returns:
      A JSON object: what was played, mean and std of the raw scores, human_normalized (None where there is none).

    Raises:
      UsageError: no such run or checkpoint, or one that does not fit.
    """
    player = load_player(path, which=which, device=device, say=say)
    protocol = protocol_named(protocol_name, player.config, episodes)
    if protocol.episodes is not None:
        num_envs = min(num_envs, protocol.episodes)
    scores = play(player.agent, player.config, protocol, num_envs=num_envs, seed=stream(seed, "eval"))
    assert scores is not None
    summary = _summary(player.config, protocol, scores)
    return {**summary, "seed": seed, "checkpoint": player.source, "step": player.step}


class Player(NamedTuple):
    """A trained network, ready to play."""

    agent: Agent
    config: Config  # of its run, resolved for this machine
    source: str  # where it was read from: a checkpoint or `pretrained:<game>`
    step: int  # agent step it was saved at


def load_player(path: Path, *, which: str, device: str, say: Say) -> Player:
    """The network of a run or a checkpoint (arguments as for `evaluate_run`), or one that comes with the package.

    Raises:
      UsageError: no such run, checkpoint or pretrained network, or one that does not fit.
    """
    if (exported := pretrained.find(path)) is not None:
        config = resolve(dataclasses.replace(pretrained.config_of(exported), device=device, compile="off"), say)
        agent, step = pretrained.load_agent(exported, config)
        return Player(agent, config, str(path), step)
    folder, directory = _find(path, which, say)
    config = resolve(dataclasses.replace(folder.config, device=device, compile="off"), say)
    agent, step = _load_agent(config, directory)
    return Player(agent, config, str(directory), step)


def _summary(config: Config, protocol: EvalProtocol, scores: list[Score]) -> dict[str, Any]:
    """What came of the games, as JSON values."""
    returns = [score.episode_return for score in scores]
    mean = float(np.mean(returns))
    pair: Pair = "nature" if protocol.max_episode_steps == FIVE_MINUTES else "zoo"
    return {
        "game": config.game,
        "protocol": protocol.name,
        "episodes": len(scores),
        "mean": mean,
        "std": float(np.std(returns)),
        "min": min(returns),
        "max": max(returns),
        "human_normalized": human_normalized(mean, config.game, pair=pair),
        "human_pair": pair,
        "mean_length": float(np.mean([score.episode_length for score in scores])),
        "epsilon": protocol.epsilon,
        "scores": returns,
    }


def _find(path: Path, which: str, say: Say) -> tuple[RunFolder, Path]:
    """The run, and the checkpoint that `path` and `which` mean."""
    if checkpoint.STEP_PATTERN.fullmatch(path.resolve().name):
        return RunFolder.open(path.resolve().parent.parent), path
    folder = RunFolder.open(path)
    directory = checkpoint.latest_good(folder.checkpoints, warn=say)
    if directory is None:
        raise UsageError(f"{folder.checkpoints} holds no readable checkpoint yet; train longer, or name another run")
    if which == "best":
        state, _ = checkpoint.load(directory)
        best_step = state["counters"]["best_step"]
        if best_step < 0:
            raise UsageError(f"{path} has not been evaluated in training yet; use --checkpoint last")
        directory = checkpoint.step_directory(folder.checkpoints, best_step)
    return folder, directory


def protocol_named(name: str, config: Config, episodes: int | None) -> EvalProtocol:
    """What `--protocol` means for a run; `episodes` instead of its own number of games."""
    if name == "auto":
        name = "greedy" if config.backend == "classic" else "nature"
    if name in ("nature", "sticky") and config.backend == "classic":
        raise UsageError(f"protocol {name!r} is for Atari, but {config.game} has no emulator; use greedy")
    protocol = {
        "nature": nature(),
        "sticky": sticky(),
        "monitor": monitor(config),
        "greedy": greedy(config),
    }[name]
    if episodes is None:
        return protocol
    return dataclasses.replace(protocol, episodes=episodes, steps=None)


def _load_agent(config: Config, directory: Path) -> tuple[Agent, int]:
    """The agent of a checkpoint, and the agent step it was saved at."""
    state, meta = checkpoint.load(directory)
    if meta.get("game") != config.game:
        raise UsageError(f"{directory} is a checkpoint of {meta.get('game')!r}, its run folder says {config.game!r}")
    probe = make_envs(dataclasses.replace(config, num_envs=1))
    agent = make_agent(config, probe.spec)
    probe.close()
    try:
        agent.load_state_dict(state["agent"])
        return agent, int(meta["step"])
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{directory} does not fit the network of {config.game} ({error}); check config.json"
        ) from error


def evaluation_lines(result: dict[str, Any]) -> list[str]:
    """The result of `evaluate_run` in words."""
    lines = [
        f"{result['game']}, protocol {result['protocol']}, checkpoint of step {result['step']:,}: "
        f"{result['mean']:.1f} +- {result['std']:.1f} over {result['episodes']} games "
        f"(from {result['min']:.0f} to {result['max']:.0f})"
    ]
    scores = published(result["game"])
    if scores is not None and scores.dqn_nature is not None:
        lines.append(
            f"published, 5-minute games: random {scores.random_nature}, human {scores.human_nature}, "
            f"DQN {scores.dqn_nature} +- {scores.dqn_nature_std} (Mnih et al. 2015)"
        )
    if result["human_normalized"] is not None:
        minutes = "5" if result["human_pair"] == "nature" else "30"
        lines.append(
            f"human-normalised: {100 * result['human_normalized']:.1f} % (random and human of {minutes}-minute games)"
        )
    return lines
