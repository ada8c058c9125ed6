"""Replay memory that keeps every frame once, and the only place that builds frame stacks.

Rows are written around a ring, one per environment and vector step:

    time         0    1    2    3    4    5    6
    frame        A    B    C    D    E    F    G      what was seen
    age          0    1    2    3    0    1    2      steps since the episode opened (E opens one)
    action       a    b    c    -    e    f    .      what was answered (D is a last frame: its answer was ignored)
    reward       .    .    r    .    .    .    .      what followed (c ended the episode with reward r)
    terminated             x
    stack at 5   .    .    E    F                     K = 4: frames before the opening are blank

A row can be learned from when the frame after it belongs to the same episode, or when it terminated: D cannot. For
n-step returns it also has to be n rows old. Where groups of environments take turns, each vector step is written in as
many parts, one at a time, to the same rows. The learnable rows stand in a ring of their own (`index.py`), so a draw
is one uniform integer: no rejection, however long the episodes are.

Frames may lie on a GPU. Everything else is small (11 bytes a row) and stays on the host, so rows are drawn by the same
generator, and in the same order, wherever the frames are. Reading has two halves: `index_batch` says on the host what
is wanted, `gather` builds it where the learner is. The second half can be captured in a CUDA graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from atari_dqn.errors import UsageError
from atari_dqn.replay.frames import FrameRing
from atari_dqn.replay.index import SampleIndex
from atari_dqn.replay.layout import OLDEST_AGE, ReplayLayout, refuse_other_sizes
from atari_dqn.types import Step, Transitions

ROWS_MOST = 2**31 - 1  # they are numbered in 32 bits
ARRAYS = ("action", "reward", "terminated", "age")  # what is known of each row, but its frame


class FrameReplay:
    """Uniform replay of the last `capacity` transitions of N environments.

    Args:
      layout:    how many transitions, of what.
      device:    where batches and observations arrive: the learner's.
      frames_on: where frames are kept: `device` (if None) or the host.

    Source: Mnih et al. 2015, Methods, Preprocessing: the 4 most recent frames are stacked.
    """

    def __init__(
        self,
        layout: ReplayLayout,
        *,
        device: torch.device | str = "cpu",
        frames_on: torch.device | str | None = None,
    ) -> None:
        if (rows := layout.rows_per_env * layout.num_envs) > ROWS_MOST:
            raise UsageError(f"a replay of {rows:,} rows is too large, at most {ROWS_MOST:,}; lower capacity")
        self.device = torch.device(device)
        self.ring = FrameRing(layout, frames_on or device)
        self.frames_are_near = self.ring.device.type == self.device.type  # the learner
        self.groups, self.frame_stack, self.max_n_step = layout.groups, layout.frame_stack, layout.n_step
        self.repeat_first_frame = layout.repeat_first_frame
        self.n_step = layout.n_step  # rewards summed, <= max_n_step; may change between draws
        self.usable_per_env = layout.usable_per_env
        self.action = np.zeros(self.ring.num_rows, np.uint8)
        self.reward = np.zeros(self.ring.num_rows, np.float32)
        self.terminated = np.zeros(self.ring.num_rows, bool)
        self.age = np.zeros(self.ring.num_rows, np.uint8)
        self.learnable = SampleIndex(self.usable_per_env * layout.num_envs, self.ring.num_times)
        self.first_time = 0  # rows before this time lack what followed them (see `recent.continue_from`)

    def __len__(self) -> int:
        """Transitions that can be drawn now."""
        return len(self.learnable)

    @property
    def is_empty(self) -> bool:
        """Has nothing been written yet, not even first frames?"""
        return self.ring.time < 0

    # --- writing

    def start(self, step: Step) -> None:
        """Write the first frames, of all N environments. Later ones come through `add`."""
        assert self.is_empty, "start() is for an empty replay"
        for frames in torch.from_numpy(step.frame).chunk(self.groups):
            self.ring.append(frames)
            self.age[self.ring.rows_at(self.ring.time)] = 0

    def add(self, action: np.ndarray, step: Step) -> None:
        """Store what was answered to the newest frames of the group whose turn it is, and what followed.

        Args:
          action: [N / groups] int, in [0, 256).
          step:   what the environments returned; its frames become the newest rows.
        """
        answered = self.ring.rows_at(self.ring.time + 1 - self.groups)
        self.action[answered] = action
        self.reward[answered] = step.reward
        self.terminated[answered] = step.terminated
        self.ring.append(torch.from_numpy(step.frame))
        time = self.ring.time
        older = np.minimum(self.age[answered], OLDEST_AGE - 1)
        self.age[self.ring.rows_at(time)] = np.where(step.started, 0, older + 1)
        self._evict_overwritten()
        self._append(time - self.max_n_step * self.groups)

    def _evict_overwritten(self) -> None:
        """Forget learnable rows whose stack reaches into the frames just overwritten."""
        expired = self.ring.time - (self.max_n_step + self.usable_per_env) * self.groups
        if expired >= 0:
            self.learnable.evict(expired % self.ring.num_times)

    def _append(self, time: int) -> None:
        """Make the rows written at `time` learnable, now that the n rows after them exist."""
        if time < self.first_time:
            return
        rows = self._numbers(time)
        self.learnable.append(time % self.ring.num_times, rows[~self._is_dead(rows)])

    def _is_dead(self, rows: np.ndarray) -> np.ndarray:
        """The next frame opens another episode, though this row did not terminate: nothing true follows it."""
        return (self.age[self.ring.window(rows, 0, 1)[:, 1]] == 0) & ~self.terminated[rows]

    # --- reading

    def latest_obs(self, back: int = 0) -> Tensor:
        """Newest observations, [N / groups, K, *frame_shape], on the learner's device.

        Args:
          back: 0 for the group written last, 1 for the one before it, and so on; below `groups`.
        """
        return self.observations(self.newest(back).to(self.device))

    def newest(self, back: int = 0) -> Tensor:
        """The host's half of `latest_obs`: [N / groups, K] rows, or the frames where they lie on the host."""
        rows = torch.from_numpy(self._stack_rows(self._numbers(self.ring.time - back)))
        return rows if self.frames_are_near else self.ring.gather(rows)

    def observations(self, newest: Tensor) -> Tensor:
        """The learner's half of `latest_obs`, from what `newest` gave. Never waits for the device."""
        return self.ring.gather(newest) if self.frames_are_near else newest

    def sample(self, batch_size: int, generator: np.random.Generator) -> Transitions:
        """Draw `batch_size` transitions uniformly, with replacement: both halves at once.

        Raises:
          ValueError: nothing can be drawn yet.
        """
        drawn = self.index_batch(self.learnable.random(batch_size, generator))
        return self.gather(*(tensor.to(self.device) for tensor in drawn))

    def index_batch(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        """What `gather` wants for those that begin at `rows` ([B] int64, learnable)."""
        lines = torch.from_numpy(self._lines(rows))
        return (lines,) if self.frames_are_near else tuple(self._build(lines))

    def gather(self, *drawn: Tensor) -> Transitions:
        """The learner's half of `sample`: [B] transitions from what `index_batch` gave. Never waits for the device."""
        return self._build(*drawn) if self.frames_are_near else Transitions(*drawn)

    def _lines(self, rows: np.ndarray) -> np.ndarray:
        """All that is known of the transitions but their pixels: [B] -> [B, 2 K + 3 + n] int32, one copy to a GPU.

        Columns: K rows of obs, K rows of next_obs, action, num_steps, terminated, the bits of n float32 rewards.
        """
        stack, distance = self.frame_stack, self.n_step
        window = self.ring.window(rows, stack - 1, distance)
        onward = window[:, stack - 1 :]  # the row, and those that follow it
        age, terminated = self.age.take(onward), self.terminated.take(onward[:, :-1])
        going = self._going(age, terminated)
        num_steps = going.sum(axis=1)
        if distance == 1:
            following, following_age = window[:, 1:], age[:, 1]
        else:
            each = np.arange(len(rows))
            following = window[each[:, None], num_steps[:, None] + np.arange(stack)]
            following_age = age[each, num_steps]
        lines = np.zeros((len(rows), 2 * stack + 3 + self.max_n_step), np.int32)
        lines[:, :stack] = self._stacks(window[:, :stack], age[:, 0])
        lines[:, stack : 2 * stack] = self._stacks(following, following_age)
        lines[:, 2 * stack] = self.action.take(rows)
        lines[:, 2 * stack + 1] = num_steps
        lines[:, 2 * stack + 2] = (going & terminated).any(axis=1)
        rewards = lines[:, 2 * stack + 3 :][:, :distance].view(np.float32)
        np.copyto(rewards, self.reward.take(onward[:, :-1]), where=going)
        return lines

    def _going(self, age: np.ndarray, terminated: np.ndarray) -> np.ndarray:
        """Which of n rewards are part of a sum: [B, n + 1] ages of a row and those after it, [B, n] -> [B, n] bool."""
        going = np.ones(terminated.shape, bool)
        # an episode cut by the time limit ends at a dead row (see `_is_dead`): bootstrap from its frame
        going[:, 1:] = ~terminated[:, :-1] & ((age[:, 2:] > 0) | terminated[:, 1:])
        return np.logical_and.accumulate(going, axis=1, out=going)

    def _build(self, lines: Tensor) -> Transitions:
        """The columns of `_lines` on the frames' device, and their pixels."""
        obs, next_obs, facts, reward = lines.split([self.frame_stack, self.frame_stack, 3, self.max_n_step], dim=1)
        action, num_steps, terminated = facts.unbind(1)
        return Transitions(
            obs=self.ring.gather(obs),
            action=action.long(),
            reward=reward.contiguous().view(torch.float32),
            num_steps=num_steps.long(),
            terminated=terminated.bool(),
            next_obs=self.ring.gather(next_obs),
        )

    def _stack_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the K frames that end at `rows`, oldest first, blank or the first before it: [B] -> [B, K]."""
        return self._stacks(self.ring.window(rows, self.frame_stack - 1, 0), self.age[rows])

    def _stacks(self, planes: np.ndarray, age: np.ndarray) -> np.ndarray:
        """`planes` ([B, K] rows, oldest first) of an episode, blank or the first before it; the newest has this age."""
        back = np.arange(self.frame_stack - 1, -1, -1)
        if self.repeat_first_frame:
            return np.take_along_axis(planes, back[0] - np.minimum(back, age[:, None]), axis=1)
        return np.where(back <= age[:, None], planes, self.ring.blank_row)

    def _numbers(self, time: int) -> np.ndarray:
        """Rows written at a time, [N / groups] int64."""
        rows = self.ring.rows_at(time)
        return np.arange(rows.start, rows.stop)

    # --- state

    def state_dict(self) -> dict[str, Any]:
        """Everything but the frames, without copies: the arrays are the replay's own."""
        own = {name: getattr(self, name) for name in ARRAYS}
        counters = {"time": self.ring.time, "first_time": self.first_time}
        return own | counters | {"learnable": self.learnable.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, from a replay of the same sizes; the frames come through `ring.write`.

        Raises:
          UsageError: the sizes differ; nothing was changed.
        """
        refuse_other_sizes(self, ARRAYS, state)
        self.learnable.load_state_dict(state["learnable"])
        for name in ARRAYS:
            getattr(self, name)[...] = state[name]
        self.ring.time, self.first_time = int(state["time"]), int(state["first_time"])

    def clear(self) -> None:
        """Empty, as at the start."""
        self.learnable.clear()
        self.ring.clear()
        self.first_time = 0
