"""Published and recommended settings: complete tables, one function each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from atari_dqn.config import Config


def nature(game: str = "pong") -> Config:
    """Mnih et al. 2015: the paper's numbers, with games played side by side."""
    return Config(game=game)


def nnabla(game: str = "pong") -> Config:
    """DQN of nnabla-rl, the settings behind 49 published curves; not the paper's algorithm, though near it.

    Different from `nature`: the gradient is of the squared error, so twice as long up to its clip; weights are
    He-normal, of six times the paper's variance; epsilon falls from step 0 on, at random until 50,000 all the same; the
    first frame of an episode fills its stack; a lost life is answered by one no-op; Pong has ale-py's 6 actions.

    Known differences that are left: games side by side; no-ops open a game 0 to 30 frames (there 1 to 30); after a
    lost life the stack goes on (there it begins anew) and the no-op is learned from; the maximum of two screens is
    taken in luminance (there in RGB).

    Source: github.com/sony/nnabla-rl (d6c9999), reproductions/algorithms/atari/dqn.
    """
    return dataclasses.replace(
        nature(game),
        preset="nnabla",
        action_set="minimal",
        pad_stack="first_frame",
        noop_after_life_loss=True,
        loss="clipped_mse",
        epsilon_from_zero=True,
        initializer="he_normal",
    )


def rl_zoo(game: str = "pong") -> Config:
    """DQN of stable-baselines3 as RL Zoo trains it: Adam, a replay of 10,000, the target every 1,000 steps.

    For Pong and Breakout; RL Zoo's other games have a larger replay (`--capacity 100000`). 10 million agent steps.

    Known differences that are left: games side by side (there one, or 8 for the agents trained since); no-ops open a
    game 0 to 30 frames (there 1 to 30); after a lost life the stack goes on (there it is blank again), and the
    no-op, fire and action 2 that follow it are steps of the run and learned from; rewards are clipped to [-1, 1] (there
    their sign: the same for whole numbers).

    Source: github.com/DLR-RM/rl-baselines3-zoo, hyperparams/dqn.yml, and rl-trained-agents (cd35bde), config.yml.
    """
    return dataclasses.replace(
        nature(game),
        preset="rl_zoo",
        action_set="minimal",
        fire_on_reset=True,
        noop_after_life_loss=True,
        total_steps=10_000_000,
        learning_starts=100_000,
        capacity=10_000,
        target_update_period=1_000,
        loss_reduction="mean",
        epsilon_end=0.01,
        epsilon_from_zero=True,
        optimizer="adam",
        learning_rate=1e-4,
        optimizer_eps=1e-8,
        max_grad_norm=10.0,
    )


def sticky(game: str = "pong") -> Config:
    """Machado et al. 2018: sticky actions 0.25, all 18 actions, only game over ends a game; else `nature`.

    Source: Revisiting the Arcade Learning Environment, section 4 and table 6 (evaluation epsilon 0.01, no no-ops).
    """
    return dataclasses.replace(
        nature(game),
        preset="sticky",
        sticky_probability=0.25,
        action_set="full",
        terminal_on_life_loss=False,
        noop_max=0,
        epsilon_end=0.01,
        eval_epsilon=0.01,
    )


WATCHED_OFTEN: dict[str, Any] = {
    "eval_period": 100_000,
    "eval_steps": 10_000,
    "eval_num_envs": 8,
    "log_period": 2_000,
    "checkpoint_period": 50_000,
}
"""For runs of an hour."""


