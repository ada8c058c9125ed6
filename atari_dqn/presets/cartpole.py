"""CartPole: ours, and two recipes as they are."""

from __future__ import annotations

from atari_dqn.config import Config, adjustable


@adjustable
def cartpole(game: str = "cartpole") -> Config:
    """CartPole-v1 with a small network on the same code path."""
    return Config(game=game).replace(
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


@adjustable
def cartpole_tf2(game: str = "cartpole") -> Config:
    """The CartPole-v1 recipe of DeepRL-TensorFlow2, as it is: it learns once an episode, ten minibatches.

    MLP 32-16 with ReLU; mean squared error; Adam 0.005 (Keras: eps 1e-7); gamma 0.95; minibatches of 32 from 10,000
    transitions; rewards times 0.01; epsilon 1.0 times 0.995 at every action, down to 0.01; after each episode, once 32
    transitions are there, 10 updates and a copy to the target network; 1,000 episodes; a time limit counts as an end.

    Left out: the source also pulls the values of the actions not taken towards the target network's, whose weights are
    at most ten updates old. Different: initial weights (Keras: Glorot, biases 0), minibatches drawn with replacement,
    and the clock, which also counts the step that opens an episode. Ours: evaluations, which change nothing.

    Source: github.com/marload/DeepRL-TensorFlow2, DQN/DQN_Discrete.py.
    """
    return cartpole(game).replace(
        preset="cartpole_tf2",
        num_envs=1,
        terminal_on_time_limit=True,
        total_steps=1_000 * 501,  # no episode is longer
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


@adjustable
def cartpole_parl(game: str = "cartpole") -> Config:
    """The CartPole-v0 recipe of PARL, as it is; CartPole-v0 is CartPole-v1 with episodes of 200 steps.

    MLP 128-128 with ReLU and a linear output; mean squared error; Adam 5e-4 (Paddle: eps 1e-8); gamma 0.99;
    minibatches of 64 from 200,000 transitions; a warm-up of whole episodes until 200 are there; an update every 5
    steps; the target network is copied every 200 updates; epsilon 0.1 less 1e-6 a step, in the warm-up too, down to
    0.01; 2,000 episodes; after every 50 of them 5 greedy ones, not counted; a time limit counts as an end.

    Different: initial weights (Paddle: Glorot, biases 0); the episodes of the warm-up count among the 2,000; steps
    are counted through the episodes instead of within each; minibatches are drawn with replacement; the clock also
    counts the step that opens an episode. Some versions of the source draw a second coin of 1 % for a random action:
    not here.

    Source: github.com/PaddlePaddle/PARL, examples/DQN.
    """
    return cartpole(game).replace(
        preset="cartpole_parl",
        num_envs=1,
        max_episode_steps=200,
        terminal_on_time_limit=True,
        total_steps=2_000 * 201,  # no episode is longer
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
