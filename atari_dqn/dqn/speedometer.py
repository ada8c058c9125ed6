"""How fast a run goes: rates since the last look."""

from __future__ import annotations

import time


class Speedometer:
    """Rates of a run's counters.

    Args:
      frames_per_step: emulator frames of an agent step.
    """

    def __init__(self, frames_per_step: int) -> None:
        self.frames_per_step = frames_per_step
        self.start(0, 0)

    def start(self, step: int, updates: int) -> None:
        """Measure from here: `step` agent steps and `updates` optimizer steps so far."""
        self._since, self._step, self._updates = time.monotonic(), step, updates

    def leave_out(self, seconds: float) -> None:
        """Time that was spent on something else."""
        self._since += seconds

    def read(self, step: int, updates: int) -> dict[str, float]:
        """Rates since the last reading, for the logger, and the updates per step of the whole run."""
        seconds = max(time.monotonic() - self._since, 1e-9)
        steps_per_second = (step - self._step) / seconds
        updates_per_second = (updates - self._updates) / seconds
        self.start(step, updates)
        return {
            "time/steps_per_second": steps_per_second,
            "time/frames_per_second": steps_per_second * self.frames_per_step,
            "time/updates_per_second": updates_per_second,
            "time/updates_per_step": updates / step,
        }
