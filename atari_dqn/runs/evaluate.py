"""Evaluates a trained network, or a policy without one, by the episodes of a protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent, make_agent
from atari_dqn.envs import spec_of, with_own_time_limit
from atari_dqn.envs.games import is_vector_game, known_game
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.play import EvalStep, play, result_of
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.protocols import EvalProtocol, NoopPolicy, Policy, protocol_named
from atari_dqn.evaluation.result import EvaluationResult, edge_told, score_told
from atari_dqn.presets import PRESETS
from atari_dqn.published.scores import NO_HUMAN, published
from atari_dqn.runs import pretrained
from atari_dqn.runs.folder import RunFolder, find_run
from atari_dqn.runs.machine import resolve
from atari_dqn.runs.memory import refuse_large_network
from atari_dqn.runs.network_folder import read_network
from atari_dqn.runs.refusals import refuse_import
from atari_dqn.runs.state import agent_state
from atari_dqn.runs.torch_defaults import torch_defaults
from atari_dqn.seeding import stream
from atari_dqn.storage import checkpoint
from atari_dqn.storage.newest import Loaded, load_best, load_newest
from atari_dqn.storage.schema import integer, table
from atari_dqn.types import EpisodeScore

Show = Callable[[EvalProtocol], AbstractContextManager[Callable[[EvalStep], None]]]
FRAMES_AT_10_HZ = 6  # a random action every 6 of 60 frames a second: Mnih et al. 2015, Methods


def unseen(protocol: EvalProtocol) -> AbstractContextManager[Callable[[EvalStep], None]]:
    """Shows nothing."""
    return nullcontext(lambda moment: None)


class PlayedEvaluation(NamedTuple):
    """What came out of an evaluation."""

    name: str
    """`<protocol>_<checkpoint or policy>`: what its files are called."""
    result: EvaluationResult
    episodes: list[EpisodeScore]


@dataclass(frozen=True)
class Selection:
    """Which episodes are played, and how many side by side."""

    protocol: str = "auto"
    """auto, nature, sticky, monitor or greedy."""
    episodes: int | None = None
    """Episodes instead of the protocol's number."""
    only_episode: int | None = None
    """Number of the one episode that is played, instead."""
    seed: int = 0
    """Root of the episodes' seeds."""
    num_envs: int = 8
    """Environments side by side; does not change which episodes are played."""
    max_episode_steps: int | None = None
    """Time limit of an episode, agent steps, instead of the protocol's."""


EVERY_GAME = Selection()


@torch_defaults()
def evaluate_run(
    path: Path | str,
    selection: Selection = EVERY_GAME,
    *,
    which: str = "last",
    device: str = "auto",
    model: nn.Module | None = None,
    allow_import: bool = False,
    torch_threads: int = 0,
    env_threads: int = 0,
    show: Show = unseen,
) -> PlayedEvaluation:
    """Play a protocol with the network of a run.

    Args:
      path:      a run folder, one of its checkpoints, or `pretrained:<game>`.
      selection: which episodes.
      which:     "last" or "best" checkpoint of a run folder.
      device:    auto, cpu or cuda.
      model:     a network of the same build, where the run has one of your own; its weights are replaced.
      allow_import: let the run's game execute what the run names: MODULE of `gym:MODULE:ID`, a wrapper, env_kwargs.
      torch_threads: of the network; 0 for one: observations are few at a time, and more threads wait for each other.
      env_threads: of the emulators; 0 for all cores.
      show:      shows how far it is, see `games_bar.shown`.

    Raises:
      UsageError: no such run or checkpoint, or one that does not fit.
    """
    player = load_player(
        Path(path),
        which=which,
        device=device,
        model=model,
        allow_import=allow_import,
        torch_threads=torch_threads,
        env_threads=env_threads,
    )
    origin = {
        "policy": "network",
        "checkpoint": player.source,
        "step": player.step,
        "preset": player.config.preset,
        "run_seed": player.config.seed,
    }
    return _evaluate(player.agent, player.config, selection, epsilon=None, label=player.label, origin=origin, show=show)


def load_player(
    path: Path,
    *,
    which: str,
    device: str,
    model: nn.Module | None = None,
    allow_import: bool = False,
    torch_threads: int = 0,
    env_threads: int = 0,
) -> Player:
    """The network of a run or a checkpoint (arguments as for `evaluate_run`), or one that comes with the package.

    Raises:
      UsageError: no such run, checkpoint or pretrained network, or one that does not fit.
    """
    # not the run's own thread counts: they were chosen for learning, perhaps on another machine
    here: dict[str, Any] = {
        "device": device,
        "compile": "off",
        "torch_threads": torch_threads or 1,
        "env_threads": env_threads,
    }
    if (exported := pretrained.find(path)) is not None:
        config = pretrained.config_of(exported)
        refuse_import(path, config, allow_import)
        config = resolve(config.replace(**here), begun=True, learns=False)
        agent, step = read_network(exported, config)
        return Player(agent, config, str(path), "pretrained", step, spec_of(config))
    folder, names_checkpoint = find_run(path)
    refuse_import(path, folder.config, allow_import)
    found = Loaded(path, *checkpoint.load(path)) if names_checkpoint else _find(folder, which)
    config = resolve(folder.config.replace(**here), begun=True, learns=False)
    agent, step = _load_agent(config, found, model)
    label = found.directory.name if names_checkpoint else which
    return Player(agent, config, str(found.directory), label, step, spec_of(config))


