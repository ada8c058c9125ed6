"""Groups of environments that take turns: while one group is acted for, the others play.

    group 0   | plays ............ | acted for | plays ............ |
    group 1   ...... | acted for | plays ............ | acted for |

So the emulators' cores do not wait for the network, nor the network for the emulators.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from atari_dqn.types import Step, VecEnv


class EnvsInTurns:
    """G groups of N / G environments behind the protocol: a `send` or `recv` is about one group, in turns.

    Up to G groups may play at once: `send` is for the next group, `recv` waits for the one that was sent first.

    Args:
      groups: of the same game and size, not yet reset.

    Attributes:
      playing: numbers of the groups that play, in the order of their `send`.
    """

    def __init__(self, groups: Sequence[VecEnv]) -> None:
        self.groups = list(groups)
        self.spec = groups[0].spec
        self.num_envs = sum(group.num_envs for group in groups)
        self._begin_with(0)

    def _begin_with(self, turn: int) -> None:
        self._turn = turn  # the group that the next `send` is for
        self.playing: deque[int] = deque()
        self._arrived: deque[Step] = deque()  # received early, for `state_dict`; older than what is playing

    def reset(self, seeds: np.ndarray) -> Step:
        """Start every game afresh; all N at once."""
        self._begin_with(0)
        parts = np.array_split(np.asarray(seeds), len(self.groups))
        steps = [group.reset(part) for group, part in zip(self.groups, parts, strict=True)]
        return Step(*(np.concatenate(arrays) for arrays in zip(*steps, strict=True)))

    def send(self, action: np.ndarray) -> None:
        """Play one agent step of the next group; `action` is [N / G] int64."""
        self.groups[self._turn].send(action)
        self.playing.append(self._turn)
        self._turn = (self._turn + 1) % len(self.groups)

    def recv(self) -> Step:
        """Wait for the step that was sent first, of [N / G] environments."""
        return self._arrived.popleft() if self._arrived else self._receive()

    def _receive(self) -> Step:
        if not self.playing:
            raise RuntimeError("recv() without send(): there is no step under way")
        return self.groups[self.playing.popleft()].recv()

    def seed_next_episode(self, index: int, seed: int) -> None:
        size = self.num_envs // len(self.groups)
        self.groups[index // size].seed_next_episode(index % size, seed)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit. Waits for what plays; `recv` hands it out as ever."""
        while self.playing:
            self._arrived.append(self._receive())
        return {
            "groups": [group.state_dict() for group in self.groups],
            "turn": self._turn,
            "arrived": [step._asdict() for step in self._arrived],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for group, part in zip(self.groups, state["groups"], strict=True):
            group.load_state_dict(part)
        self._begin_with(state["turn"])
        self._arrived.extend(Step(**step) for step in state["arrived"])

    def close(self) -> None:
        for group in self.groups:
            group.close()
