"""The command line: `atari-dqn train | evaluate | presets`. Parses, says, and turns bad input into one message."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from atari_dqn import __version__
from atari_dqn.config import Config
from atari_dqn.errors import UsageError
from atari_dqn.presets import PRESETS

EXIT_USAGE = 2
PRESET_NAMES = ", ".join(PRESETS)


@dataclass(frozen=True)
class Train:
    """Train one game and write everything into a run folder."""

    config: Annotated[Config, tyro.conf.arg(name="")]
    run_dir: Path | None = None
    """Folder of the run. Default: runs/<game>/<preset>/seed<seed>."""
    resume: bool = False
    """Go on from the newest good checkpoint of the run folder."""


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


@dataclass(frozen=True)
class Presets:
    """Print the presets side by side, each value with its unit."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 2 bad input, 130 after Ctrl-C.

    Args:
      arguments: words after the program's name; None takes them from the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands = {"train": _train, "evaluate": _evaluate, "presets": _presets}
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"atari-dqn {__version__}")
        return 0
    if words[0] not in commands:
        return _fail(f"unknown command {words[0]!r}; choose one of {', '.join(commands)}")
    try:
        return commands[words[0]](words[1:])
    except UsageError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130


def entry() -> None:
    """The console script."""
    sys.exit(main())


def _fail(message: str) -> int:
    print(f"atari-dqn: {message}", file=sys.stderr)
    return EXIT_USAGE


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _overview() -> str:
    return f"""atari-dqn {__version__}: the DQN of Mnih et al. 2015, trained on Atari from pixels

usage: atari-dqn COMMAND [options]        each command has its own --help

  train GAME       train; GAME is a ROM id such as pong or ms_pacman, or cartpole
                   e.g. atari-dqn train pong --preset quick
  evaluate RUN     play games with a trained network and report its score
  presets          print the presets ({PRESET_NAMES}) side by side

A run lives in one folder, runs/<game>/<preset>/seed<seed>; watch it with: tensorboard --logdir runs"""


# --- train


def _train(words: Sequence[str]) -> int:
    from atari_dqn import run

    game, flags = (words[0], words[1:]) if words and not words[0].startswith("-") else (None, words)
    if game is None and not {"-h", "--help"} & set(flags):
        raise UsageError("train needs a GAME right after it: a ROM id such as pong or ms_pacman, or cartpole")
    base = _preset(game or "pong", _flag("--preset", flags), _flag("--seed", flags))
    stored = _stored_config(base, flags) if "--resume" in flags else None
    command = _parse(Train, flags, prog=f"atari-dqn train {game or 'GAME'}", default=Train(config=stored or base))
    if stored is not None:
        run.check_resume(stored, dataclasses.replace(command.config, game=base.game))
    return run.train(
        command.config,
        command.run_dir or run.default_run_dir(command.config),
        command=["atari-dqn", "train", *words],
        resume=command.resume,
        say=_say,
    )


def _flag(name: str, words: Sequence[str]) -> str | None:
    """Value of a flag that has to be known before the others can be parsed."""
    for index, word in enumerate(words):
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
        if word == name and index + 1 < len(words):
            return words[index + 1]
    return None


def _preset(game: str, name: str | None, seed: str | None) -> Config:
    vectors = game == "cartpole" or game.startswith("gym:")
    name = name or ("cartpole" if vectors else "nature")
    if name not in PRESETS:
        raise UsageError(f"preset is {name!r}; choose one of {PRESET_NAMES}")
    if vectors != (PRESETS[name](game).backend == "classic"):
        raise UsageError(
            f"preset {name!r} does not fit {game!r}: {'use cartpole' if vectors else 'it has vectors only'}"
        )
    config = PRESETS[name](game)
    return dataclasses.replace(config, seed=int(seed)) if seed and seed.isdecimal() else config


def _stored_config(base: Config, flags: Sequence[str]) -> Config:
    """The config of the run to resume: flags that are not given keep their stored values."""
    from atari_dqn.run import default_run_dir
    from atari_dqn.run_folder import RunFolder

    return RunFolder.open(Path(_flag("--run-dir", flags) or default_run_dir(base))).config


def _parse(kind: Any, words: Sequence[str], *, prog: str, default: Any = None) -> Any:
    options = {} if default is None else {"default": default}
    return tyro.cli(kind, args=list(words), prog=prog, description=kind.__doc__, **options)


# --- evaluate


def _evaluate(words: Sequence[str]) -> int:
    from atari_dqn import assess

    command = _parse(Evaluate, words, prog="atari-dqn evaluate")
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
        say=_say,
    )
    for line in assess.evaluation_lines(result):
        print(line)
    if command.json:
        print(json.dumps(result))
    return 0


# --- presets


def _presets(words: Sequence[str]) -> int:
    from rich.console import Console
    from rich.table import Table

    _parse(Presets, words, prog="atari-dqn presets")
    tables = [dataclasses.asdict(preset("")) for preset in PRESETS.values()]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("setting", *PRESETS, "unit"):
        table.add_column(heading, no_wrap=True)
    for name in tables[0]:
        if name not in ("game", "preset", "seed"):
            table.add_row(name, *(_shown(values[name]) for values in tables), UNITS.get(name, ""))
    # a pipe has no width: never wrap there
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 0


UNITS = {
    "num_envs": "environments",
    "frame_skip": "frames per agent step",
    "frame_stack": "frames",
    "noop_max": "frames",
    "sticky_probability": "per frame",
    "max_episode_steps": "agent steps",
    "total_steps": "agent steps",
    "learning_starts": "agent steps",
    "capacity": "transitions",
    "batch_size": "transitions",
    "update_period": "agent steps",
    "target_update_period": "agent steps",
    "gamma": "per agent step",
    "n_step": "agent steps",
    "epsilon_start": "probability",
    "epsilon_end": "probability",
    "epsilon_decay_steps": "agent steps",
    "hidden_sizes": "units",
    "rmsprop_decay": "per update",
    "eval_period": "agent steps",
    "eval_steps": "agent steps",
    "eval_epsilon": "probability",
    "eval_num_envs": "environments",
    "log_period": "agent steps",
    "checkpoint_period": "agent steps",
    "torch_threads": "threads, 0 = cores",
    "env_threads": "threads, 0 = cores",
}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