def quick(game: str = "pong") -> Config:
    """For a laptop: the paper's preprocessing and rewards; what learns, and how fast, is chosen for two CPU cores.

    Different from `nature`, and why (docs/search_log.md):
      random actions held in the warm-up: without, Freeway gave no reward in 486,000 steps
      environments that explore more and less than 5 %: Pong stands at 16 after 225,000 steps, at 11 if all do alike
      the network drawn anew at 110,000 steps: what Boxing's learns before then it does not get rid of (primacy bias)
      pixels less their mean, values as histograms, a dueling end: what makes a hit in Boxing is seen sooner
      layer norm: without it Adam's first steps switched the hidden units off in two of four runs, with it in none
      10-step returns: a reward is seen from far away at once; they fall to 3, since with 10 the score stood still at 14
      minibatches from the newest third of play while returns are long, since those are right only for the policy that
      played them; later from all of it, which Breakout and Boxing need
      priorities until 210,000 steps: with histograms Pong rises 50,000 steps sooner; later they hold it back
      Adam at 1e-4 with eps 1.5e-4, mean loss, Double, the target copied every 4,000 steps, 16 games side by side
      epsilon 1 to 0.05 in 50,000 steps: runs are short; bf16 where a measurement at the start says it is faster
    """
    return dataclasses.replace(
        nature(game),
        preset="quick",
        action_set="minimal",
        num_envs=16,
        total_steps=600_000,
        learning_starts=10_000,
        capacity=600_000,
        replay_window_fraction=1 / 3,
        replay_window_growth_steps=100_000,
        replay_window_min=50_000,
        priority_alpha=0.5,
        priority_decay_steps=200_000,
        target_update_period=4_000,
        reset_steps=(110_000,),
        n_step=10,
        n_step_end=3,
        n_step_decay_steps=100_000,
        double_q=True,
        loss_reduction="mean",
        epsilon_end=0.05,
        epsilon_decay_steps=50_000,
        epsilon_ladder=2.0,
        ez_greedy_warm_up=True,
        layer_norm=True,
        value_bins=51,
        dueling=True,
        center_pixels=True,
        optimizer="adam",
        learning_rate=1e-4,
        learning_rate_end_ratio=0.02,
        optimizer_eps=1.5e-4,
        precision="auto",
        **WATCHED_OFTEN,
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
        batch_size=64,
        update_period=4,
        target_update_period=1_000,
        n_step=3,
        double_q=True,
        clip_reward=False,
        loss_reduction="mean",
        epsilon_end=0.05,
        epsilon_decay_steps=10_000,
        network="mlp",
        hidden_sizes=(128, 128),
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


def cartpole_tf2(game: str = "cartpole") -> Config:
    """The CartPole-v1 recipe of DeepRL-TensorFlow2, as it is: it learns once a game, ten minibatches.

    MLP 32-16 with ReLU; mean squared error; Adam 0.005 (Keras: eps 1e-7); gamma 0.95; minibatches of 32 from 10,000
    transitions; rewards times 0.01; epsilon 1.0 times 0.995 at every action, down to 0.01; after each game, once 32
    transitions are there, 10 updates and a copy to the target network; 1,000 games; a time limit counts as an end.

    Left out: the source also pulls the values of the actions not taken towards the target network's, whose weights are
    at most ten updates old. Different: initial weights (Keras: Glorot, biases 0), minibatches drawn with replacement,
    and the clock, which also counts the step that opens a game. Ours: evaluations, which change nothing.

    Source: github.com/marload/DeepRL-TensorFlow2, DQN/DQN_Discrete.py.
    """
    return dataclasses.replace(
        cartpole(game),
        preset="cartpole_tf2",
        num_envs=1,
        terminal_on_time_limit=True,
        total_steps=1_000 * 501,  # no game is longer
        total_episodes=1_000,
        learning_starts=32,
        capacity=10_000,
        batch_size=32,
        game_end_updates=10,
        gamma=0.95,
        n_step=1,
        double_q=False,
        reward_scale=0.01,
        loss="mse",
        epsilon_start=1.0,
        epsilon_end=0.01,
        epsilon_decay_factor=0.995,
        random_warm_up=False,
        hidden_sizes=(32, 16),
        learning_rate=0.005,
        optimizer_eps=1e-7,
        eval_period_episodes=50,
        eval_episodes=5,
        eval_num_envs=5,
        log_period=500,
        checkpoint_period=50_000,
    )


def cartpole_parl(game: str = "cartpole") -> Config:
    """The CartPole-v0 recipe of PARL, as it is; CartPole-v0 is CartPole-v1 with games of 200 steps.

    MLP 128-128 with ReLU and a linear output; mean squared error; Adam 5e-4 (Paddle: eps 1e-8); gamma 0.99;
    minibatches of 64 from 200,000 transitions; a warm-up of whole games until 200 are there; an update every 5 steps;
    the target network is copied every 200 updates; epsilon 0.1 less 1e-6 a step, in the warm-up too, down to 0.01;
    2,000 games; after every 50 of them 5 greedy games, not counted; a time limit counts as an end.

    Different: initial weights (Paddle: Glorot, biases 0); the games of the warm-up count among the 2,000; steps are
    counted through the games instead of within each; minibatches are drawn with replacement; the clock also counts
    the step that opens a game. Some versions of the source draw a second coin of 1 % for a random action: not here.

    Source: github.com/PaddlePaddle/PARL, examples/DQN.
    """
    return dataclasses.replace(
        cartpole(game),
        preset="cartpole_parl",
        num_envs=1,
        max_episode_steps=200,
        terminal_on_time_limit=True,
        total_steps=2_000 * 201,  # no game is longer
        total_episodes=2_000,
        learning_starts=200,
        whole_game_warm_up=True,
        capacity=200_000,
        batch_size=64,
        update_period=5,
        target_update_period=200 * 5,
        n_step=1,
        double_q=False,
        loss="mse",
        epsilon_start=0.1,
        epsilon_end=0.01,
        epsilon_decay_steps=90_000,
        random_warm_up=False,
        hidden_sizes=(128, 128),
        learning_rate=5e-4,
        eval_period_episodes=50,
        eval_episodes=5,
        eval_num_envs=5,
        log_period=500,
        checkpoint_period=50_000,
    )


PRESETS: dict[str, Callable[[str], Config]] = {
    "nature": nature,
    "nnabla": nnabla,
    "rl_zoo": rl_zoo,
    "sticky": sticky,
    "quick": quick,
    "cartpole": cartpole,
    "cartpole_tf2": cartpole_tf2,
    "cartpole_parl": cartpole_parl,
}