@torch_defaults()
def evaluate_policy(
    game: str, policy: str, selection: Selection, *, env_threads: int = 0, show: Show = unseen
) -> PlayedEvaluation:
    """Play a protocol without a network.

    Args:
      game:      ROM id, or a vector game.
      policy:    "random": a uniform action every agent step (15 Hz). "random-10hz": every 6 frames, as for the
                 published columns. "noop": nothing is ever pressed.
      selection: which episodes.
      env_threads: of the emulators; 0 for all cores.
      show:      shows how far it is, see `games_bar.shown`.

    Raises:
      UsageError: no such game, or the policy does not fit it.
    """
    game = known_game(game)
    vectors = is_vector_game(game)
    preset = "cartpole" if vectors else "sticky" if selection.protocol == "sticky" else "nature"
    config = with_own_time_limit(PRESETS[preset](game)).replace(device="cpu", env_threads=env_threads)
    if policy == "random-10hz":
        if vectors:
            raise UsageError(f"policy 'random-10hz' is for Atari, but {game} has no emulator; use random")
        limit = config.env.max_episode_steps * config.env.frame_skip // FRAMES_AT_10_HZ
        config = config.replace(frame_skip=FRAMES_AT_10_HZ, max_episode_steps=limit)
    if vectors and policy == "noop":
        raise UsageError(f"policy 'noop' is for Atari: {game} has no action that does nothing; use random")
    origin = {"policy": policy, "checkpoint": None, "step": None, "preset": None, "run_seed": None}
    epsilon = 0.0 if policy == "noop" else 1.0
    return _evaluate(NoopPolicy(), config, selection, epsilon=epsilon, label=policy, origin=origin, show=show)


def _evaluate(
    policy: Policy,
    config: Config,
    selection: Selection,
    *,
    epsilon: float | None,
    label: str,
    origin: dict[str, Any],
    show: Show,
) -> PlayedEvaluation:
    protocol = protocol_named(selection.protocol, config)
    if epsilon is not None:
        protocol = dataclasses.replace(protocol, epsilon=epsilon)
    if selection.episodes is not None:
        protocol = dataclasses.replace(protocol, episodes=selection.episodes, steps=None)
    if selection.max_episode_steps is not None:
        protocol = dataclasses.replace(protocol, max_episode_steps=selection.max_episode_steps)
    if selection.only_episode is not None:
        protocol = protocol.only(selection.only_episode)
    num_envs = min(selection.num_envs, protocol.episodes or selection.num_envs)
    with show(protocol) as watch:
        episodes = play(policy, config, protocol, num_envs=num_envs, seed=stream(selection.seed, "eval"), watch=watch)
    assert episodes is not None
    result = result_of(config, protocol, episodes, seed=selection.seed, **origin)
    return PlayedEvaluation(f"{protocol.name}_{label}", result, episodes)


def _find(folder: RunFolder, which: str) -> Loaded:
    """The last or the best checkpoint of a run."""
    found: Loaded | None = load_newest(folder.checkpoints)
    if found is None:
        raise UsageError(f"{folder.checkpoints} holds no readable checkpoint yet; train longer, or name another run")
    if which == "best" and (found := load_best(folder.checkpoints, found)) is None:
        raise UsageError(f"{folder.path} has not been evaluated in training yet; use --checkpoint last")
    return found


def _load_agent(config: Config, found: Loaded, model: nn.Module | None) -> tuple[Agent, int]:
    """The agent of a checkpoint, and the agent step it was saved at."""
    directory, state, meta = found
    if meta.get("game") != config.game:
        raise UsageError(f"{directory} is a checkpoint of {meta.get('game')!r}, its run folder says {config.game!r}")
    spec = spec_of(config)
    if model is None:
        refuse_large_network(config, spec)
    agent = make_agent(config, spec, model=model, learns=False)
    try:
        table({"agent": agent_state(config, spec)}, more=True)(state, "")
        state["agent"]["algorithm"].pop("chance", None)  # episodes are played without; it may be of another device
        agent.load_state_dict(state["agent"])
    except UsageError as error:
        raise UsageError(
            f"{directory} does not fit the network of {config.game} ({error}); check config.json"
        ) from error
    table({"step": integer(0)}, more=True)(meta, "")
    return agent, meta["step"]


def evaluation_lines(result: EvaluationResult) -> list[str]:
    """The result of an evaluation in words; each line fits 80 columns."""
    player = f"policy {result.policy}" if result.step is None else f"checkpoint of step {result.step:,}"
    lines = [
        f"{result.game}, protocol {result.protocol}, {player}",
        f"score: {score_told(result.mean)} +- {score_told(result.std)} over {result.episodes} "
        f"episode{'s' if result.episodes != 1 else ''}, "
        f"from {edge_told(min(result.scores))} to {edge_told(max(result.scores))}",
    ]
    scores = published(result.game)
    if scores is not None and scores.dqn_nature is not None:
        lines.append(
            f"paper, 5-min games: random {scores.random_nature:,.1f}, human {scores.human_nature:,.1f}, "
            f"DQN {scores.dqn_nature:,.1f} +- {scores.dqn_nature_std:,.1f}"
        )
    if result.human_normalized is not None:
        minutes = "5" if result.human_pair == "nature" else "30"
        lines.append(
            f"human-normalised: {100 * result.human_normalized:.1f} % (random and human of {minutes}-minute games)"
        )
    elif result.human_pair == "none":
        lines.append(f"human-normalised: none, {NO_HUMAN}")
    return lines
