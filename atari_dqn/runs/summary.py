"""First and last words of a run: what it is, what came of it, and what to do next."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from atari_dqn.config import Config
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.envs.games import code_of
from atari_dqn.published.scores import NO_HUMAN, game_label, human_pair, published
from atari_dqn.runs.folder import default_run_dir
from atari_dqn.runs.pace import Moment, Pace, counted, duration, score, short


def first_lines(folder: Path, config: Config, step: int, update_seconds: float | None) -> list[str]:
    """The beginning of a run in words: what it is, how long it takes, where it is, how to watch it.

    Args:
      folder:         of the run.
      config:         of the run, resolved.
      step:           agent steps of a run that is resumed.
      update_seconds: see `Pace`.
    """
    frames = f" ({config.total_steps * config.frames_per_step:,} frames)" if config.frames_per_step > 1 else ""
    episodes = f" or {config.total_episodes:,} episodes" if config.total_episodes else ""
    line = f"{config.preset} on {config.game}, {config.total_steps:,} steps{frames}{episodes}"
    now = Moment(step, max(step, config.replay.learning_starts), evaluated_at=step)
    left = Pace(config, update_seconds).seconds_left(now)
    if left is not None:
        line += f", about {duration(left)} {'to go ' if step else ''}here"
    return [line, f"folder: {folder}", f"watch:  tensorboard --logdir {_quoted(_root(folder, config))}"]


def humans_of(config: Config) -> dict[str, str]:
    """Whom `eval/human_normalized` compares with, if there is a human of this game."""
    if published(_label(config)) is None:
        return {}
    pair = human_pair(_label(config), config.env.max_episode_steps, config.frames_per_step)
    told = {"nature": "random and human of 5-minute games", "zoo": "random and human of 30-minute games"}
    return {"human_normalized": told.get(pair, f"none: {NO_HUMAN}")}


def _label(config: Config) -> str:
    return game_label(config.game, config.env.game_mode, config.env.difficulty)


def next_commands(folder: Path, config: Config) -> list[str]:
    """What to do with a finished run, a command a line."""
    run, root = _quoted(folder), _quoted(_root(folder, config))
    trust = "" if code_of(config) is None else " --allow-import"  # as the run itself was trusted
    commands = [f"atari-dqn evaluate {run}{trust}", f"atari-dqn video {run}{trust}", f"atari-dqn report {root}"]
    return [f"folder: {folder}", *(f"{'        ' if i else 'next:   '}{line}" for i, line in enumerate(commands))]


def _root(folder: Path, config: Config) -> Path:
    """The folder of all runs, if this one lies in its usual place below it; else the run's own."""
    usual = default_run_dir(config, Path()).parts
    return folder.parents[2] if folder.parts[-3:] == usual and len(folder.parts) > 3 else folder


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


@dataclass(frozen=True)
class RunSummary:
    """What a finished run says of itself; DONE is this as JSON."""

    game: str
    preset: str
    seed: int
    steps: int
    """Agent steps."""
    updates: int
    episodes: int
    since_step: int
    """Agent step at which the last process began."""
    seconds: float
    """That it took."""
    frames_per_second: float | None
    """Of that process, emulator frames; None if it played nothing."""
    recent_mean_return: float | None
    """Of the last episodes of training."""
    last_eval: float | None
    best_eval: float | None
    best_eval_step: int | None


def summarize(trainer: Trainer, seconds: float, since_step: int) -> RunSummary:
    """The summary of a run whose last process took `seconds` from `since_step` on."""
    config, steps, evaluations = trainer.config, trainer.step - since_step, trainer.evaluations
    evaluated = evaluations.best_step >= 0
    return RunSummary(
        game=_label(config),
        preset=config.preset,
        seed=config.seed,
        steps=trainer.step,
        updates=trainer.learner.updates,
        episodes=trainer.episodes,
        since_step=since_step,
        seconds=round(seconds, 1),
        frames_per_second=round(steps * config.frames_per_step / max(seconds, 1e-9), 1) if steps else None,
        recent_mean_return=trainer.metrics.recent_return,
        last_eval=evaluations.last_score,
        best_eval=evaluations.best_score if evaluated else None,
        best_eval_step=evaluations.best_step if evaluated else None,
    )


def summary_lines(summary: RunSummary, frames_per_step: int) -> list[str]:
    """The end of a run in words, its score beside the paper's; each line fits 80 columns."""
    resumed = f" since step {summary.since_step:,}" if summary.since_step else ""
    frames, speed = "", ""
    if frames_per_step > 1:
        frames = f" ({short(summary.steps * frames_per_step)} frames)"
    if (rate := summary.frames_per_second) is not None:
        speed = f", {rate / frames_per_step:,.0f} steps/s"
    lines = [
        f"done: {summary.steps:,} steps{frames}, {counted(summary.updates, 'update')}, "
        f"{counted(summary.episodes, 'episode')}",
        f"time: {duration(summary.seconds)}{resumed}{speed}",
        f"score: evaluation {_number(summary.last_eval)}, best {_number(summary.best_eval)}; "
        f"last episodes of training {_number(summary.recent_mean_return)}",
    ]
    scores = published(summary.game)
    if scores is None or scores.dqn_nature is None:
        return lines
    lines.append(
        f"paper, 5-min games: random {_number(scores.random_nature)}, human {_number(scores.human_nature)}, "
        f"DQN {_number(scores.dqn_nature)} (200 M frames)"
    )
    return lines


def _number(value: float | None) -> str:
    return "none" if value is None else score(value)
