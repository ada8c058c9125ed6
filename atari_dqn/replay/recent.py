"""What has just been played: for the curves of a run, and for one that goes on without its replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from atari_dqn.replay.buffer import FrameReplay


def last_actions(replay: FrameReplay, steps: int) -> np.ndarray:
    """Actions of the last so many agent steps, or as many as are known: [<= steps rounded up] uint8."""
    ring = replay.ring
    newest = ring.time - replay.groups  # the newest frames wait for their answers
    count = -(-steps // ring.envs_at_once)
    oldest = max(newest + 1 - count, ring.times[0], replay.first_time)
    times = np.arange(oldest, newest + 1) % ring.num_times
    return replay.action.reshape(ring.num_times, -1)[times].ravel()


def oldest_age(replay: FrameReplay, among: int | None = None) -> int:
    """Agent steps since the oldest of the newest `among` transitions that can be drawn, or of all.

    Raises:
      ValueError: there is none yet.
    """
    ring = replay.ring
    position = replay.learnable.oldest(among) // ring.envs_at_once
    return (ring.time - position) % ring.num_times * ring.envs_at_once


def newest_frames(replay: FrameReplay) -> dict[str, Any]:
    """What is needed to go on acting with an otherwise empty replay: the frames of the current stacks.

    Returns:
      `frames` ([T, N / groups, *frame_shape], oldest first) and their `age` ([T, N / groups] uint8), on the host.
    """
    ring = replay.ring
    oldest = max(0, ring.time + 1 - replay.frame_stack * replay.groups)
    oldest -= oldest % replay.groups  # the first group is written first
    times = range(oldest, ring.time + 1)
    ages = [replay.age[ring.rows_at(time)] for time in times]
    return {"frames": torch.cat([ring.read(time, 1) for time in times]), "age": np.stack(ages)}


def continue_from(replay: FrameReplay, newest: dict[str, Any]) -> None:
    """Fill an empty replay with `newest_frames`; nothing can be drawn until what follows is added."""
    assert replay.is_empty, "continue_from() is for an empty replay"
    for frame, age in zip(newest["frames"], newest["age"], strict=True):
        replay.ring.append(frame)
        replay.age[replay.ring.rows_at(replay.ring.time)] = age
    replay.first_time = replay.ring.time + 1 - replay.groups
