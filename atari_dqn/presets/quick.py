"""Ours: what learns on a laptop in an hour."""

from __future__ import annotations

from typing import Any

from atari_dqn.config import Config, adjustable
from atari_dqn.presets.papers import nature

WATCHED_OFTEN: dict[str, Any] = {
    "eval_period": 100_000,
    "eval_early_steps": (0, 25_000, 50_000),
    "eval_steps": 10_000,
    "eval_num_envs": 8,
    "log_period": 2_000,
    "checkpoint_period": 50_000,
}
"""For runs of an hour."""


@adjustable
def quick(game: str = "pong") -> Config:
    """For a laptop: the paper's preprocessing and rewards; what learns, and how fast, is chosen for two CPU cores.

    Different from `nature`, and why (docs/search_log.md):
      random actions held in the warm-up: without, Freeway gave no reward in 486,000 steps
      environments that explore more and less than 5 %: Pong stands at 16 after 225,000 steps, at 11 if all do alike
      the network reset at 110,000 steps: what Boxing's learns before then it does not get rid of (primacy bias)
      pixels less their mean, values as histograms, a dueling end: what makes a hit in Boxing is seen sooner
      layer norm: without it Adam's first steps switched the hidden units off in two of four runs, with it in none
      10-step returns: a reward is seen from far away at once; they fall to 3, since with 10 the score stood still at 14
      minibatches from the newest third of play while returns are long, since those are right only for the policy that
      played them; later from all of it, which Breakout and Boxing need
      priorities until 210,000 steps: with histograms Pong rises 50,000 steps sooner; later they hold it back
      Adam at 1e-4 with eps 1.5e-4, mean loss, Double, the target copied every 4,000 steps, 16 games side by side
      epsilon 1 to 0.05 in 50,000 steps: runs are short; bf16 where a measurement at the start says it is faster
    """
    return nature(game).replace(
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
        categorical_bins=51,
        dueling=True,
        subtract_mean_frame=True,
        optimizer="adam",
        learning_rate=1e-4,
        learning_rate_end_ratio=0.02,
        optimizer_eps=1.5e-4,
        precision="auto",
        **WATCHED_OFTEN,
    )
