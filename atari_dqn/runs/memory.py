"""Does it fit? What networks and replays need is compared with what is free, before anything is allocated."""

from __future__ import annotations

import logging

import torch

from atari_dqn import host
from atari_dqn.config import Config
from atari_dqn.dqn.agent import count_weights
from atari_dqn.errors import UsageError
from atari_dqn.types import EnvSpec

log = logging.getLogger(__name__)

COPIES_OF_WEIGHTS = 5  # network, target network, gradients, two moments
GIB = 2**30


def refuse_large_network(config: Config, spec: EnvSpec) -> None:
    """Ask whether the config's network fits before it is made (`config.machine.device` resolved).

    Raises:
      UsageError: it does not.
    """
    weights = count_weights(config, spec)
    needed, free = weights * COPIES_OF_WEIGHTS * 4, free_bytes(config.machine.device)
    if needed > free:
        raise UsageError(
            f"a network of {weights:,} weights needs {needed / GIB:.2f} GiB with its target network, gradients and "
            f"moments, but {free / GIB:.2f} GiB are free; make it smaller (--hidden-sizes, --categorical-bins)"
        )


def free_bytes(device: str) -> int:
    """Memory that can still be allocated, in bytes: of the GPU, or of the host within its container's limit."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    return host.free_memory()


def place_replay(wanted: str, device: str, frame_bytes: int) -> str:
    """Where the replay's frames go; says what is needed and what is free before anything is allocated.

    Raises:
      UsageError: they do not fit.
    """
    places = [device, "cpu"] if wanted == "auto" else [device if wanted == "cuda" else wanted]
    if places[0] not in ("cpu", device):
        raise UsageError(f"replay_device is {wanted!r}; use auto, cpu or cuda")
    if wanted == "cuda" and not device.startswith("cuda"):
        raise UsageError(f"replay_device is 'cuda', but the network is on {device}; use --replay-device cpu")
    for place in places:
        free = free_bytes(place)
        if frame_bytes <= 0.95 * free:
            log.info(f"replay: {frame_bytes / GIB:.2f} GiB on {place}, {free / GIB:.1f} GiB are free")
            return place
    raise UsageError(
        f"the replay needs {frame_bytes / GIB:.2f} GiB on {places[-1]}, but {free / GIB:.2f} GiB are free; "
        "lower --capacity, keep pictures in less memory (--replay-tiles), or choose another --replay-device"
    )
