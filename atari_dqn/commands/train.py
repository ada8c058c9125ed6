"""`atari-dqn train GAME`."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Suppress

from atari_dqn import host
from atari_dqn.commands import parse
from atari_dqn.commands.flags import flags_of, refuse_misfits
from atari_dqn.commands.parser import is_none, whole_number
from atari_dqn.config import SETTINGS, Config
from atari_dqn.envs import with_own_time_limit
from atari_dqn.envs.games import EXECUTED, is_vector_game, known_game, module_of
from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.presets import preset_named
from atari_dqn.runs.display import Display
from atari_dqn.runs.folder import RunFolder, default_run_dir
from atari_dqn.runs.refusals import check_start, refuse_unasked
from atari_dqn.safe_files import TABLE_BYTES, read_text
from atari_dqn.settings.extensions import ExtensionsConfig
from atari_dqn.settings.from_file import some_settings_in
from atari_dqn.settings.running import EvaluationConfig, LoggingConfig, MachineConfig

LENGTHS = {"--preset", "--config", "--total-steps", "--total-episodes", "--resume"}  # with one, a length is wished
HELP, HELP_ALL = {"-h", "--help"}, "--help-all"


@dataclass(frozen=True)
class Train:
    """Train one game, and write everything into a run folder."""

    config: Annotated[Config, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes]
    config_file: Annotated[Path | None, tyro.conf.arg(name="config")] = None
    """JSON file of settings, such as a run's config.json, all of them or some; a run folder means its own. It overrides
    the preset, and flags override both. It may name the game."""
    run_dir: Path | None = None
    """Folder of the run. Default: runs/<game>/<preset>/seed<seed>."""
    resume: bool = False
    """Go on from the newest good checkpoint of the run folder."""
    yes: bool = False
    """Begin the paper's 50 million steps even without a GPU. Without this flag such a run needs --preset, --config,
    --resume or a length, so that nobody starts days of work unawares."""
    wandb: bool = False
    """Mirror the numbers to Weights & Biases; needs the `wandb` extra. Give it again with --resume.
    WANDB_MODE=offline in the environment keeps them in the run folder."""


@dataclass(frozen=True)
class ShortConfig(Config):
    """The settings that `--help` shows; `--help all` shows the others, too."""

    extensions: Suppress[ExtensionsConfig] = ExtensionsConfig()
    evaluation: Suppress[EvaluationConfig] = EvaluationConfig()
    logging: Suppress[LoggingConfig] = LoggingConfig()
    machine: Suppress[MachineConfig] = MachineConfig()


@dataclass(frozen=True)
class ShortTrain(Train):
    """Train one game, and write everything into a run folder.

    Flags of extensions, evaluation, logging and machine: --help all.
    """

    config: Annotated[ShortConfig, tyro.conf.arg(name=""), tyro.conf.OmitArgPrefixes]


def run(words: Sequence[str]) -> int:
    """Train a game; returns the exit code."""
    game, flags = split_game(with_help_all(words))
    if game is None and not {*HELP, HELP_ALL} & set(flags) and "game" not in stated(flags):
        raise UsageError("train needs a GAME: a ROM id such as pong or ms_pacman, cartpole, or gym:ID")
    command = parse_command(game, flags)
    check_start(command.config, command.run_dir or default_run_dir(command.config), resume=command.resume)
    unasked = not (command.yes or asked_for(flags))
    if unasked:
        refuse_unasked(command.config, cuda=host.may_have_cuda())
    if command.wandb:
        require("wandb", "--wandb needs")
    with Display() as display:
        display.doing("loading torch")
        from atari_dqn.runs import train as training  # it takes seconds: what is wrong is told before

        run = training.train(
            command.config,
            command.run_dir,
            command=["atari-dqn", "train", *words],
            resume=command.resume,
            wandb=command.wandb,
            display=display,
            unasked=unasked,
        )
    return run.exit_code


def with_help_all(words: Sequence[str]) -> list[str]:
    """The words with `--help all` as one flag, so that `all` is not taken for a game."""
    place = next((place for place, pair in enumerate(pairwise(words)) if pair[0] in HELP and pair[1] == "all"), None)
    return list(words) if place is None else [*words[:place], HELP_ALL, *words[place + 2 :]]


def asked_for(flags: Sequence[str]) -> bool:
    """Does a flag say which run it is to be, or how long?"""
    return bool(LENGTHS & {flag.split("=")[0].replace("_", "-") for flag in flags})


def split_game(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The game, which may stand anywhere, and the other words, which are flags and their values."""
    left = list(words)
    values = 0.0  # words that may still belong to the flag before
    for place, word in enumerate(left):
        if word.startswith("-") and not word[1:2].isdigit():
            values = _values_of(word)
        elif values == 0 or (values > 1 and not _of_a_list(word)):
            return word, left[:place] + left[place + 1 :]
        else:
            values -= 1
    return None, left


