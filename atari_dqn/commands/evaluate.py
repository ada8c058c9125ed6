"""`atari-dqn evaluate RUN`."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from atari_dqn.commands import parse
from atari_dqn.envs.games import check_rom, is_vector_game, known_game
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import ProtocolName
from atari_dqn.runs import pretrained
from atari_dqn.runs.display import Display
from atari_dqn.runs.folder import find_run
from atari_dqn.runs.lock import refuse_links
from atari_dqn.runs.refusals import check_played
from atari_dqn.runs.results import FOLDER, check_writable, write_evaluation
from atari_dqn.runs.terminal import stdout_kept_clean
from atari_dqn.storage.steps import Which

if TYPE_CHECKING:  # torch takes seconds: wrong flags are answered before
    from atari_dqn.evaluation.result import EvaluationResult
    from atari_dqn.runs.evaluate import PlayedEvaluation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluate:
    """Play episodes with a trained network, or without one, and report the score."""

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN|GAME")]
    """A run folder, one of its checkpoints (checkpoints/step_...), or pretrained:<game>; a game with
    `--policy random` or `noop`."""
    protocol: ProtocolName = "auto"
    """`nature`: 30 episodes of 5 minutes, epsilon 0.05. `sticky`: 100 episodes, sticky actions 0.25, epsilon 0.01.
    `monitor`: as during training. `greedy`: 100 episodes, epsilon 0. `auto`: greedy for vector games, sticky for runs
    with sticky actions, else nature."""
    policy: Literal["network", "random", "random-10hz", "noop"] = "network"
    """`random`: a uniform action every agent step, 15 a second. `random-10hz`: one every 6 frames, as for the published
    random scores. `noop`: nothing is ever pressed. These need a game, not a run."""
    episodes: int | None = None
    """Episodes to play, instead of the protocol's number."""
    max_episode_steps: int | None = None
    """Time limit of an episode, agent steps, instead of the protocol's."""
    only_episode: int | None = None
    """Play again the one episode with this number (first column of the CSV) and nothing else."""
    checkpoint: Which = "last"
    """Which checkpoint of a run folder: the newest, or the one with the best evaluation during training."""
    seed: int = 0
    """Root of the episodes' seeds."""
    num_envs: int = 8
    """Environments side by side; does not change which episodes are played."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `mps`."""
    torch_threads: int = 0
    """CPU threads of the network; 0 for one: observations are few at a time, and more threads wait for each other."""
    env_threads: int = 0
    """Threads of the emulators; 0 for all cores."""
    out: Path | None = None
    """Folder for <protocol>_<checkpoint or policy>.csv and .json. Default: evaluations/ in the run folder, if all
    episodes of the protocol are played."""
    write: bool = True
    """Keep the episodes in files. No: only print."""
    allow_import: bool = False
    """Execute what the run's game names: MODULE of `gym:MODULE:ID`, a wrapper, env_kwargs."""
    json: bool = False
    """Print one line of JSON on stdout, and all else on stderr."""


def run(words: Sequence[str]) -> int:
    """Evaluate a run, a checkpoint or a policy; returns the exit code."""
    command = parse(Evaluate, words, prog="atari-dqn evaluate")
    _check(command)
    with stdout_kept_clean(command.json):  # a game may print, too
        result = _checked_and_played(command)
    if command.json:
        print(json.dumps(result.to_dict()))
    return 0


def _checked_and_played(command: Evaluate) -> EvaluationResult:
    if command.policy == "network":
        check_played(
            Path(command.run), protocol=command.protocol, device=command.device, allow_import=command.allow_import
        )
    elif not is_vector_game(game := known_game(command.run)):
        check_rom(game)
    folder = _destination(command)
    if folder is not None:
        check_writable(folder)
    with Display() as display:
        display.doing("loading torch")
        return _evaluate(command, folder, display)


def _evaluate(command: Evaluate, folder: Path | None, display: Display) -> EvaluationResult:
    from atari_dqn.runs import evaluate as evaluation

    selection = evaluation.Selection(
        command.protocol,
        command.episodes,
        command.only_episode,
        command.seed,
        command.num_envs,
        command.max_episode_steps,
    )
    if command.policy == "network":
        played = evaluation.evaluate_run(
            Path(command.run),
            selection,
            which=command.checkpoint,
            device=command.device,
            allow_import=command.allow_import,
            torch_threads=command.torch_threads,
            env_threads=command.env_threads,
            show=display.episodes,
        )
    else:
        played = evaluation.evaluate_policy(
            command.run, command.policy, selection, env_threads=command.env_threads, show=display.episodes
        )
    for line in evaluation.evaluation_lines(played.result):
        print(line)
    _keep(command, folder, played)
    return played.result


def _check(command: Evaluate) -> None:
    at_least = {"episodes": 1, "max_episode_steps": 1, "num_envs": 1, "seed": 0, "only_episode": 0}
    for name, least in (at_least | {"torch_threads": 0, "env_threads": 0}).items():
        if (value := getattr(command, name)) is not None and value < least:
            raise UsageError(f"{name} is {value}; it must be at least {least}")
    if command.episodes is not None and command.only_episode is not None:
        raise UsageError("--episodes and --only-episode exclude each other; give one of them")
    if command.policy != "network" and Path(command.run).is_dir():
        raise UsageError(f"policy {command.policy!r} has no network: give a game such as pong, not {command.run}")


def _destination(command: Evaluate) -> Path | None:
    """Where the files go; None for nowhere."""
    if command.out is not None and command.write:
        return command.out
    if not command.write or why_no_folder(command):
        return None
    folder = find_run(Path(command.run))[0].path
    refuse_links(folder)
    return folder / FOLDER


def why_no_folder(command: Evaluate) -> str | None:
    """Why the episodes go into no run folder unasked; None if they do."""
    if command.policy != "network":
        return f"policy {command.policy} has no run folder"
    if pretrained.find(Path(command.run)) is not None:
        return f"{command.run} is a network without a run folder"
    given = [name for name in ("episodes", "only_episode", "max_episode_steps") if getattr(command, name) is not None]
    flags = " and ".join("--" + name.replace("_", "-") for name in given)
    return f"with {flags} they are not those of the protocol" if given else None


def _keep(command: Evaluate, folder: Path | None, played: PlayedEvaluation) -> None:
    if folder is not None:
        write_evaluation(folder, played.name, played.result, played.episodes)
        log.info(f"episodes: {folder / played.name}.csv and .json")
    elif command.write:
        log.info(f"episodes: in no file, because {why_no_folder(command)}; --out FOLDER writes them there")
