"""The learning half of the training loop: which updates are due, their minibatches, and what is known of them since.

What the learner does between two copies of the target network is one body, on a GPU one CUDA graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from atari_dqn.config import Config
from atari_dqn.cuda_graph import captured
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.optim import set_learning_rate
from atari_dqn.dqn.schedules import bootstrap_distance, learning_plan, preference, replay_window, step_size
from atari_dqn.extensions.priorities import CANDIDATES, Priorities
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.seeding import stream
from atari_dqn.types import LearnStats

# Updates whose minibatches are built together: few enough for the caches of a CPU, many for one launch on a GPU.
UPDATES_AT_ONCE = {"cpu": 4, "cuda": 64}
CATCH_UP = 128  # updates between two looks at whether the run is to end: a few seconds of a CPU


class Learner:
    """Minibatches for an agent from a replay.

    Args:
      config: the settings, `device` resolved.
      agent:  learns.
      replay: what has been played; minibatches arrive on its device.
    """

    def __init__(self, config: Config, agent: Agent, replay: FrameReplay) -> None:
        self.config, self.agent, self.replay = config, agent, replay
        self.generator = np.random.default_rng(stream(config.seed, "replay"))
        self.updates = 0  # optimizer steps done
        self.owed = 0  # of them, those that a new network is to do before play goes on
        self.stats_sum = torch.zeros(len(LearnStats._fields), device=replay.device)  # over the updates since `read`
        self.stats_count = 0
        self.priorities: Priorities | None = None
        if config.priority_exponent > 0.0:
            self.priorities = Priorities(
                replay.ring.num_rows,
                replay.device,
                correction=config.priority_correction,
            )
        self.record()

    def record(self) -> None:
        """Begin a new CUDA graph: tensors of the agent lie elsewhere than at the last one."""
        body = self._learn_from_chosen if self.priorities else self._learn_from
        self.learn_from = captured(body, self.replay.device, record=self.config.cuda_graph)

    def close(self) -> None:
        """Let go of the CUDA graph, and of the circle that its function makes with this object."""
        del self.learn_from

    def learn_what_is_due(self, step: int, learning_starts: int) -> None:
        """The updates and target copies that the vector step from `step` owes, in the order of the serial algorithm.

        Args:
          step:            agent steps before it.
          learning_starts: nothing is due at or before this one.
        """
        config = self.config
        self._follow_schedules(step)
        if config.game_end_updates:
            return  # nothing is due within a game
        self._learn_between(step, step + config.envs_at_once, step, learning_starts)
        for number, reset_step in enumerate(config.reset_steps):
            if step < reset_step <= step + config.envs_at_once:
                self._start_anew(number)

    def _learn_between(self, before: int, after: int, step: int, learning_starts: int) -> None:
        """The updates and target copies of the agent steps in (before, after], all of them at `step` of the run."""
        plan = learning_plan(
            before,
            after,
            learning_starts=learning_starts,
            update_period=self.config.update_period,
            target_period=self.config.target_update_period,
        )
        for updates, sync in plan:
            self.learn(step, updates, sync)

    def _follow_schedules(self, step: int) -> None:
        if self.config.learning_rate_end_ratio < 1.0:
            set_learning_rate(self.agent.algorithm.optimizer, step_size(self.config, step))
        self.replay.bootstrap_distance = bootstrap_distance(self.config, step)

    def _start_anew(self, number: int) -> None:
        """Draw the network again, for the `number`-th time (from 0), and owe it updates; see `catch_up`."""
        seed = stream(self.config.seed, "init").generate_state(number + 2)[-1]  # the first was the run's
        self.agent.algorithm.start_anew(torch.Generator().manual_seed(int(seed)))
        self.owed = self.config.reset_updates

    def catch_up(self, step: int) -> None:
        """Some of the updates that are owed, and their target copies, as if the run had begun with them."""
        self._follow_schedules(step)
        period, done = self.config.update_period, self.config.reset_updates - self.owed
        updates = min(self.owed, CATCH_UP)
        self._learn_between(done * period, (done + updates) * period, step, learning_starts=0)
        self.owed -= updates

    def learn(self, step: int, updates: int, sync: bool) -> None:
        """Optimizer steps, each on its minibatch of one draw, then a copy of the target network if `sync`."""
        if self.config.center_pixels and not self.updates:  # the warm-up is over
            self.agent.center_pixels(self.replay.ring.mean_frame())
        per_update = self.config.batch_size * (CANDIDATES if self.priorities else 1)
        count, at_once = updates * per_update, UPDATES_AT_ONCE[self.replay.device.type] * per_update
        if self.config.replay:
            rows = self.replay.learnable.random(count, self.generator, among=replay_window(self.config, step))
        else:
            rows = self.replay.learnable.newest(count)
        inputs: list[Tensor] = []
        if self.priorities:
            self.priorities.exponent.fill_(preference(self.config, step))
            self.priorities.forget_overwritten(self.replay.ring)
            inputs.append(torch.from_numpy(self.generator.gumbel(size=count).astype(np.float32)))
        for first in range(0, count, at_once):
            part = slice(first, first + at_once)
            self.learn_from(*self.replay.described(rows[part]), *(values[part] for values in inputs))
        self.stats_count += updates
        self.updates += updates
        if sync:
            self.agent.sync_target()

    def _learn_from(self, *drawn: Tensor) -> None:
        """Updates on the minibatches that `FrameReplay.described` drew."""
        batch = self.replay.transitions(*drawn)
        updates = len(batch.action) // self.config.batch_size
        self.stats_sum += torch.stack(self.agent.learn(batch, updates)) * updates

    def _learn_from_chosen(self, lines: Tensor, noise: Tensor) -> None:
        """Updates on some of the transitions described by `lines`, see `Priorities.choose`."""
        assert self.priorities is not None
        rows = self.replay.rows_of(lines)
        updates = len(rows) // (CANDIDATES * self.config.batch_size)
        places, weights = self.priorities.choose(rows, noise, updates)
        stats = self.agent.learn(self.replay.transitions(lines[places]), updates, weights)
        self.priorities.learned(rows[places], self.agent.algorithm.errors)
        self.stats_sum += torch.stack(stats) * updates

    def read(self) -> dict[str, float]:
        """Means of `LearnStats` over the updates since the last call, none if there were none. Waits for the device."""
        if not self.stats_count:
            return {}
        means = (self.stats_sum / self.stats_count).tolist()
        self.stats_sum.zero_()
        self.stats_count = 0
        return dict(zip(LearnStats._fields, means, strict=True)) | {
            f"rmsprop_denominator/{name}": mean.item() for name, mean in self.agent.denominators().items()
        }

    def state_dict(self) -> dict[str, Any]:
        """All but the agent and the replay."""
        priorities = {"priorities": self.priorities.state_dict()} if self.priorities else {}
        return priorities | {
            "generator": self.generator.bit_generator.state,
            "updates": self.updates,
            "owed": self.owed,
            "stats_sum": self.stats_sum,
            "stats_count": self.stats_count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, with an agent whose state was loaded before."""
        self.generator.bit_generator.state = state["generator"]
        self.updates, self.stats_count = state["updates"], state["stats_count"]
        self.owed = state.get("owed", 0)  # older checkpoints know of none
        self.stats_sum.copy_(state["stats_sum"])
        if self.priorities and not self.replay.is_empty:  # an empty replay gets new transitions, and new priorities
            self.priorities.load_state_dict(state["priorities"])
        self.record()
