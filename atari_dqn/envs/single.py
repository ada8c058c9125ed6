"""N single gymnasium games, one after the other in this process, behind the VecEnv protocol. Slow and plain."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from atari_dqn.envs.contract import Course, Turns, checked_action, first_step, play_again
from atari_dqn.errors import GameError
from atari_dqn.types import EnvSpec, Step

log = logging.getLogger(__name__)


class Game(Protocol):
    """What is asked of a game: a `gymnasium.Env`, or a `CheckedGame` around one."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, Any]: ...

    def step(self, action: int) -> tuple[Any, Any, Any, Any, Any]: ...

    def close(self) -> None: ...


class SingleEnvs:
    """Games behind the VecEnv protocol, from a function that makes one.

    A game may report `info["life_lost"]`: it shows as terminated, and the game goes on.

    Args:
      make_one:          makes one game: frames are its observations, actions are Discrete.
      num_envs:          N.
      spec:              of the game.
      max_episode_steps: time limit of an episode, agent steps, besides the game's own.
      reseed_after:      agent steps after which a game's stream is seeded afresh when its next episode opens, so that
                         its action log stays short; 0 for never.
    """

    def __init__(
        self,
        make_one: Callable[[], Game],
        num_envs: int,
        *,
        spec: EnvSpec,
        max_episode_steps: int,
        reseed_after: int = 0,
    ) -> None:
        self.spec, self.num_envs = spec, num_envs
        self.max_episode_steps, self.reseed_after = max_episode_steps, reseed_after
        self._envs = [make_one() for _ in range(num_envs)]
        self._turns = Turns()

    def reset(self, seeds: np.ndarray) -> Step:
        self._turns.reset()
        self._course = Course(np.array(seeds, np.int64), self.reseed_after)
        self._elapsed = np.zeros(self.num_envs, np.int64)
        self._over = np.zeros(self.num_envs, bool)
        frames = self._frames()
        for index, seed in enumerate(self._course.seeds):
            frames[index], _ = self._envs[index].reset(seed=int(seed))
        self._shown = frames
        return first_step(frames)

    def send(self, action: np.ndarray) -> None:
        self._sent = checked_action(action, self.num_envs, self.spec)
        self._turns.send()
        self._course.append(self._sent)

    def recv(self) -> Step:
        """See `VecEnv.recv`.

        Raises:
          GameError: a game broke; `state_dict` is as before the action was sent, which plays it again.
        """
        self._turns.recv()
        before, elapsed = self._course.mark(), self._elapsed.copy()
        try:
            return self._play()
        except GameError:
            self._course.take_back(before)
            self._elapsed = elapsed
            raise

    def _play(self) -> Step:
        step = first_step(self._frames())._replace(started=self._over)
        over = np.zeros(self.num_envs, bool)
        for index, action in enumerate(self._sent.tolist()):
            if self._over[index]:
                step.frame[index] = self._open(index)
                continue
            frame, reward, terminated, truncated, info = self._envs[index].step(action)
            self._elapsed[index] += 1
            step.frame[index], step.reward[index] = frame, reward
            step.terminated[index] = terminated or info.get("life_lost", False)
            step.truncated[index] = truncated or self._elapsed[index] >= self.max_episode_steps
            over[index] = terminated or step.truncated[index]
        self._over, self._shown = over, step.frame
        return step._replace(finished=over.copy())

    def _open(self, index: int) -> np.ndarray:
        """First frame of a new episode, from a seed of its own if there is one."""
        this = np.arange(self.num_envs) == index
        seed = int(self._course.next_seed[index]) if self._course.seeded_among(this)[index] else None
        if seed is not None:
            self._course.begin(this, np.array([seed]))
        self._elapsed[index] = 0
        frame, _ = self._envs[index].reset(seed=seed)
        return np.asarray(frame)

    def _frames(self) -> np.ndarray:
        return np.empty((self.num_envs, *self.spec.frame_shape), self.spec.frame_dtype)

    def seed_next_episode(self, index: int, seed: int) -> None:
        self._course.next_seed[index] = seed

    def state_dict(self) -> dict[str, Any]:
        """Seeds and the actions since: a game is a function of the two."""
        self._turns.check_idle()
        return self._course.state_dict() | {"traces": self._traces()}

    def _traces(self) -> np.ndarray:
        """[3, N] float64, what tells that a game took another course: its length, whether it is over, its frame."""
        shown = [zlib.crc32(frame.tobytes()) for frame in self._shown]
        return np.array([self._elapsed, self._over, shown], np.float64)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Play the logs again, all ending at the same vector step.

        A game that takes another course, because it draws from numbers that its seed does not set, is given up: what it
        shows now never followed what it showed last, so the next step opens a new one.
        """
        self.reset(state["seeds"])

        def join(mask: np.ndarray) -> None:
            self._course.begin(mask, state["seeds"][mask])
            for index in np.flatnonzero(mask):
                self._shown[index], _ = self._envs[index].reset(seed=int(self._course.seeds[index]))
                self._elapsed[index], self._over[index] = 0, False

        play_again(self, state, join)
        self._course.load_state_dict(state)
        strayed = (self._traces() != state.get("traces", self._traces())).any(axis=0)
        if strayed.any():
            log.warning(
                f"{strayed.sum()} of {self.num_envs} games of {self.spec.game} took another course than "
                "before: their seeds do not decide it alone. They are given up for new ones, so this is not an exact "
                "continuation"
            )
            self._over |= strayed
            self._course.seed_afresh(strayed)

    def close(self) -> None:
        for env in self._envs:
            env.close()
