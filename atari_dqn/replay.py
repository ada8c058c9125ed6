"""Replay memory that keeps every frame once, and the only place that builds frame stacks.

Rows are written around a ring, one per environment and vector step:

    time         0    1    2    3    4    5    6
    frame        A    B    C    D    E    F    G      what was seen
    age          0    1    2    3    0    1    2      steps since the game opened (E opens one)
    action       a    b    c    -    e    f    .      what was answered (D is a last frame: its answer was ignored)
    reward       .    .    r    .    .    .    .      what followed (c ended the game with reward r)
    terminated             x
    stack at 5   .    .    E    F                     K = 4: frames before the opening are blank

A row can be learned from when the frame after it belongs to the same game, or when it terminated: D cannot. For n-step
returns it also has to be n rows old. The learnable rows stand in a ring of their own (`learnable_rows.py`), so a draw
is one uniform integer: no rejection, whatever the games do.

Frames may lie on a GPU. Everything else is small (11 bytes a row) and stays on the host, so rows are drawn by the same
generator, and in the same order, wherever the frames are. Reading has two halves: `draw` decides on the host what is
wanted, `transitions` builds it where the learner is. The second half can be captured in a CUDA graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from atari_dqn.cuda_graph import Upload
from atari_dqn.learnable_rows import LearnableRows
from atari_dqn.replay_layout import OLDEST_AGE, ReplayLayout, refuse_other_sizes
from atari_dqn.types import Step, Transitions

ARRAYS = ("action", "reward", "terminated", "age")  # what is known of each row, but its frame
COUNTERS = ("time", "first_time")


class FrameReplay:
    """Uniform replay of the last `capacity` transitions of N environments.

    Args:
      layout:    how many transitions, of what.
      device:    where batches and observations arrive: the learner's.
      frames_on: where frames are kept: `device` (if None) or the host.
    """

    def __init__(
        self,
        layout: ReplayLayout,
        *,
        device: torch.device | str = "cpu",
        frames_on: torch.device | str | None = None,
    ) -> None:
        self.num_envs, self.frame_stack, self.n_step = layout.num_envs, layout.frame_stack, layout.n_step
        self.bootstrap_distance = layout.n_step  # rewards summed, <= n_step; may change between draws
        self.frame_shape = layout.frame_shape
        self.rows_per_env, self.usable_per_env = layout.rows_per_env, layout.usable_per_env
        self.num_rows = layout.rows_per_env * layout.num_envs
        dtype = getattr(torch, layout.frame_dtype)
        # the last row stays blank: it stands in for frames before a game's first
        self.device = torch.device(device)
        self.frames = torch.zeros((self.num_rows + 1, *self.frame_shape), dtype=dtype, device=frames_on or device)
        self.frames.fill_(0)  # touches every page: too little memory shows now, not an hour into the run
        self.frames_are_near = self.frames.device.type == self.device.type  # the learner
        self.upload, self.upload_rows = Upload(self.frames.device), Upload(self.frames.device)
        self.newest_stacks = torch.zeros(
            (self.num_envs, self.frame_stack), dtype=torch.int64, device=frames_on or device
        )
        self.blank_row = self.num_rows
        self.action = np.zeros(self.num_rows, np.uint8)
        self.reward = np.zeros(self.num_rows, np.float32)
        self.terminated = np.zeros(self.num_rows, bool)
        self.age = np.zeros(self.num_rows, np.uint8)
        self.learnable = LearnableRows(self.usable_per_env * self.num_envs, self.rows_per_env)
        self.time = -1  # vector steps written so far, minus one; -1 means empty
        self.first_time = 0  # rows before this time lack what followed them (see `continue_from`)

    def __len__(self) -> int:
        """Transitions that can be drawn now."""
        return len(self.learnable)

    # --- writing

    def start(self, step: Step) -> None:
        """Write the first frames. Later ones come through `add`."""
        assert self.time == -1, "start() is for an empty replay"
        self._write_frames(step)

    def add(self, action: np.ndarray, step: Step) -> None:
        """Store what was answered to the newest frames, and what followed.

        Args:
          action: [N] int, in [0, 256).
          step:   what the environments returned; its frames become the newest rows.
        """
        rows = self._rows_at(self.time)
        self.action[rows] = action
        self.reward[rows] = step.reward
        self.terminated[rows] = step.terminated
        self._write_frames(step)

    def _write_frames(self, step: Step) -> None:
        previous, self.time = self.time, self.time + 1
        rows = self._rows_at(self.time)
        self.upload(torch.from_numpy(step.frame), self.frames[rows])
        if previous < 0:
            self.age[rows] = 0
        else:
            older = self.age[self._rows_at(previous)]
            self.age[rows] = np.where(step.started, 0, np.minimum(older, OLDEST_AGE - 1) + 1)
        self._drop_overwritten()
        self._admit(self.time - self.n_step)

    def _drop_overwritten(self) -> None:
        """Forget learnable rows whose stack reaches into the frames just overwritten."""
        expired = self.time - self.n_step - self.usable_per_env
        if expired >= 0:
            self.learnable.drop(expired % self.rows_per_env)

    def _admit(self, time: int) -> None:
        """Make the rows written at `time` learnable, now that the n rows after them exist."""
        if time < self.first_time:
            return
        written = self._rows_at(time)
        rows = np.arange(written.start, written.stop)
        self.learnable.admit(time % self.rows_per_env, rows[~self._is_dead(rows)])

    def _is_dead(self, rows: np.ndarray) -> np.ndarray:
        """The next frame opens another game, though this row did not terminate: nothing true follows it."""
        return (self.age[self._after(rows, 1)] == 0) & ~self.terminated[rows]

    # --- reading

    def latest_obs(self) -> Tensor:
        """Newest observation of every environment, [N, K, *frame_shape], on the learner's device."""
        newest = self._rows_at(self.time)
        rows = torch.from_numpy(self._stack_rows(np.arange(newest.start, newest.stop)))
        self.upload_rows(rows, self.newest_stacks)
        return self._gather(self.newest_stacks).to(self.device)

    def sample(self, batch_size: int, generator: np.random.Generator) -> Transitions:
        """Draw `batch_size` transitions uniformly, with replacement: both halves at once.

        Raises:
          ValueError: nothing can be drawn yet.
        """
        return self.transitions(*(tensor.to(self.device) for tensor in self.draw(batch_size, generator)))

    def draw(self, count: int, generator: np.random.Generator) -> tuple[Tensor, ...]:
        """The host's half of `sample`: tensors that `transitions` wants on the learner's device.

        Raises:
          ValueError: nothing can be drawn yet.
        """
        return self.described(self.learnable.random(count, generator))

    def described(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        """What `transitions` wants for those that begin at `rows` ([B] int64, learnable)."""
        lines = torch.from_numpy(self._lines(rows))
        return (lines,) if self.frames_are_near else tuple(self._build(lines))

    def transitions(self, *drawn: Tensor) -> Transitions:
        """The learner's half of `sample`: [B] transitions from what `draw` gave. Never waits for the device."""
        return self._build(*drawn) if self.frames_are_near else Transitions(*drawn)

    def _lines(self, rows: np.ndarray) -> np.ndarray:
        """All that is known of the transitions but their pixels: [B] -> [B, 2 K + 3 + n] int32, one copy to a GPU.

        Columns: K rows of obs, K rows of next_obs, action, num_steps, terminated, the bits of n float32 rewards.
        """
        reward = np.zeros((len(rows), self.n_step), np.float32)
        num_steps = np.zeros(len(rows), np.int64)
        terminated = np.zeros(len(rows), bool)
        going = np.ones(len(rows), bool)
        current = rows
        for i in range(self.bootstrap_distance):
            if i:  # a game cut by the time limit ends at a dead row: bootstrap from its frame
                going &= ~terminated & ~self._is_dead(current)
            reward[:, i] = np.where(going, self.reward[current], 0.0)
            num_steps += going
            terminated |= going & self.terminated[current]
            current = self._after(current, 1)
        next_rows = (rows + num_steps * self.num_envs) % self.num_rows
        facts = np.stack([self.action[rows], num_steps, terminated], axis=1)
        columns = [self._stack_rows(rows), self._stack_rows(next_rows), facts]
        return np.concatenate([*(part.astype(np.int32) for part in columns), reward.view(np.int32)], axis=1)

    def _build(self, lines: Tensor) -> Transitions:
        """The columns of `_lines` on the frames' device, and their pixels."""
        obs, next_obs, facts, reward = lines.split([self.frame_stack, self.frame_stack, 3, self.n_step], dim=1)  # type: ignore[no-untyped-call]
        action, num_steps, terminated = facts.unbind(1)
        return Transitions(
            obs=self._gather(obs),
            action=action.long(),
            reward=reward.contiguous().view(torch.float32),
            num_steps=num_steps.long(),
            terminated=terminated.bool(),
            next_obs=self._gather(next_obs),
        )

    def _stack_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the K frames that end at `rows`, oldest first, blank before the opening: [B] -> [B, K]."""
        back = np.arange(self.frame_stack - 1, -1, -1)
        planes = (rows[:, None] - back * self.num_envs) % self.num_rows
        return np.where(back <= self.age[rows, None], planes, self.blank_row)

    def _gather(self, stack_rows: Tensor) -> Tensor:
        """[B, K] row numbers on the frames' device -> [B, K, *frame_shape] there."""
        return self.frames.index_select(0, stack_rows.flatten()).view(*stack_rows.shape, *self.frame_shape)

    def _rows_at(self, time: int) -> slice:
        first = time % self.rows_per_env * self.num_envs
        return slice(first, first + self.num_envs)

    def _after(self, rows: np.ndarray, steps: int) -> np.ndarray:
        return (rows + steps * self.num_envs) % self.num_rows

    # --- state

    @property
    def times(self) -> tuple[int, int]:
        """Oldest and newest vector step whose frames are in the ring."""
        return max(0, self.time - self.rows_per_env + 1), self.time

    def block_shape(self, count: int) -> tuple[int, ...]:
        """Shape of the frames of `count` vector steps, [T, N, *frame_shape]."""
        return (count, self.num_envs, *self.frame_shape)

    def frames_at(self, time: int, count: int) -> Tensor:
        """Frames of `count` vector steps from `time`, [T, N, *frame_shape] on the host; they lie before the wrap."""
        first = time % self.rows_per_env * self.num_envs
        return self.frames[first : first + count * self.num_envs].cpu().view(self.block_shape(count))

    def put_frames(self, time: int, frames: Tensor) -> None:
        """The other way round."""
        first = time % self.rows_per_env * self.num_envs
        self.frames[first : first + len(frames) * self.num_envs].copy_(frames.flatten(0, 1))

    def state_dict(self) -> dict[str, Any]:
        """Everything but the frames, without copies: the arrays are the replay's own."""
        own = {name: getattr(self, name) for name in (*ARRAYS, *COUNTERS)}
        return own | {"learnable": self.learnable.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave, from a replay of the same sizes; the frames come through `put_frames`.

        Raises:
          UsageError: the sizes differ; nothing was changed.
        """
        refuse_other_sizes(self, ARRAYS, state)
        self.learnable.load_state_dict(state["learnable"])
        for name in ARRAYS:
            getattr(self, name)[...] = state[name]
        for name in COUNTERS:
            setattr(self, name, int(state[name]))

    def clear(self) -> None:
        """Empty, as at the start."""
        self.learnable.clear()
        self.time, self.first_time = -1, 0

    def newest_frames(self) -> dict[str, Any]:
        """What is needed to go on acting with an otherwise empty replay: the frames of the current stacks."""
        times = range(max(0, self.time - self.frame_stack + 1), self.time + 1)
        rows = np.concatenate([np.arange(self.num_rows)[self._rows_at(time)] for time in times])
        frames = self.frames[torch.from_numpy(rows).to(self.frames.device)].cpu()
        shape = (len(times), self.num_envs)
        return {
            "frames": frames.view(*shape, *self.frame_shape),
            "age": self.age[rows].reshape(shape),
        }

    def continue_from(self, newest: dict[str, Any]) -> None:
        """Fill an empty replay with `newest_frames`; nothing can be drawn until what follows is added."""
        assert self.time == -1, "continue_from() is for an empty replay"
        frames, age = newest["frames"], newest["age"]
        for self.time in range(len(frames)):
            rows = self._rows_at(self.time)
            self.frames[rows].copy_(frames[self.time])
            self.age[rows] = age[self.time]
        self.first_time = self.time
