"""Which rows of a replay can be learned from: row numbers in the order of writing, around a ring.

A draw is one uniform integer between the oldest and the newest of them. They come and go together: those written at
one time are appended at once, and evicted at once when their position in the replay is about to be overwritten.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from atari_dqn.replay.layout import refuse_other_sizes

ARRAYS = ("ring", "admitted")
COUNTERS = ("first", "end")


class SampleIndex:
    """The learnable rows of a replay.

    Args:
      capacity:  most rows that are learnable at once.
      positions: times that fit in the replay.
    """

    def __init__(self, capacity: int, positions: int) -> None:
        self.ring = np.zeros(capacity, np.int32)
        self.admitted = np.zeros(positions, np.int32)  # how many came from each position
        self.first, self.end = 0, 0  # rows ever evicted, ever appended

    def __len__(self) -> int:
        return self.end - self.first

    def append(self, position: int, rows: np.ndarray) -> None:
        """`rows` ([<= N] int64), written at `position`, can be learned from now."""
        self.ring[(self.end + np.arange(len(rows))) % len(self.ring)] = rows
        self.admitted[position] = len(rows)
        self.end += len(rows)

    def evict(self, position: int) -> None:
        """Forget the oldest rows, which were written at `position`."""
        self.first += int(self.admitted[position])
        self.admitted[position] = 0

    def clear(self) -> None:
        """Forget all."""
        self.first = self.end = 0
        self.admitted[:] = 0

    def random(self, count: int, generator: np.random.Generator, *, among: int | None = None) -> np.ndarray:
        """Rows drawn uniformly, with replacement, from the newest `among` or from all: [count] int64.

        Raises:
          ValueError: there is none yet.
        """
        self._refuse_if_empty()
        first = self.first if among is None else max(self.first, self.end - among)
        return self._at(generator.integers(first, self.end, size=count))

    def newest(self, count: int) -> np.ndarray:
        """The rows written last: [count] int64.

        Oldest first, those of one vector step in the order of the environments; if there are fewer, again and again.

        Raises:
          ValueError: there is none yet.
        """
        self._refuse_if_empty()
        return self._at(self.first + (np.arange(-count, 0) + len(self)) % len(self))

    def oldest(self, among: int | None = None) -> int:
        """The row that was written first of the newest `among`, or of all.

        Raises:
          ValueError: there is none yet.
        """
        self._refuse_if_empty()
        first = self.first if among is None else max(self.first, self.end - among)
        return int(self._at(np.array(first)))

    def all(self) -> np.ndarray:
        """Every row once, oldest first: [len(self)] int64."""
        return self._at(np.arange(self.first, self.end))

    def _at(self, places: np.ndarray) -> np.ndarray:
        return self.ring[places % len(self.ring)].astype(np.int64)

    def _refuse_if_empty(self) -> None:
        if len(self) == 0:
            raise ValueError("the replay holds no transition yet")

    def state_dict(self) -> dict[str, Any]:
        """All of it, without copies."""
        return {name: getattr(self, name) for name in (*ARRAYS, *COUNTERS)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
          UsageError: it is of another size; nothing was changed.
        """
        refuse_other_sizes(self, ARRAYS, state)
        for name in ARRAYS:
            getattr(self, name)[...] = state[name]
        for name in COUNTERS:
            setattr(self, name, int(state[name]))
