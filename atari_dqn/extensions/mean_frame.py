"""Pixels less the mean frame of the warm-up, so that a bright background does not drown small things that move.

That inputs should have a mean of 0 is LeCun et al. 1998, Efficient BackProp, section 4.3.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.replay.frames import FrameRing


class Subtracting(Protocol):
    """What this needs of an algorithm."""

    model: nn.Module

    def sync_target(self) -> None: ...


def tell_mean_frame(algorithm: Subtracting, ring: FrameRing) -> None:
    """Both networks see pixels less the mean of the frames in the ring from now on; to be called at the warm-up's end.

    Args:
      algorithm: of a `NatureCNN` that was built with `subtract_mean_frame`.
      ring:      what has been played.
    """
    assert isinstance(algorithm.model, NatureCNN)
    algorithm.model.set_mean_frame(ring.mean_frame())
    algorithm.sync_target()
