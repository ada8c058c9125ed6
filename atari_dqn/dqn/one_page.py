"""Deep Q-learning on one page: Algorithm 1 of Mnih et al. 2015, for one environment, playing and learning in turns.

Slow and plain. `trainer.py` does the same for many environments; a test (`tests/test_one_page.py`) holds both to
equal weights, bit for bit. Not here: everything that is not in the paper, and logs, evaluations and checkpoints.
"""

from __future__ import annotations

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn import schedules
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.algorithm import DQN
from atari_dqn.dqn.losses import bootstrap_value, clip_reward, clipped_loss, td_error
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.seeding import first_seeds, stream
from atari_dqn.types import Transitions, VecEnv


def train(config: Config, envs: VecEnv, agent: Agent, replay: FrameReplay) -> None:
    """Play `config.total_steps` agent steps in one environment, and learn from a replay memory, empty at first."""
    minibatches = np.random.default_rng(stream(config.seed, "replay"))
    replay.start(envs.reset(first_seeds(config.seed, 1)))
    for step in range(1, config.total_steps + 1):
        epsilon = schedules.epsilon(config, step - 1)  # 1, then in a straight line to 0.1
        action = agent.sample(replay.latest_obs(), epsilon)  # random with probability epsilon, else the best
        envs.send(action)
        replay.add(action, envs.recv())
        if step <= config.replay.learning_starts:
            continue
        if step % config.algorithm.update_period == 0:
            update(agent.algorithm, replay.sample(config.replay.batch_size, minibatches))
        if step % config.algorithm.target_update_period == 0:
            agent.sync_target()


def update(dqn: DQN, batch: Transitions) -> None:
    """One gradient step on a minibatch: y = r + gamma * max_a' Q_target(s', a'), y = r where the episode is over."""
    reward = clip_reward(batch.reward[:, 0])
    bootstrap = bootstrap_value(dqn.target(batch.next_obs))
    error = td_error(dqn.model(batch.obs), batch.action, reward, batch.terminated, bootstrap, dqn.gamma)
    dqn.optimizer.zero_grad()
    clipped_loss(error).sum().backward()
    dqn.optimizer.step()
