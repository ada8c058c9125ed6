"""The curves of a run beside those of the learner: schedules, episodes, actions, values of fixed states, the replay.

All is read at points of the log and at evaluations from what the run holds anyway: nothing is counted in the loop but
whole episodes, and nothing here changes what a run computes.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

from atari_dqn import host
from atari_dqn.config import Config
from atari_dqn.dqn import schedules
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.learner import Learner
from atari_dqn.dqn.ports import Evaluation, Histogram, Image, Logger
from atari_dqn.networks.dead_units import dead_units
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.recent import last_actions, oldest_age
from atari_dqn.types import EpisodeScore

RECENT_EPISODES = 20  # finished ones behind "mean return" in logs
HELD_OUT_STATES = 128  # whose values are followed
GIB = 2**30


class Metrics:
    """What is told of a run.

    Args:
      config:       the settings, `device` resolved.
      agent:        acts and learns.
      learner:      learns.
      replay:       what has been played.
      action_names: of the game.
    """

    def __init__(
        self, config: Config, agent: Agent, learner: Learner, replay: FrameReplay, action_names: tuple[str, ...]
    ) -> None:
        self.config, self.agent, self.learner, self.replay = config, agent, learner, replay
        self.action_names = action_names
        self.recent: deque[tuple[float, int]] = deque(maxlen=RECENT_EPISODES)  # (return, length) of finished ones
        self.window: list[float] = []  # returns of the episodes that finished since the last point of the log
        self.logged_at = 0  # agent step of that point
        self.held_out: Tensor | None = None  # [HELD_OUT_STATES, K, ...], states of the warm-up

    @property
    def recent_return(self) -> float | None:
        """Mean raw score of the last finished episodes; None before the first."""
        return float(np.mean([score for score, _ in self.recent])) if self.recent else None

    def tell_episode(self, logger: Logger, step: int, episode: EpisodeScore) -> None:
        """Write an episode that ended at an agent step to the logs, and count it."""
        logger.log(step, {"episode/return": episode.episode_return, "episode/length": float(episode.episode_length)})
        self.recent.append((episode.episode_return, episode.episode_length))
        self.window.append(episode.episode_return)

    def read(self, step: int, episodes: int, *, learning: bool) -> dict[str, float]:
        """A point of the log: means since the last one. The only place that reads learning statistics from the device.

        Args:
          step:     agent steps so far.
          episodes: finished so far.
          learning: is the warm-up over?
        """
        values = {f"train/{name}": value for name, value in schedules.now(self.config, step).items()}
        values["train/episodes"] = float(episodes)
        if self.recent_return is not None:
            values["train/episode_return"] = self.recent_return
            values["train/episode_length"] = float(np.mean([length for _, length in self.recent]))
        if self.window:
            values["train/window_return"] = float(np.mean(self.window))
            self.window.clear()
        steps, self.logged_at = max(1, step - self.logged_at), step
        values["time/updates_per_step"] = self.learner.stats_count / steps
        values |= {f"train/{name}": mean for name, mean in self.learner.read().items()}  # waits for the device
        if learning:
            values |= self._held_out_values()
        values |= self._action_shares(steps)
        return values | self._memory(step)

    def _held_out_values(self) -> dict[str, float]:
        """Mean over fixed states of the best action's value; the states are drawn when it is first asked for.

        Source: Mnih et al. 2015, figure 2c and d: a held-out set of states, from play before learning.
        """
        self.agent.algorithm.chance.silence(self.agent.algorithm.model)
        if self.held_out is None:
            if not len(self.replay):
                return {}
            rows = self.replay.learnable.all()
            evenly = rows[np.linspace(0, len(rows) - 1, HELD_OUT_STATES).astype(np.int64)]
            drawn = (tensor.to(self.replay.device) for tensor in self.replay.index_batch(evenly))
            self.held_out = self.replay.gather(*drawn).obs
        return {"train/q_held_out": self.agent.algorithm.predict(self.held_out).amax(dim=1).mean().item()}

    def _action_shares(self, steps: int) -> dict[str, float]:
        """How often each action was played in the last `steps` agent steps, random ones included."""
        count = np.bincount(last_actions(self.replay, steps), minlength=len(self.action_names))
        if not count.any():
            return {}
        return {f"actions/{name}": n / count.sum() for name, n in zip(self.action_names, count.tolist(), strict=True)}

    def _memory(self, step: int) -> dict[str, float]:
        values = {"replay/transitions": float(len(self.replay)), "machine/memory_gib": host.used_memory() / GIB}
        if len(self.replay):
            values["replay/oldest_age"] = float(oldest_age(self.replay, schedules.replay_window(self.config, step)))
        if self.config.machine.device.startswith("cuda"):
            values["machine/gpu_memory_gib"] = torch.cuda.memory_allocated(self.config.machine.device) / GIB
        return values

    def of_evaluation(self, result: Evaluation, best_score: float) -> dict[str, float]:
        """The point of an evaluation; `best_score` is the best mean so far, this one's included."""
        values = {
            "eval/episode_return": result.mean,
            "eval/episode_return_std": result.std,
            "eval/episode_return_min": result.min,
            "eval/episode_return_max": result.max,
            "eval/episode_return_best": best_score,
            "eval/episode_length": result.mean_length,
            "eval/human_normalized": result.human_normalized,
        }
        if self.held_out is not None:
            dead = dead_units(self.agent.algorithm.model, self.held_out)
            values |= {f"network/dead_units/{name}": share for name, share in dead.items()}
        return {tag: value for tag, value in values.items() if value is not None}

    def tell_evaluation(
        self, logger: Logger, step: int, result: Evaluation, q: np.ndarray, *, best_score: float, best: bool
    ) -> None:
        """Write an evaluation to the logs, with what the network is made of and what it sees.

        Args:
          logger:     writes.
          step:       agent step.
          result:     of the evaluation at this step.
          q:          Q-values of the newest observations of training, any shape.
          best_score: best mean so far, this one's included.
          best:       is it this one?
        """
        logger.log(step, self.of_evaluation(result, best_score))
        logger.evaluation(result, best)
        logger.log(step, {"train/q_values": Histogram(q)})
        for name, parameter in self.agent.algorithm.model.named_parameters():
            _log_finite(logger, step, f"weights/{name}", parameter.detach())
            if parameter.grad is not None:  # our own kernels keep none
                _log_finite(logger, step, f"gradients/{name}", parameter.grad)
        obs = self.replay.latest_obs()
        if obs.dim() == 4:
            logger.log(step, {"observation": Image(np.concatenate(list(obs[0].cpu().numpy()), axis=1))})

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on from."""
        return {
            "recent": [list(episode) for episode in self.recent],
            "window": list(self.window),
            "logged_at": self.logged_at,
            "held_out": self.held_out,
        }

    def load_state_dict(self, state: dict[str, Any], step: int) -> None:
        """Continue from `state_dict` at an agent step; a state of an older version lacks some of it."""
        self.recent.extend((score, length) for score, length in state["recent"])
        self.window.extend(state.get("window", ()))
        self.logged_at = state.get("logged_at", step)
        if (held_out := state.get("held_out")) is not None:
            self.held_out = torch.as_tensor(held_out).to(self.replay.device)


def _log_finite(logger: Logger, step: int, tag: str, values: Tensor) -> None:
    """The distribution of those values that are numbers."""
    finite = values[values.isfinite()]
    if len(finite):
        logger.log(step, {tag: Histogram(finite.float().cpu().numpy())})
