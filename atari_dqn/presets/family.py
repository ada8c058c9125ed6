"""The DQN family: one published idea each, with the numbers of its paper, else as `nature`.

On games of vectors the same ideas stand on `cartpole`, with that preset's numbers.
"""

from __future__ import annotations

from typing import Any

from atari_dqn.config import Config, Preset, adjustable, is_vector_game
from atari_dqn.presets.cartpole import cartpole
from atari_dqn.presets.papers import nature

Settings = dict[str, Any]


def _member(game: str, preset: str, idea: Settings, numbers: Settings, on_vectors: Settings | None = None) -> Config:
    """`idea` on `nature` with the paper's `numbers`, or on `cartpole` with what `on_vectors` has to differ."""
    if is_vector_game(game):
        return cartpole(game).replace(preset=preset, **(idea | (on_vectors or {})))
    return nature(game).replace(preset=preset, **idea, **numbers)


ADAM: Settings = {
    "loss_reduction": "mean",
    "optimizer": "adam",
    "optimizer_eps": 0.01 / 32,
    "epsilon_end": 0.01,
}
"""What the distributional papers share; eps belongs to a sum over the minibatch."""
C51: Settings = {"distribution": "c51"}
NOISY: Settings = {"noisy_sigma": 0.5, "epsilon_start": 0.0, "epsilon_end": 0.0, "eval_epsilon": 0.0}
EXACT: Settings = {"priority_sampler": "exact", "priority_beta": 0.4, "priority_beta_end": 1.0}
TALL: Settings = {"value_support": 100.0}  # of CartPole: a reward of 1 for ever is worth 1 / (1 - gamma)


@adjustable
def double(game: str = "pong") -> Config:
    """Double DQN: the online network picks the next action, the target network values it.

    Source: van Hasselt et al. 2016, eq. 4, with the hyper-parameters of Mnih et al. 2015 (not the tuned ones).
    """
    return _member(game, "double", {"double_q": True}, {})


@adjustable
def dueling(game: str = "pong") -> Config:
    """Dueling network on Double DQN: streams of 512 units each, gradients of a norm of at most 10.

    Left out: gradients that enter the convolutions are not divided by the square root of 2.

    Source: Wang et al. 2016, section 4.2.
    """
    idea = {"double_q": True, "dueling": True}
    return _member(game, "dueling", idea, {"hidden_sizes": (1_024,), "max_grad_norm": 10.0})


@adjustable
def prioritized(game: str = "pong") -> Config:
    """Prioritized replay, proportional, on Double DQN: alpha 0.6, beta 0.4 to 1, a quarter of the step size.

    Different: with games side by side the priorities behind a minibatch may be some updates old.

    Source: Schaul et al. 2016, section 4 and table 3.
    """
    idea = {"double_q": True, "priority_alpha": 0.6, **EXACT}
    return _member(game, "prioritized", idea, {"learning_rate": 0.00025 / 4})


@adjustable
def c51(game: str = "pong") -> Config:
    """C51: a distribution over 51 values in [-10, 10]; Adam 2.5e-4 with eps 0.01 / 32, epsilon to 0.01.

    Source: Bellemare et al. 2017, section 5.
    """
    return _member(game, "c51", C51, {**ADAM, "learning_rate": 0.00025}, TALL)


@adjustable
def qr_dqn(game: str = "pong") -> Config:
    """QR-DQN: 200 quantiles, Huber threshold 1; Adam 5e-5 with eps 0.01 / 32, epsilon to 0.01.

    On games of vectors 50 quantiles: a run takes a quarter of the time, and CartPole is solved more surely.

    Source: Dabney et al. 2018, Distributional reinforcement learning with quantile regression, section 5.
    """
    idea = {"distribution": "quantiles", "atoms": 200}
    return _member(game, "qr_dqn", idea, {**ADAM, "learning_rate": 0.00005}, {"atoms": 50})


@adjustable
def iqn(game: str = "pong") -> Config:
    """IQN: the level of a quantile is an input; 64 cosines, N = N' = 64; Adam 5e-5 with eps 0.01 / 32.

    Different: actions are chosen by 32 evenly spaced levels (there by 32 drawn ones).

    Source: Dabney et al. 2018, Implicit quantile networks, section 4 and appendix.
    """
    return _member(game, "iqn", {"distribution": "iqn"}, {**ADAM, "learning_rate": 0.00005})


@adjustable
def munchausen(game: str = "pong") -> Config:
    """Munchausen DQN: alpha 0.9, temperature 0.03, log-policy cut off at -1; Adam 5e-5 with eps 0.01 / 32.

    Source: Vieillard et al. 2020, section 4 and appendix B.
    """
    idea = {"munchausen_alpha": 0.9, "double_q": False}
    return _member(game, "munchausen", idea, {**ADAM, "learning_rate": 0.00005})


@adjustable
def munchausen_iqn(game: str = "pong") -> Config:
    """Munchausen IQN: alpha 0.9, temperature 0.03 on quantiles; else as `iqn`.

    Source: Vieillard et al. 2020, section 4.
    """
    idea = {"munchausen_alpha": 0.9, "double_q": False, "distribution": "iqn"}
    return _member(game, "munchausen_iqn", idea, {**ADAM, "learning_rate": 0.00005})


@adjustable
def noisy(game: str = "pong") -> Config:
    """Noisy DQN: factorized noise of size 0.5 on the fully connected layers explores instead of epsilon.

    Different: games side by side share a draw of the noise; evaluations are played without it.

    Source: Fortunato et al. 2018, section 3.
    """
    return _member(game, "noisy", NOISY, {})


@adjustable
def rainbow(game: str = "pong") -> Config:
    """Rainbow: C51, Double, dueling, prioritized replay, returns of 3 steps, noisy layers.

    Learning from 20,000 steps; Adam 6.25e-5 with eps 1.5e-4; target every 8,000 steps; sigma 0.5; priorities by the
    loss with omega 0.5, beta 0.4 to 1. Different: as in `noisy` and `prioritized`.

    Source: Hessel et al. 2018, table 1.
    """
    idea = {**C51, **NOISY, **EXACT, "priority_alpha": 0.5, "double_q": True, "dueling": True, "n_step": 3}
    numbers = ADAM | {
        "hidden_sizes": (1_024,),
        "learning_starts": 20_000,
        "target_update_period": 8_000,
        "learning_rate": 0.0000625,
        "optimizer_eps": 1.5e-4,
    }
    return _member(game, "rainbow", idea, {name: numbers[name] for name in numbers if name not in idea}, TALL)


FAMILY: dict[str, Preset] = {
    "double": double,
    "dueling": dueling,
    "prioritized": prioritized,
    "c51": c51,
    "qr_dqn": qr_dqn,
    "iqn": iqn,
    "munchausen": munchausen,
    "munchausen_iqn": munchausen_iqn,
    "noisy": noisy,
    "rainbow": rainbow,
}
