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
    return nature(game).replace(preset=preset, **(numbers | idea))


ADAM: Settings = {
    "loss_reduction": "mean",
    "optimizer": "adam",
    "optimizer_eps": 0.01 / 32,
    "epsilon_end": 0.01,
    "eval_epsilon": 0.001,
}
"""What the distributional papers share. The eps of a mean over 32 transitions is 0.01 / 32; of their sum, 0.01."""
TUNED: Settings = {"target_update_period": 30_000, "epsilon_end": 0.01, "eval_epsilon": 0.001}
"""Double DQN with the numbers that van Hasselt et al. 2016 tuned for it; their one bias for all actions is left out."""
C51: Settings = {"distribution": "c51"}
NOISY: Settings = {"noisy_sigma": 0.5, "epsilon_start": 0.0, "epsilon_end": 0.0, "eval_epsilon": 0.0}
EXACT: Settings = {"priority_sampler": "exact", "priority_beta": 0.4, "priority_beta_end": 1.0}
TALL: Settings = {"value_support": 100.0}  # of CartPole: a reward of 1 for ever is worth 1 / (1 - gamma)


@adjustable
def double(game: str = "pong") -> Config:
    """Double DQN: the online network picks the next action, the target network values it.

    With the hyper-parameters of Mnih et al. 2015. The paper's tuned version copies the target every 30,000 steps, lets
    epsilon fall to 0.01, evaluates at 0.001, and has one bias for all actions: see `dueling` and `prioritized`.

    Source: van Hasselt et al. 2016, eq. 4.
    """
    return _member(game, "double", {"double_q": True}, {})


@adjustable
def dueling(game: str = "pong") -> Config:
    """Dueling network on Double DQN: streams of 512 units each, step size 6.25e-5, gradients of a norm of at most 10.

    Else as the tuned Double DQN: target every 30,000 steps, epsilon to 0.01, evaluated at 0.001.

    Different: gradients that enter the convolutions are not divided by the square root of 2. The paper calls its step
    size "slightly lower"; 6.25e-5 is what it gives for the network with prioritized replay.

    Source: Wang et al. 2016, section 4.2.
    """
    idea = {"double_q": True, "dueling": True}
    numbers = {"hidden_sizes": (1_024,), "max_grad_norm": 10.0, "learning_rate": 0.0000625}
    return _member(game, "dueling", idea, TUNED | numbers)


@adjustable
def prioritized(game: str = "pong") -> Config:
    """Prioritized replay, proportional, on Double DQN: alpha 0.6, beta 0.4 to 1, a quarter of the step size.

    Else as the tuned Double DQN: target every 30,000 steps, epsilon to 0.01, evaluated at 0.001.

    Different: with games side by side the priorities behind a minibatch may be some updates old. A weight is divided by
    the largest of its minibatch.

    Source: Schaul et al. 2016, section 4 and table 3.
    """
    idea = {"double_q": True, "priority_alpha": 0.6, **EXACT}
    return _member(game, "prioritized", idea, TUNED | {"learning_rate": 0.00025 / 4})


@adjustable
def c51(game: str = "pong") -> Config:
    """C51: a distribution over 51 values in [-10, 10]; Adam 2.5e-4 with eps 0.01 / 32, epsilon to 0.01.

    Evaluated with epsilon 0.001.

    Source: Bellemare et al. 2017, section 5.
    """
    return _member(game, "c51", C51, {**ADAM, "learning_rate": 0.00025}, TALL)


@adjustable
def qr_dqn(game: str = "pong") -> Config:
    """QR-DQN: 200 quantiles, Huber threshold 1; Adam 5e-5 with eps 0.01 / 32, epsilon to 0.01.

    Evaluated with epsilon 0.001. On games of vectors 50 quantiles: a run takes a quarter of the time, and CartPole is
    solved more surely.

    Source: Dabney et al. 2018, Distributional reinforcement learning with quantile regression, section 5.
    """
    idea = {"distribution": "quantiles", "atoms": 200}
    return _member(game, "qr_dqn", idea, {**ADAM, "learning_rate": 0.00005}, {"atoms": 50})


@adjustable
def iqn(game: str = "pong") -> Config:
    """IQN: the level of a quantile is an input; 64 cosines, N = N' = 64, K = 32; Adam 5e-5 with eps 0.01 / 32.

    Epsilon to 0.01, evaluated with 0.001.

    Different: the 32 levels by which actions are chosen are evenly spaced (there drawn). The next action is the best by
    the 64 levels of the target (there by 32 others).

    Source: Dabney et al. 2018, Implicit quantile networks, section 4 and appendix.
    """
    return _member(game, "iqn", {"distribution": "iqn"}, {**ADAM, "learning_rate": 0.00005})


MUNCHAUSEN: Settings = {"munchausen_alpha": 0.9, "double_q": False}
DOPAMINE: Settings = {"learning_starts": 20_000, "target_update_period": 8_000, "epsilon_decay_steps": 250_000}
"""Numbers that Vieillard et al. 2020 have from Dopamine, agent steps."""


@adjustable
def munchausen(game: str = "pong") -> Config:
    """Munchausen DQN: alpha 0.9, temperature 0.03, log-policy cut off at -1; Adam 5e-5 with eps 0.01 / 32.

    Learning from 20,000 steps, target every 8,000, epsilon to 0.01 in 250,000 steps, evaluated with 0.001.

    Different: games as in `nature` (there sticky actions 0.25, and a lost life ends nothing).

    Source: Vieillard et al. 2020, section 4 and appendix B; github.com/google-research, munchausen_rl.
    """
    return _member(game, "munchausen", MUNCHAUSEN, ADAM | DOPAMINE | {"learning_rate": 0.00005})


@adjustable
def munchausen_iqn(game: str = "pong") -> Config:
    """Munchausen IQN: alpha 0.9, temperature 0.03 on quantiles; its numbers as `munchausen`.

    Different: as in `iqn` and `munchausen`.

    Source: Vieillard et al. 2020, section 4; github.com/google-research, munchausen_rl.
    """
    idea = MUNCHAUSEN | {"distribution": "iqn"}
    return _member(game, "munchausen_iqn", idea, ADAM | DOPAMINE | {"learning_rate": 0.00005})


@adjustable
def noisy(game: str = "pong") -> Config:
    """Noisy DQN: factorized noise of size 0.5 on the fully connected layers explores instead of epsilon.

    Different: the warm-up is played at random; games side by side share a draw of the noise, and the updates of one
    call that of the target network; evaluations are played without noise.

    Source: Fortunato et al. 2018, section 3.
    """
    return _member(game, "noisy", NOISY, {})


@adjustable
def rainbow(game: str = "pong") -> Config:
    """Rainbow: C51, Double, dueling, prioritized replay, returns of 3 steps, noisy layers.

    Learning from 20,000 steps; Adam 6.25e-5 with eps 1.5e-4; target every 8,000 steps; sigma 0.5; priorities by the
    loss with omega 0.5, beta 0.4 to 1.

    Different: as in `noisy` and `prioritized`; both streams share the noise of what enters them, and the online network
    picks the next action with the noise that it learns with.

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
    return _member(game, "rainbow", idea, numbers, TALL)


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
