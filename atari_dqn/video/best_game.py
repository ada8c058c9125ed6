"""A GIF of one evaluation episode for TensorBoard, made when an evaluation was the best so far, or an early one.

While they are played nothing but the actions of the first one is kept, a number a step. If the evaluation is to be
shown, a camera plays them again; it is an emulator of its own, so the run is the same bit for bit with and
without films.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.ports import Animation, Logger
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.play import EvalStep
from atari_dqn.evaluation.protocols import EvalProtocol
from atari_dqn.video.camera import FRAMES_PER_SECOND
from atari_dqn.video.gym_camera import make_camera
from atari_dqn.video.writers import Gif

HEIGHT = 210  # of the picture, pixels
PICTURES_PER_SECOND = 15  # as many as agent steps of Atari
GYM_FPS = 60  # at most, of games of gymnasium's, which say their own only when they are made


class BestEpisodeGif:
    """Remembers the first episode of an evaluation; nothing, where there is no film to be made of it.

    Args:
      config:   of the run.
      protocol: of its evaluations.
    """

    def __init__(self, config: Config, protocol: EvalProtocol) -> None:
        self.config = protocol.env_config(config, 1)
        self.actions: list[int] = []
        fps = GYM_FPS if config.env.backend == "classic" else FRAMES_PER_SECOND
        self.limit = config.logging.film_seconds * fps // config.env.frame_skip  # agent steps

    def begin(self) -> Callable[[EvalStep], None]:
        """Forget the evaluation before; returns who is to watch the next one."""
        self.actions.clear()
        return self._watch

    def _watch(self, moment: EvalStep) -> None:
        if moment.playing[0] == 0 and len(self.actions) < self.limit:  # the first environment opens with episode 0
            self.actions.append(int(moment.action[0]))

    def show(self, tag: str, seed: int, logger: Logger, step: int) -> None:
        """Log the episode that was remembered, which has this seed, under a name.

        A game that cannot be drawn is named once; it costs no more than its film.
        """
        if not self.actions:
            return
        try:
            logger.log(step, {tag: Animation(self.gif(seed))})
        except UsageError as error:
            self.limit = 0
            self.actions.clear()
            logger.message(f"no film in TensorBoard: {error}. --film-seconds 0 asks for none")

    def gif(self, seed: int) -> bytes:
        """The first `film_seconds` of the episode as a GIF, about 15 pictures a second.

        Raises:
          UsageError: the game cannot be drawn.
        """
        file = io.BytesIO()
        with closing(make_camera(self.config)) as camera:
            camera.open(seed)
            each = max(1, round(camera.fps / camera.frame_skip / PICTURES_PER_SECOND))  # agent steps
            gif = Gif(file, Fraction(each * camera.frame_skip, camera.fps))
            for number, action in enumerate(
                self.actions[: self.config.logging.film_seconds * camera.fps // camera.frame_skip]
            ):
                shown = number % each == 0
                shots = camera.play(action, draw=shown)
                if shown:
                    # as for the network, the brighter pixels of the last two: sprites flicker
                    gif.add(camera.picture(np.maximum.reduce([shot.screen for shot in shots[-2:]]), HEIGHT))
                if shots[-1].over:
                    break
            gif.close()
        return file.getvalue()
