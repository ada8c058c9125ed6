"""Recipes that others published for Atari, each beside its source."""

from __future__ import annotations

from atari_dqn.config import Config, adjustable


@adjustable
def nature(game: str = "pong") -> Config:
    """Mnih et al. 2015: the paper's numbers, with games played side by side."""
    return Config(game=game)


@adjustable
def nnabla(game: str = "pong") -> Config:
    """DQN of nnabla-rl, the settings behind 49 published curves; not the paper's algorithm, though near it.

    Different from `nature`: the gradient is of the squared error, so twice as long up to its clip; weights are
    He-normal, of six times the paper's variance; epsilon falls from step 0 on, at random until 50,000 all the same; the
    first frame of an episode fills its stack; a lost life is answered by one no-op; Pong has ale-py's 6 actions.

    Known differences that are left: games side by side; no-ops open an episode 0 to 30 frames (there 1 to 30); after a
    lost life the stack goes on (there it begins anew) and the no-op is learned from; the maximum of two screens is
    taken in luminance (there in RGB).

    Source: github.com/sony/nnabla-rl (d6c9999), reproductions/algorithms/atari/dqn.
    """
    return nature(game).replace(
        preset="nnabla",
        action_set="minimal",
        pad_stack="first_frame",
        noop_after_life_loss=True,
        loss="clipped_mse",
        epsilon_from_zero=True,
        initializer="he_normal",
    )


@adjustable
def rl_zoo(game: str = "pong") -> Config:
    """DQN of stable-baselines3 as RL Zoo trains it: Adam, a replay of 10,000, the target every 1,000 steps.

    For Pong and Breakout; RL Zoo's other games have a larger replay (`--capacity 100000`). 10 million agent steps.

    Known differences that are left: games side by side (there one, or 8 for the agents trained since); no-ops open an
    episode 0 to 30 frames (there 1 to 30); after a lost life the stack goes on (there it is blank again), and the
    no-op, fire and action 2 that follow it are steps of the run and learned from; rewards are clipped to [-1, 1] (there
    their sign: the same for whole numbers).

    Source: github.com/DLR-RM/rl-baselines3-zoo, hyperparams/dqn.yml, and rl-trained-agents (cd35bde), config.yml.
    """
    return nature(game).replace(
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


@adjustable
def sticky(game: str = "pong") -> Config:
    """Machado et al. 2018: sticky actions 0.25, all 18 actions, only game over ends an episode; else `nature`.

    Source: Revisiting the Arcade Learning Environment, section 4 and table 6 (evaluation epsilon 0.01, no no-ops).
    """
    return nature(game).replace(
        preset="sticky",
        sticky_probability=0.25,
        action_set="full",
        terminal_on_life_loss=False,
        noop_max=0,
        epsilon_end=0.01,
        eval_epsilon=0.01,
    )
