"""The first episodes of a run open while torch loads what it compiles with: emulators need no Python meanwhile."""

from __future__ import annotations

from threading import Thread

from atari_dqn.config import Config
from atari_dqn.seeding import first_seeds
from atari_dqn.types import Step, VecEnv


class Opening:
    """Calls `envs.reset` for a run, of native games by a thread of its own; a call gives the result.

    Attributes:
      envs: of the run.

    Args:
      envs:    just made; nothing else is asked of them before the result is there.
      config:  of the run.
      resumed: it may have open episodes.
    """

    def __init__(self, envs: VecEnv, config: Config, *, resumed: bool = False) -> None:
        self.envs, self._seeds = envs, first_seeds(config.seed, config.env.num_envs)
        self._found: Step | Exception | None = None
        self._thread = Thread(target=self._open, name="opening")
        if config.env.backend == "native" and not resumed:  # others may belong to the thread that made them
            self._thread.start()

    def _open(self) -> None:
        try:
            self._found = self.envs.reset(self._seeds)
        except Exception as error:
            self._found = error

    def close(self) -> None:
        """Close the games, once nothing is asked of them any more."""
        self._wait()
        self.envs.close()

    def _wait(self) -> None:
        if self._thread.ident is not None:  # begun
            self._thread.join()

    def __call__(self) -> Step:
        """The first observations. Raises what `reset` raised."""
        self._wait()
        if self._found is None:
            self._open()
        assert self._found is not None
        if isinstance(self._found, Exception):
            raise self._found
        return self._found
