"""What is learned from: replay, algorithm, network, optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Suppress

from atari_dqn.settings.bounds import LONGEST, ROUNDED, YEAR, Positive, Range, Rewards, Steps

Network = Literal["nature_cnn", "minatar_cnn", "mlp", "linear", "polynomial", "tabular", "own"]
Optimizer = Literal["rmsprop", "adam", "sgd"]
Reduction = Literal["sum", "mean"]
LossName = Literal["huber", "mse", "clipped_mse"]
Initializer = Literal["torch7", "he_normal", "lecun_normal", "glorot_uniform"]


@dataclass(frozen=True)
class ReplayConfig:
    """The replay memory: how much it keeps, and what is drawn of it."""

    capacity: Annotated[int, Range(1, LONGEST, "transitions", YEAR)] = 1_000_000
    """Transitions kept, all environments together. Paper: replay memory size, 1 million."""
    batch_size: Annotated[int, Range(1, 65_536, "transitions", "of images that is some 4 GB")] = 32
    """Transitions per update. Paper: minibatch size, 32."""
    learning_starts: Steps = 50_000
    """Agent steps of random play before the first update. Paper: replay start size, 50,000."""
    whole_game_warm_up: bool = False
    """Start learning at the end of the first episode after `learning_starts` transitions are stored. Paper: no."""


@dataclass(frozen=True)
class AlgorithmConfig:
    """Q-learning: returns, target network, loss."""

    gamma: Annotated[float, Range(0, 1, "per agent step")] = 0.99
    """Discount per agent step. Paper: 0.99."""
    n_step: Rewards = 1
    """Rewards summed before the bootstrap. Paper: 1."""
    double_q: bool = False
    """The online network picks the next action, the target network values it (van Hasselt 2016). Paper: no."""
    update_period: Steps = 4
    """Agent steps per update. Paper: update frequency, 4."""
    target_update_period: Steps = 10_000
    """Agent steps between copies to the target network. Paper's code: 10,000, its table says updates (D9)."""
    game_end_updates: Annotated[int | None, Range(1, LONGEST, "updates per episode", YEAR)] = None
    """Updates at the end of each episode, then a copy to the target network, instead of `update_period` and
    `target_update_period`; none: those two count. Paper: none."""
    reward_scale: Positive = 1.0
    """Rewards are multiplied by this in the loss, before any clipping; logs and scores stay raw. Paper: 1."""
    clip_reward: bool = True
    """Clip each reward to [-1, 1] in the loss; logs and scores stay raw. Paper: yes."""
    loss: LossName = "huber"
    """Loss of the TD error d. `huber`: d^2 / 2, gradient clipped to [-1, 1]. `mse`: d^2. `clipped_mse`: d^2, gradient
    2 d clipped to [-1, 1] (nnabla-rl). Paper: huber."""
    own_loss: Suppress[bool] = False
    """The loss was given from Python: a resume needs it again, and nothing compiles it unless asked to."""
    loss_reduction: Reduction = "sum"
    """How the loss is reduced over the minibatch. Paper's code: sum; optimizer_eps is scaled for it."""
    replay: bool = True
    """Uniform draws from the replay memory. Paper: yes. No: the latest transitions, with as many updates; the
    ablation of the paper's first idea."""
    target: bool = True
    """Bootstrap from the target network. Paper: yes. No: from the online network; the ablation of the paper's
    second idea."""


@dataclass(frozen=True)
class NetworkConfig:
    """From observations to Q-values."""

    network: Network = "nature_cnn"
    """`nature_cnn`: the paper's three convolutions. `minatar_cnn`: one, for small pictures with channels as they are
    (Young and Tian 2019). For vectors: `mlp`, and, where their numbers have known ranges, `linear`, `polynomial` and
    `tabular` (one row a cell). `own`: given from Python. Paper: nature_cnn."""
    hidden_sizes: Annotated[tuple[int, ...], Range(1, 65_536, "units", items=16)] = (512,)
    """Units of the fully connected hidden layers. Paper: 512."""
    initializer: Initializer = "torch7"
    """Initial weights, by fan_in f. `torch7`: weights and biases uniform in +-1/sqrt(f). `he_normal`: variance 2 / f.
    `lecun_normal`: 1 / f. `glorot_uniform`: 2 / (f + fan_out); biases of these three are 0. Paper's code: torch7."""
    layer_norm: bool = False
    """Normalize the sums of each hidden layer over its units (Ba et al. 2016). Paper: no."""
    polynomial_degree: Annotated[int, Range(1, 4)] = 2
    """Degree of `polynomial`: most factors in a product of observed numbers. Ours: 2."""
    table_bins: Annotated[int, Range(2, 100, "cells per number")] = 8
    """Cells of `tabular` along each number of the observation. Ours: 8."""


@dataclass(frozen=True)
class OptimizerConfig:
    """From gradients to new weights."""

    optimizer: Optimizer = "rmsprop"
    """`rmsprop`: the paper's, centered, epsilon under the root. `adam`, `sgd`: torch's. Paper: `rmsprop`."""
    learning_rate: Positive = 0.00025
    """Step size. Paper: 0.00025."""
    learning_rate_end_ratio: Annotated[float, Range(0, 1)] = 1.0
    """Step size at total_steps, as a fraction of `learning_rate`, reached in a straight line from learning_starts on.
    Paper: 1, constant."""
    rmsprop_decay: Annotated[float, Range(0, 1, "per update")] = 0.95
    """Decay of both gradient averages in rmsprop. Paper: 0.95."""
    optimizer_eps: Positive = 0.01
    """Added under the root by rmsprop, outside it by adam; unused by sgd. Paper: 0.01."""
    max_grad_norm: Annotated[float | None, Range(0, 1e30, "", ROUNDED, above=True)] = None
    """Largest Euclidean norm of the gradient; longer ones are scaled down to it; none: no limit. Paper: none.
    stable-baselines3: 10."""
