"""A GIF of one evaluation game for TensorBoard, made when an evaluation was the best so far, or an early one.

While the games are played nothing but the actions of the first one is kept, a number a step. If the evaluation is to be
shown, a camera plays them again; it is an emulator of its own, so the run is the same bit for bit with
and without films.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.ports import Logger
from atari_dqn.evaluation.play import EvalStep
from atari_dqn.evaluation.protocols import EvalProtocol
from atari_dqn.video.camera import FRAMES_PER_SECOND, Camera
from atari_dqn.video.panel import television
from atari_dqn.video.writers import Gif

HEIGHT = 210  # of the picture, pixels


class BestGameGif:
    """Remembers the first game of an evaluation; nothing, where there is no film to be made of it.

    Args:
      config:   of the run.
      protocol: of its evaluations.
    """

    def __init__(self, config: Config, protocol: EvalProtocol) -> None:
        self.config = protocol.env_config(config, 1)
        self.actions: list[int] = []
        self._step_seconds = Fraction(config.frame_skip, FRAMES_PER_SECOND)
        self._limit = (
            int(config.film_seconds / self._step_seconds) if self.config.backend == "native" else 0
        )  # agent steps

    def begin(self) -> Callable[[EvalStep], None]:
        """Forget the evaluation before; returns who is to watch the next one."""
        self.actions.clear()
        return self._watch

    def _watch(self, moment: EvalStep) -> None:
        if moment.playing[0] == 0 and len(self.actions) < self._limit:  # the first environment opens with game 0
            self.actions.append(int(moment.action[0]))

    def show(self, tag: str, seed: int, logger: Logger, step: int) -> None:
        """Log the game that was remembered, which has this seed, under a name."""
        if self.actions:
            logger.animation(tag, self.gif(seed), step)

    def gif(self, seed: int) -> bytes:
        """The first `film_seconds` of the game as a GIF, a picture for each agent step."""
        file = io.BytesIO()
        with closing(Camera(self.config)) as camera:
            camera.open(seed)
            gif = Gif(file, self._step_seconds)
            for action in self.actions:
                # as for the network, the brighter pixels of the last two: sprites flicker
                last_two = [shot.screen for shot in camera.play(action)[-2:]]
                gif.add(television(np.maximum.reduce(last_two), HEIGHT))
            gif.close()
        return file.getvalue()
