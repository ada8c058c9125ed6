"""Games of gymnasium's that show pictures, such as CarRacing: the paper's network on planes of 84 x 84."""

from __future__ import annotations

from atari_dqn.config import Config, adjustable
from atari_dqn.presets.papers import nature


@adjustable
def pixels(game: str = "gym:CarRacing-v3") -> Config:
    """Where to begin with a game of pictures: ours, tuned for no game.

    Different from `nature`: no emulator, so no repeated actions and no no-ops; Adam at 1e-4, mean loss, Double DQN and
    3-step returns; a replay, a warm-up and a decay of epsilon for half a million steps.
    """
    return nature(game).replace(
        preset="pixels",
        backend="classic",
        num_envs=8,
        frame_skip=1,
        noop_max=0,
        terminal_on_life_loss=False,
        max_episode_steps=1_000,
        total_steps=500_000,
        learning_starts=10_000,
        capacity=100_000,
        target_update_period=4_000,
        n_step=3,
        double_q=True,
        loss_reduction="mean",
        epsilon_end=0.05,
        epsilon_decay_steps=100_000,
        optimizer="adam",
        learning_rate=1e-4,
        optimizer_eps=1.5e-4,
        eval_period=25_000,
        eval_steps=5_000,
        eval_epsilon=0.0,
        eval_num_envs=5,
        log_period=1_000,
        checkpoint_period=25_000,
    )
