"""Published and recommended settings: complete tables, one function each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from atari_dqn.config import Config


def nature(game: str = "pong") -> Config:
    """Mnih et al. 2015: the paper's numbers, with games played side by side."""
    return Config(game=game)


def sticky(game: str = "pong") -> Config:
    """Machado et al. 2018: sticky actions 0.25, all 18 actions, only game over ends a game; else `nature`.

    Source: Revisiting the Arcade Learning Environment, section 4 and table 6 (evaluation epsilon 0.01, no no-ops).
    """
    return dataclasses.replace(
        nature(game),
        preset="sticky",
        sticky_probability=0.25,
        full_action_space=True,
        terminal_on_life_loss=False,
        noop_max=0,
        epsilon_end=0.01,
        eval_epsilon=0.01,
    )


def quick(game: str = "pong") -> Config:
    """For a laptop: Nature's network and preprocessing, our hyper-parameters (n-step, Double, Adam)."""
    return dataclasses.replace(
        nature(game),
        preset="quick",
        num_envs=16,
        total_steps=600_000,
        learning_starts=10_000,
        capacity=400_000,
        update_period=2,
        target_update_period=4_000,
        n_step=10,
        double_q=True,
        loss_reduction="mean",
        epsilon_end=0.02,
        epsilon_decay_steps=50_000,
        optimizer="adam",
        optimizer_eps=1e-5,
        eval_period=100_000,
        eval_steps=10_000,
        eval_num_envs=8,
        log_period=2_000,
        checkpoint_period=50_000,
        precision="auto",
    )


def cartpole(game: str = "cartpole") -> Config:
    """CartPole-v1 with a small network on the same code path."""
    return Config(
        game=game,
        preset="cartpole",
        backend="classic",
        num_envs=8,
        frame_skip=1,
        frame_stack=1,
        noop_max=0,
        terminal_on_life_loss=False,
        max_episode_steps=500,
        total_steps=100_000,
        learning_starts=1_000,
        capacity=50_000,
        batch_size=128,
        update_period=4,
        target_update_period=1_000,
        n_step=3,
        double_q=True,
        clip_reward=False,
        loss_reduction="mean",
        epsilon_end=0.05,
        epsilon_decay_steps=10_000,
        network="mlp",
        hidden_sizes=(256, 256),
        optimizer="adam",
        learning_rate=1e-3,
        optimizer_eps=1e-8,
        eval_period=10_000,
        eval_steps=5_000,
        eval_epsilon=0.0,
        eval_num_envs=10,
        log_period=1_000,
        checkpoint_period=10_000,
        device="cpu",
        torch_threads=1,
    )


PRESETS: dict[str, Callable[[str], Config]] = {
    "nature": nature,
    "sticky": sticky,
    "quick": quick,
    "cartpole": cartpole,
}
