"""`atari-dqn suite`."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from atari_dqn.commands import parse
from atari_dqn.commands import train as train_command
from atari_dqn.commands.suite_flags import Suite, split_flags
from atari_dqn.config import DEFAULTS, Config
from atari_dqn.envs import check_game
from atari_dqn.envs.games import known_game
from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.published.scores import GAME_SETS
from atari_dqn.runs.folder import refuse_unwritable
from atari_dqn.runs.refusals import refuse_too_short
from atari_dqn.suite.flags import field_name

OF_ENGINES = {
    "jobs": ("local",),
    "ray_address": ("ray",),
    "cpus_per_job": ("ray", "slurm"),
    "gpus_per_job": ("ray", "slurm"),
    "hours_per_job": ("slurm",),
    "slurm": ("slurm",),
}


class Understood(NamedTuple):
    """The words of a suite, found to be right; for `run_jobs`."""

    command: Suite
    configs: list[Config]
    passed: tuple[tuple[str, ...], ...]


def understand(words: Sequence[str], *, prog: str = "atari-dqn suite") -> Understood:
    """Check the words of a suite, and start nothing.

    Args:
      words: those after the command.
      prog:  the command, for its messages.

    Raises:
      UsageError: what would stop a job is refused here.
    """
    own, passed = split_flags(words)
    command = parse(Suite, own, prog=prog)
    _refuse_unknown(passed, prog)
    _check(command, passed)
    refuse_unwritable(command.runs_dir, "the runs folder", "--runs-dir")
    return Understood(command, configs_of(command, passed), passed)


def run(words: Sequence[str]) -> int:
    """Run a suite; returns the exit code: 0 all well, 1 some failed, 130 after Ctrl-C."""
    understood = understand(words)
    from atari_dqn.commands.suite_jobs import run_jobs  # torch takes seconds: wrong flags are answered before

    return run_jobs(*understood)


def _refuse_unknown(passed: Sequence[tuple[str, ...]], prog: str) -> None:
    """The parser of `train` would answer with the flags of `train` alone."""
    fields = [*dataclasses.fields(Suite), *dataclasses.fields(train_command.Train)]
    known = {*DEFAULTS, *(field.name for field in fields), "config"}
    for flag, *_ in passed:
        if (name := field_name(flag)) not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"; did you mean --{near[0].replace('_', '-')}?" if near else f"; see {prog} --help, train --help all"
            )
            raise UsageError(f"{prog} has no flag {flag.split('=')[0]}{hint}")


def _check(command: Suite, passed: Sequence[tuple[str, ...]]) -> None:
    least = {"jobs": 1, "retries": 0, "cpus_per_job": 0, "gpus_per_job": 0}
    for name, value in least.items():
        if not getattr(command, name) >= value:
            raise UsageError(f"{name} is {getattr(command, name)}; it must be at least {value}")
    _check_engine(command)
    for name in ("games", "seeds"):
        if not getattr(command, name):
            raise UsageError(f"--{name} is empty; name at least one")
    if min(command.seeds) < 0:
        raise UsageError(f"seed is {min(command.seeds)}; it must be at least 0")
    instead = {"seed": "--seeds", "run_dir": "--runs-dir", "game": "--games", "resume": "nothing: it always does"}
    for flag in passed:
        if field_name(flag[0]) in instead:
            raise UsageError(f"a suite has no {flag[0]}; use {instead[field_name(flag[0])]}")


def _check_engine(command: Suite) -> None:
    for name, engines in OF_ENGINES.items():
        if command.engine not in engines and (value := getattr(command, name)) != getattr(Suite, name):
            flag, told = name.replace("_", "-"), " or ".join(engines)
            raise UsageError(f"--{flag} is {value}, which does nothing with engine {command.engine}: it is for {told}")
    if command.engine != "local":
        require(command.engine, f"--engine {command.engine} needs")
    if command.engine != "slurm":
        return
    for name, least in (("cpus_per_job", 1), ("gpus_per_job", 0)):
        if not (value := getattr(command, name)).is_integer() or value < least:
            raise UsageError(f"{name} is {value:g}; Slurm gives whole ones only, at least {least}")
    if not 0.0 < command.hours_per_job <= 8_760.0:
        raise UsageError(f"hours_per_job is {command.hours_per_job:g}; it must lie in (0, 8760], a year")
    for option in command.slurm:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*=[^\n]+", option):
            raise UsageError(f"--slurm has {option!r}; it takes options of sbatch as NAME=VALUE, such as partition=gpu")


def configs_of(command: Suite, passed: Sequence[tuple[str, ...]]) -> list[Config]:
    """What is wanted of every job, by the parser of `train`; a wrong flag or game ends here."""
    games = [
        game for name in command.games for game in (GAME_SETS[name]() if name in GAME_SETS else (known_game(name),))
    ]
    flags = [word for flag in passed for word in flag]
    preset = ["--preset", command.preset] if command.preset is not None else []
    parsed: dict[Config, Config] = {}  # by what the flags change: parsing takes long, and they are the same for all
    configs = []
    for game in dict.fromkeys(games):
        base = train_command.base_config(game, command.preset, None)
        kind = base.replace(game="any")
        if kind not in parsed:
            of_a_job = train_command.parse_command(game, [*preset, *flags])
            if of_a_job.wandb:
                require("wandb", "--wandb needs")
            parsed[kind] = of_a_job.config
        config = parsed[kind].replace(game=game)
        refuse_too_short(config)
        check_game(config)
        configs += [config.replace(seed=seed) for seed in dict.fromkeys(command.seeds)]
    return configs
