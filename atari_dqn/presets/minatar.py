"""MinAtar: games of Atari in small, seen as they are, by a network of their size."""

from __future__ import annotations

from atari_dqn.config import Config, adjustable
from atari_dqn.presets.papers import nature


@adjustable
def minatar(game: str = "gym:MinAtar/Breakout-v1") -> Config:
    """DQN on MinAtar (Young and Tian 2019), and where to begin with any small picture with channels.

    Different from `nature`: one convolution and 128 units; no stack, since motion has a channel of its own; an update
    at every step; a copy to the target network every 1,000; 100,000 transitions, a warm-up of 5,000, epsilon to 0.1 in
    100,000; rewards as they are. The games bring their sticky actions, 0.1, themselves.

    Ours: 8 games side by side, and evaluations. Known difference that is left: their code has torch's RMSprop, which
    takes the 0.95 for a momentum, too, whose steps add up to twenty times the length; it adds 0.01 outside the root, to
    a gradient that is the mean over the minibatch.

    Source: github.com/kenjyoung/MinAtar, examples/dqn.py.
    """
    return nature(game).replace(
        preset="minatar",
        backend="classic",
        num_envs=8,
        frame_skip=1,
        frame_stack=1,
        noop_max=0,
        terminal_on_life_loss=False,
        total_steps=5_000_000,
        learning_starts=5_000,
        capacity=100_000,
        update_period=1,
        target_update_period=1_000,
        clip_reward=False,
        epsilon_decay_steps=100_000,
        network="minatar_cnn",
        hidden_sizes=(128,),
        eval_period=100_000,
        eval_steps=10_000,
        eval_epsilon=0.0,
        eval_num_envs=10,
        log_period=5_000,
        checkpoint_period=100_000,
        torch_threads=1,
    )
