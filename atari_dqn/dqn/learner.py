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
from atari_dqn.dqn import parts, schedules
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.optim import named_denominators, set_learning_rate
from atari_dqn.dqn.schedules import learning_plan
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.seeding import stream
from atari_dqn.types import LearnStats


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
        self.sampler = parts.make_sampler(config, replay, self.generator)
        self.reset = parts.make_reset(config, agent.algorithm)
        self.before_learning = parts.make_before_learning(config, agent.algorithm, replay)
        self.stats_sum = torch.zeros(len(LearnStats._fields), device=replay.device)  # over the updates since `read`
        self.stats_count = 0
        self.record()

    def record(self) -> None:
        """Begin a new CUDA graph: tensors of the agent lie elsewhere than at the last one."""
        drawn_from = self.agent.algorithm.chance.generators
        self.learn_from = captured(
            self._learn_from, self.replay.device, record=self.config.machine.cuda_graph, generators=drawn_from
        )

    def close(self) -> None:
        """Let go of the CUDA graph, and of the circle that its function makes with this object."""
        del self.learn_from

    def learn_what_is_due(self, step: int, learning_starts: int | None) -> None:
        """The updates and target copies that the vector step from `step` owes, in the order of the serial algorithm.

        Args:
          step:            agent steps before it.
          learning_starts: nothing is due at or before this one; None: not yet known, so nothing is due.
        """
        config = self.config
        self._follow_schedules(step)
        if config.algorithm.game_end_updates:
            return  # nothing is due within an episode
        if learning_starts is not None:
            self._learn_between(step, step + config.envs_at_once, step, learning_starts)
        self.reset.reset_if_due(step, step + config.envs_at_once)

    def _learn_between(self, before: int, after: int, step: int, learning_starts: int) -> None:
        """The updates and target copies of the agent steps in (before, after], all of them at `step` of the run."""
        plan = learning_plan(
            before,
            after,
            learning_starts=learning_starts,
            update_period=self.config.algorithm.update_period,
            target_period=self.config.algorithm.target_update_period,
        )
        for updates, sync in plan:
            self.learn(step, updates, sync)

    def _follow_schedules(self, step: int) -> None:
        if self.config.optimizer.learning_rate_end_ratio < 1.0:
            set_learning_rate(self.agent.algorithm.optimizer, schedules.learning_rate(self.config, step))
        self.replay.n_step = schedules.n_step(self.config, step)

    def learn_after_reset(self, step: int) -> None:
        """Some of the pending updates after a reset, and their target copies, as if the run began with them."""
        self._follow_schedules(step)
        self._learn_between(*self.reset.next_piece(), step, learning_starts=0)

    def learn(self, step: int, updates: int, sync: bool) -> None:
        """Optimizer steps, each on its minibatch of one draw, then a copy of the target network if `sync`."""
        if not self.updates:  # the warm-up is over
            self.before_learning()
        for drawn in self.sampler.draw(updates, step):
            self.learn_from(*drawn)
        self.stats_count += updates
        self.updates += updates
        if sync:
            self.agent.sync_target()

    def _learn_from(self, *drawn: Tensor) -> None:
        """Updates on minibatches that the sampler drew."""
        batch, weights = self.sampler.batch(*drawn)
        updates = len(batch.action) // self.config.replay.batch_size
        stats = self.agent.learn(batch, updates, weights)
        self.sampler.update(self.agent.algorithm.surprise)
        self.stats_sum += torch.stack(stats) * updates

    def read(self) -> dict[str, float]:
        """Means of `LearnStats` over the updates since the last call, none if there were none. Waits for the device."""
        if not self.stats_count:
            return {}
        means = (self.stats_sum / self.stats_count).tolist()
        self.stats_sum.zero_()
        self.stats_count = 0
        algorithm = self.agent.algorithm
        divided_by = named_denominators(algorithm.model, algorithm.optimizer)
        return dict(zip(LearnStats._fields, means, strict=True)) | {
            f"rmsprop_denominator/{name}": mean.item() for name, mean in divided_by.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """All but the agent and the replay."""
        sampler = self.sampler.state_dict()
        return ({"priorities": sampler} if sampler else {}) | {
            "generator": self.generator.bit_generator.state,
            "updates": self.updates,
            "owed": self.reset.pending_updates,
            "stats_sum": self.stats_sum,
            "stats_count": self.stats_count,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`, with an agent whose state was loaded before."""
        self.generator.bit_generator.state = state["generator"]
        self.updates, self.stats_count = state["updates"], state["stats_count"]
        self.reset.pending_updates = state.get("owed", 0)  # older checkpoints know of none
        self.stats_sum.copy_(state["stats_sum"])
        if "priorities" in state and not self.replay.is_empty:  # an empty one gets new transitions, and priorities
            self.sampler.load_state_dict(state["priorities"])
        self.record()
