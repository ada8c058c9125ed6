"""Named random streams, all grown from one seed. Nothing else in the package creates randomness."""

from __future__ import annotations

import numpy as np

STREAMS = ("envs", "acting", "replay", "init", "eval", "noise")


def stream(seed: int, name: str) -> np.random.SeedSequence:
    """The stream `name` of the run with this `seed`; independent of every other stream and seed.

    Args:
      seed: root of the run, >= 0.
      name: one of STREAMS.
    """
    return np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name),))


def episode_seeds(sequence: np.random.SeedSequence, count: int) -> np.ndarray:
    """`count` emulator seeds, [count] int64 in [0, 2**31), the range that ale-py accepts.

    Runs with seeds 7 and 8 share no episodes, which `seed + i` would make them do.
    """
    return (sequence.generate_state(count, np.uint32) >> 1).astype(np.int64)


def first_seeds(seed: int, num_envs: int) -> np.ndarray:
    """Emulator seeds of the first episodes of the run with this `seed`: [num_envs] int64."""
    return episode_seeds(stream(seed, "envs"), num_envs)