def _of_a_list(word: str) -> bool:
    """May a word stand among several values of a flag?"""
    try:
        whole_number(word)
    except ValueError:
        return is_none([word])
    return True


def _values_of(word: str) -> float:
    """How many words a flag of `train` takes; of an unknown one, the next."""
    name = word.replace("_", "-")
    if "=" in word or word in HELP or word == HELP_ALL or name.startswith("--no-"):
        return 0
    return next((flag.most for flag in flags_of(Train) if flag.name == name), 1)


def parse_command(game: str | None, flags: Sequence[str]) -> Train:
    """What the flags of `train GAME` ask for; a wrong one prints a message and exits with code 2.

    Raises:
      UsageError: values that cannot work, or that a run to be resumed cannot change.
    """
    refuse_misfits(Train, flags)
    table = stated(flags)
    if game is None and module_of(named := str(table.get("game", "pong"))):
        raise UsageError(f"the file's game {named!r} imports a Python module: if you trust it, give the game here, too")
    made_by = _executed(table, flags)
    preset = flag_value("--preset", flags) or table.pop("preset", None)
    base = base_config(game or table.pop("game", "pong"), preset, flag_value("--seed", flags), **made_by)
    stored = _stored_config(base, flags) if "--resume" in flags else None
    if stored:
        _executed(stored.flat(), flags)
    start = stored or base.with_idle(**{name: table[name] for name in table.keys() - {"game", "preset"}})
    prog = f"atari-dqn train {game or 'GAME'}"
    if HELP_ALL in flags:
        parse(Train, ["--help"], prog=prog, default=Train(config=start))
    if HELP & set(flags):
        parse(ShortTrain, ["--help"], prog=prog, default=ShortTrain(config=ShortConfig(**vars(start))))
    command: Train = parse(Train, flags, prog=prog, default=Train(config=start))
    before = stored or base
    asked = {name: wanted for name, (wanted, _) in command.config.differences(before).items()}
    return dataclasses.replace(command, config=before.replace(**asked | {"game": base.game}))


def _executed(table: Mapping[str, Any], flags: Sequence[str]) -> dict[str, str]:
    """What the flags ask for of `EXECUTED`.

    Raises:
      UsageError: a file or a folder asks for one, and no flag does: it may be a stranger's.
    """
    asked = {name: flag_value("--" + name.replace("_", "-"), flags) for name in EXECUTED}
    for name, value in asked.items():
        if value is None and table.get(name):
            flag = f"--{name.replace('_', '-')} {shlex.quote(str(table[name]))}"
            raise UsageError(f"the settings have {flag}, which is executed: if you trust it, give that flag here, too")
    return {name: value for name, value in asked.items() if value}


def stated(flags: Sequence[str]) -> dict[str, Any]:
    """The settings in the file of --config, by their names; none without that flag.

    Raises:
      UsageError: it cannot be read, or says what cannot be; it comes with --resume, or with another --preset.
    """
    if (named := flag_value("--config", flags)) is None:
        return {}
    if "--resume" in flags:
        raise UsageError("--resume takes the settings from the run folder; leave --config out")
    path = Path(named) / "config.json" if Path(named).is_dir() else Path(named)
    try:
        table = some_settings_in(read_text(path, TABLE_BYTES), SETTINGS)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {named} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    preset = flag_value("--preset", flags)
    if preset is not None and table.get("preset", preset) != preset:
        raise UsageError(f"{path} is of preset {table['preset']!r}, not {preset!r}; leave --preset out, or the file's")
    return table


def flag_value(name: str, words: Sequence[str]) -> str | None:
    """Value of a flag that has to be known before the others can be parsed."""
    for index, word in enumerate(words):
        if word.startswith(name + "="):
            return word[len(name) + 1 :]
        if word == name and index + 1 < len(words):
            return words[index + 1]
    return None


def base_config(game: str, name: str | None, seed: str | None, **made_by: str) -> Config:
    """The preset that the flags of a command line start from; `made_by` are those without which no game is made."""
    game = known_game(game)
    vectors = is_vector_game(game)
    name = name or ("cartpole" if vectors else "nature")
    preset = preset_named(name)
    if vectors != (preset(game).env.backend == "classic"):
        raise UsageError(
            f"preset {name!r} does not fit {game!r}: "
            f"{'use cartpole, or pixels or minatar for pictures' if vectors else 'it is for games of gymnasium'}"
        )
    config = with_own_time_limit(preset(game).replace(**made_by))
    return config.replace(seed=int(seed)) if seed and seed.isdecimal() else config


def _stored_config(base: Config, flags: Sequence[str]) -> Config:
    """The config of the run to resume: flags that are not given keep their stored values."""
    return RunFolder.open(Path(flag_value("--run-dir", flags) or default_run_dir(base))).config
