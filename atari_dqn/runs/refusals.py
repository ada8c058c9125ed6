"""What a run refuses before anything of it is written: what cannot work together, and days of work unasked."""

from __future__ import annotations

import torch

from atari_dqn.config import Config
from atari_dqn.envs.games import is_vector_game
from atari_dqn.errors import UsageError
from atari_dqn.presets import quick
from atari_dqn.runs.machine import update_seconds
from atari_dqn.runs.pace import Moment, Pace, duration
from atari_dqn.settings.running import Precision


def refuse_too_short(config: Config) -> None:
    """Raises UsageError where the run would end before its first update."""
    if config.total_steps <= config.replay.learning_starts:
        raise UsageError(
            f"the run would end after total_steps ({config.total_steps:,}), and learning_starts at step "
            f"{config.replay.learning_starts:,}: nothing would be learned; raise total_steps, or lower learning_starts"
        )


def refuse_what_mps_lacks(config: Config) -> None:
    """Raises UsageError where a setting needs what Apple's GPUs have not."""
    for name in ("priority_alpha", "subtract_mean_frame"):
        if config.machine.device.startswith("mps") and (value := getattr(config.extensions, name)):
            raise UsageError(f"{name} is {value}, which needs float64, and the device mps has none; use --device cpu")


def refuse_far_priorities(config: Config) -> None:
    """Raises UsageError where priorities would lie on another device than the network."""
    alpha, machine = config.extensions.priority_alpha, config.machine
    if alpha and torch.device(machine.device).type != torch.device(machine.replay_device).type:
        raise UsageError(
            f"priority_alpha is {alpha}, but the replay is on {machine.replay_device} and the "
            f"network on {machine.device}; bring them together with a lower --capacity, or use --priority-alpha 0"
        )


def refuse_unasked(config: Config) -> None:
    """Refuse days of work that nobody asked for, with what they would take and what takes an hour.

    Args:
      config: of a run whose length no flag names, resolved.

    Raises:
      UsageError: it is on Atari, and there is no GPU.
    """
    if config.machine.device != "cpu" or is_vector_game(config.game):
        return
    laptops = quick(config.game).replace(device="cpu", env_threads=config.machine.env_threads)
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    fastest = min(filter(None, (update_seconds(laptops.replace(precision=name)) for name in precisions)))
    length = _length(config, update_seconds(config))
    raise UsageError(
        f"{config.preset} on {config.game} is {length}, without a GPU. Use --preset quick "
        f"({_length(laptops, fastest)}), name a length with --total-steps, or begin all the same with --yes"
    )


def _length(config: Config, update_seconds: float | None) -> str:
    """How long a run is: `600,000 steps, about 1:20 h here`."""
    left = Pace(config, update_seconds).seconds_left(Moment(0, config.replay.learning_starts))
    return f"{config.total_steps:,} steps" + ("" if left is None else f", about {duration(left)} here")
