"""Refusals before a run writes anything: settings that cannot work together, and days of work unasked."""

from __future__ import annotations

from pathlib import Path

from atari_dqn import host
from atari_dqn.config import SETTINGS, Config
from atari_dqn.envs import check_game
from atari_dqn.envs.games import code_of, is_vector_game, known_game
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import protocol_named
from atari_dqn.presets import quick
from atari_dqn.published.scores import published
from atari_dqn.runs import pretrained
from atari_dqn.runs.folder import RunFolder, find_run, refuse_folder
from atari_dqn.runs.lock import refuse_in_use

MAY_CHANGE_ON_RESUME = {name for name, setting in SETTINGS.items() if setting.may.change}


def check_start(config: Config, run_dir: Path, *, resume: bool) -> tuple[Config, RunFolder | None]:
    """Look at the game, the folder and the settings of a run, before anything is loaded; changes nothing.

    Returns:
      What is to be done, and the run folder that a resume goes on in.

    Raises:
      UsageError: the run cannot be.
    """
    refuse_missing_gpu(config.machine.device)
    refuse_in_use(run_dir)
    folder = RunFolder.open(run_dir) if resume else None
    if folder:
        config = check_resume(folder.config, config)
    else:
        refuse_folder(run_dir, config)
    refuse_too_short(config)
    check_game(config)
    return config, folder


def check_resume(stored: Config, wanted: Config) -> Config:
    """Refuse changes that would make the stored state another run's.

    Returns:
      The wanted config; a precision that was left to a measurement stays the one that was measured.

    Raises:
      UsageError: naming each field, its stored and its wanted value.
    """
    if wanted.machine.precision == "auto":
        wanted = wanted.replace(precision=stored.machine.precision)
    if wanted.machine.resize == "auto":
        wanted = wanted.with_idle(resize=stored.machine.resize)
    changed = stored.differences(wanted)
    told = ", ".join(f"{name} {a!r} -> {b!r}" for name, (a, b) in changed.items() if name not in MAY_CHANGE_ON_RESUME)
    if told:
        raise UsageError(f"a resumed run cannot change {told}; start a new run in another --run-dir")
    return wanted


def check_named(path: Path, *, allow_import: bool) -> Config:
    """Look for the run, checkpoint or pretrained network that a command names, before anything is loaded.

    Returns:
      The config of its run.

    Raises:
      UsageError: there is none, or its game executes other code and `allow_import` is off.
    """
    exported = pretrained.find(path)
    if exported is None and not path.exists() and (told := _no_run_but_a_game(str(path))):
        raise UsageError(told)
    config = find_run(path)[0].config if exported is None else pretrained.config_of(exported)
    refuse_import(path, config, allow_import)
    return config


def _no_run_but_a_game(name: str) -> str | None:
    """What to name where a run is wanted and a game is named; None for other words."""
    game = known_game(name) if "/" not in name else name
    if published(game) is None and game != "cartpole":
        return None
    folder = Path("runs") / game / ("cartpole" if is_vector_game(game) else "quick") / "seed0"
    network = f" or {pretrained.PREFIX}{game}" if game in pretrained.available() else ""
    return f"{game} is a game, and a run is wanted: name its folder, such as {folder}{network}"


def check_played(path: Path, *, protocol: str, device: str, allow_import: bool) -> Config:
    """Look at what a command that plays episodes of a protocol names, before anything is loaded.

    Returns:
      The config of its run.

    Raises:
      UsageError: as for `check_named`; no such device; a protocol that is not for the run's game.
    """
    refuse_missing_gpu(device)
    config = check_named(path, allow_import=allow_import)
    protocol_named(protocol, config.replace(device=device))
    return config


def refuse_missing_gpu(device: str) -> None:
    """Raises UsageError for a CUDA GPU where there is none for certain; torch, which knows, takes seconds to load."""
    if device.startswith("cuda") and not host.may_have_cuda():
        raise UsageError(f"device is {device!r}, but there is no CUDA GPU here; use --device cpu")


def refuse_import(path: Path, config: Config, allowed: bool) -> None:
    """A folder may be a stranger's: it does not decide which code runs."""
    if (code := code_of(config)) is not None and not allowed:
        raise UsageError(
            f"{path} plays {config.game!r}, which {code}; "
            "if you trust that, add --allow-import (in Python: allow_import=True)"
        )


def refuse_too_short(config: Config) -> None:
    """Raises UsageError where the run would end before its first update."""
    if config.total_steps <= config.replay.learning_starts:
        raise UsageError(
            f"the run would end after total_steps ({config.total_steps:,}), and learning_starts at step "
            f"{config.replay.learning_starts:,}: nothing would be learned; raise total_steps, or lower learning_starts"
        )


def refuse_what_mps_lacks(config: Config) -> None:
    """Raises UsageError where a setting needs what Apple's GPUs have not."""
    exact = config.extensions.priority_alpha and config.extensions.priority_sampler == "exact"
    if config.machine.device.startswith("mps") and exact:
        raise UsageError(
            "priority_sampler is 'exact', which needs float64, and the device mps has none; use --device cpu, or "
            "--priority-sampler candidates"
        )


def refuse_far_priorities(config: Config) -> None:
    """Raises UsageError where priorities would lie on another device than the network."""
    alpha, machine = config.extensions.priority_alpha, config.machine
    if alpha and machine.device.partition(":")[0] != machine.replay_device.partition(":")[0]:
        raise UsageError(
            f"priority_alpha is {alpha}, but the replay is on {machine.replay_device} and the "
            f"network on {machine.device}; bring them together with a lower --capacity, or use --priority-alpha 0"
        )


def refuse_unasked(config: Config, *, cuda: bool) -> None:
    """Refuse days of work that nobody asked for, by what is known without measuring: a busy machine changes nothing.

    Args:
      config: of a run whose length no flag names.
      cuda:   may there be a CUDA GPU?

    Raises:
      UsageError: it is on Atari, and there is no GPU for it.
    """
    device = config.machine.device
    if is_vector_game(config.game) or not (device == "cpu" or (device == "auto" and not cuda)):
        return
    why = "on a CPU" if device == "cpu" else "without a GPU, and there is no CUDA GPU here"
    raise UsageError(
        f"{config.preset} on {config.game} is {config.total_steps:,} steps: days of work {why}. Use --preset quick "
        f"({quick(config.game).total_steps:,} steps, an hour or two), name a length with --total-steps, or begin all "
        "the same with --yes; `atari-dqn doctor` measures how long each takes here"
    )
