"""Atari in worker processes over ale-py's plain interface, with shared memory: each plays a fixed share of the games.

What a game does is written in `emulator.py`; its course depends on its seed and its actions alone, so any split over
workers gives the same bits. Beside `native.py` the opening of an episode costs next to nothing, a checkpoint holds the
emulators' states instead of the way to them, and screens can be handed out as they are, to be shrunk elsewhere.
The rules of ends, openings and time limits are those of `native.py`, with two differences:

- an episode opens in one of 8 fresh resets a cartridge, after its no-ops, instead of a reset of its own;
- where one is over within the repeated frames, its true last screen is shown (nothing learns from it).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from atari_dqn.envs.board import FINISHED, LOAD, PLAY, RESET, SAVE, STARTED, TERMINATED, TRUNCATED
from atari_dqn.envs.contract import Turns, checked_action, checked_seeds, first_step
from atari_dqn.envs.pool import WorkerPool
from atari_dqn.errors import UsageError
from atari_dqn.types import Step


class WorkerEnvs:
    """One group of a pool's games behind the VecEnv protocol.

    Where the pool is raw, `Step.frame` holds pairs of screens ([n, 2, H, W]) and stays as it is until the step
    after the next one is sent; all else is the receiver's own.

    Args:
      pool:  its processes; closed with the first of its groups.
      group: number of the group.
    """

    def __init__(self, pool: WorkerPool, group: int = 0) -> None:
        layout = pool.board.layout
        self.pool, self.group, self.spec = pool, group, pool.spec
        self.num_envs = layout.num_envs // layout.groups
        self._mine = slice(group * self.num_envs, (group + 1) * self.num_envs)
        self._next_seed = pool.board.seed[self._mine]
        self._late_seeds: dict[int, int] = {}  # given while a step was under way
        self._turns = Turns()

    def reset(self, seeds: np.ndarray) -> Step:
        """Open an episode in every game.

        Raises:
          UsageError: not N integers in [0, 2**31).
        """
        seeds = checked_seeds(seeds, self.num_envs)
        self._turns.reset()
        self._next_seed[:] = seeds
        self._order_pictures(RESET)
        self.pool.wait(self.group)
        return first_step(self._pictures())

    def _order_pictures(self, order: int) -> None:
        """The pictures of the step before stay where they are, if there is a second buffer."""
        board = self.pool.board
        board.buffer[self.group] = (board.buffer[self.group] + 1) % board.layout.buffers
        self.pool.order(self.group, order)

    def _pictures(self) -> np.ndarray:
        board = self.pool.board
        pictures: np.ndarray = board.pictures[board.buffer[self.group], self._mine]
        return pictures if self.spec.screens else pictures.copy()

    def send(self, action: np.ndarray) -> None:
        action = checked_action(action, self.num_envs, self.spec)
        self._turns.send()
        self._flush_seeds()
        self.pool.board.action[self._mine] = action
        self._order_pictures(PLAY)

    def recv(self) -> Step:
        self._turns.recv()
        self.pool.wait(self.group)
        flags = self.pool.board.flags[self._mine]
        return Step(
            frame=self._pictures(),
            reward=self.pool.board.reward[self._mine].astype(np.float32),
            terminated=(flags & TERMINATED) != 0,
            truncated=(flags & TRUNCATED) != 0,
            started=(flags & STARTED) != 0,
            finished=(flags & FINISHED) != 0,
        )

    def seed_next_episode(self, index: int, seed: int) -> None:
        self._late_seeds[index] = int(checked_seeds(np.array([seed]), 1)[0])

    def _flush_seeds(self) -> None:
        for index, seed in self._late_seeds.items():
            self._next_seed[index] = seed
        self._late_seeds.clear()

    def state_dict(self) -> dict[str, Any]:
        """The emulators' states and what is known of each game: [N, longest] bytes, padded, and their lengths."""
        self._turns.check_idle()
        self._flush_seeds()
        self.pool.order(self.group, SAVE)
        self.pool.wait(self.group)
        length = self.pool.board.saved_length[self._mine].copy()
        saved = self.pool.board.saved[self._mine, : length.max()].copy()
        saved[np.arange(saved.shape[1]) >= length[:, None]] = 0  # what longer states of before have left
        return {"saved": saved, "length": length, "ale_py": _ale_py_version()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from there; the pictures shown last are the caller's to keep.

        Raises:
          UsageError: the state is of another number of games, or of another ale-py.
        """
        saved, length = state["saved"], state["length"]
        if len(length) != self.num_envs:
            raise UsageError(f"the stored state is of {len(length)} games, this run's group has {self.num_envs}")
        if state["ale_py"] != _ale_py_version():
            raise UsageError(
                f"the games were saved by ale-py {state['ale_py']}, and this is {_ale_py_version()}; install that one "
                "to go on with them"
            )
        if saved.shape[1] > (most := self.pool.board.saved.shape[1]):
            raise UsageError(f"a stored state has {saved.shape[1]} bytes, and one of {self.spec.game} at most {most}")
        self._turns.reset()
        self._late_seeds.clear()
        self._next_seed[:] = -1
        self.pool.board.saved[self._mine, : saved.shape[1]] = saved
        self.pool.board.saved_length[self._mine] = length
        self.pool.order(self.group, LOAD)
        self.pool.wait(self.group)

    def close(self) -> None:
        self.pool.close()


def _ale_py_version() -> str:
    from ale_py import __version__

    return str(__version__)
