"""Callbacks: code of the caller's own that is told what happens in a run, and that may ask it to stop.

    vector step played -> on_episode (each that ended) -> on_evaluation (if one was due) -> on_step -> on_checkpoint

All calls come from the loop's own thread. A run without callbacks does nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.ports import Evaluation, Logger
from atari_dqn.errors import UsageError
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.storage.saver import Saver
from atari_dqn.types import EpisodeScore

EVENTS = ("on_step", "on_episode", "on_evaluation", "on_checkpoint")


class Training(Protocol):
    """What a callback sees of a run: `dqn.trainer.Trainer`, of which these names are promised.

    A callback that acts with the agent (`sample`), draws from the replay or changes anything makes another run of it,
    which no resume can repeat.
    """

    stop_requested: bool
    """The run saves and ends after this vector step. A callback returns True instead of setting it."""

    @property
    def config(self) -> Config: ...
    @property
    def step(self) -> int:
        """Agent steps played."""
        ...

    @property
    def episodes(self) -> int:
        """Episodes finished."""
        ...

    @property
    def epsilon(self) -> float:
        """Chance of a random action now."""
        ...

    @property
    def last_score(self) -> float | None:
        """Mean return of the newest evaluation; None before the first."""
        ...

    @property
    def best_score(self) -> float:
        """Mean return of the best evaluation; minus infinity before the first."""
        ...

    @property
    def agent(self) -> Agent: ...
    @property
    def replay(self) -> FrameReplay: ...
    @property
    def logger(self) -> Logger: ...
    @property
    def saver(self) -> Saver | None: ...


class Callback(Protocol):
    """Told of a run while it trains: subclass it and write the methods that you need.

    Each may return True: the run then saves and ends after this vector step. An exception does the same, and is raised
    by `train` once the checkpoint is on the disk.
    """

    def on_step(self, training: Training) -> bool | None:
        """A vector step has been played, which is `num_envs` agent steps (one group's, where groups take turns)."""
        return None

    def on_episode(self, training: Training, episode: EpisodeScore) -> bool | None:
        """An episode of training has ended: its raw return, its length in agent steps, its environment's number."""
        return None

    def on_evaluation(self, training: Training, result: Evaluation) -> bool | None:
        """An evaluation has been played and logged."""
        return None

    def on_checkpoint(self, training: Training, path: Path) -> bool | None:
        """A checkpoint is whole on the disk; later ones replace it, so copy what you want to keep."""
        return None


class Callbacks:
    """Tells each callback of a run.

    Attributes:
      stopped_by: name of the callback that asked the run to stop; "" if none did.
      error:      the first exception of a callback; None if there was none.

    Args:
      callbacks: told in this order.

    Raises:
      UsageError: one of them is no callback.
    """

    def __init__(self, callbacks: Sequence[Callback] = ()) -> None:
        if not isinstance(callbacks, Sequence):
            raise UsageError(f"callbacks is {callbacks!r}; give a list of callbacks")
        for callback in callbacks:
            _refuse_other(callback)
        self.callbacks = tuple(callbacks)
        self.stopped_by = ""
        self.error: BaseException | None = None

    def on_step(self, training: Training) -> None:
        """After a vector step, and once more at the end of the run: checkpoints may have become whole since."""
        for callback in self.callbacks:
            self._tell(training, callback, "on_step")
        self.on_checkpoints(training)

    def on_episode(self, training: Training, episode: EpisodeScore) -> None:
        for callback in self.callbacks:
            self._tell(training, callback, "on_episode", episode)

    def on_evaluation(self, training: Training, result: Evaluation) -> None:
        for callback in self.callbacks:
            self._tell(training, callback, "on_evaluation", result)

    def on_checkpoints(self, training: Training) -> None:
        """Tell of the checkpoints that have become whole since the last call."""
        if not self.callbacks or training.saver is None:
            return
        while training.saver.written:
            path = training.saver.written.popleft()
            for callback in self.callbacks:
                self._tell(training, callback, "on_checkpoint", path)

    def _tell(self, training: Training, callback: Callback, event: str, *what: object) -> None:
        if self.error is not None:
            return
        try:
            stop = getattr(callback, event)(training, *what)
        except BaseException as error:  # also sys.exit(): the run is saved first
            error.add_note(f"raised by {_name(callback)}.{event} at agent step {training.step:,}; the run was saved")
            self.error, stop = error, True
        if stop:
            self.stopped_by = self.stopped_by or f"{_name(callback)}.{event}"
            training.stop_requested = True


def _name(callback: Callback) -> str:
    return type(callback).__name__


def _refuse_other(callback: object) -> None:
    if isinstance(callback, type):
        raise UsageError(f"the callback {callback.__name__} is a class; give an instance: {callback.__name__}()")
    if missing := [event for event in EVENTS if not callable(getattr(callback, event, None))]:
        raise UsageError(f"the callback {callback!r} lacks {', '.join(missing)}; subclass atari_dqn.Callback")
