"""What a config puts into an agent beside the paper's own parts: the only place that knows all of `extensions/`."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from atari_dqn.config import Config
from atari_dqn.dqn import schedules
from atari_dqn.dqn.bellman import Chance, NoChance, Target, greedy_target
from atari_dqn.dqn.samplers import UPDATES_AT_ONCE, LatestSampler, Sampler, UniformSampler
from atari_dqn.extensions.c51 import CategoricalHead
from atari_dqn.extensions.hl_gauss import HLGauss
from atari_dqn.extensions.iqn import ImplicitQuantileNetwork
from atari_dqn.extensions.mean_frame import Subtracting, tell_mean_frame
from atari_dqn.extensions.munchausen import MunchausenTarget
from atari_dqn.extensions.network_reset import NetworkReset, Resettable
from atari_dqn.extensions.noisy import NoisyLinear
from atari_dqn.extensions.priorities import PrioritizedSampler
from atari_dqn.extensions.prioritized import ProportionalSampler
from atari_dqn.extensions.quantiles import QuantileHead
from atari_dqn.extensions.random_buffers import DrawnBuffers
from atari_dqn.networks.heads import Ending, Head, QNetwork
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.seeding import stream
from atari_dqn.settings.extensions import ExtensionsConfig
from atari_dqn.settings.learning import AlgorithmConfig


def make_ending(settings: ExtensionsConfig) -> Ending:
    """The end of a network: how the last layer says values, dueling streams, noisy layers."""
    sigma = settings.noisy_sigma
    linear = functools.partial(NoisyLinear, sigma=sigma) if sigma else nn.Linear
    return Ending(_make_head(settings), settings.dueling, linear)


def _make_head(settings: ExtensionsConfig) -> Head | None:
    if settings.categorical_bins:
        return HLGauss(settings.categorical_bins, settings.value_support)
    if settings.distribution == "c51":
        return CategoricalHead(settings.atoms, settings.value_support)
    if settings.distribution == "quantiles":
        return QuantileHead(settings.atoms)
    return None  # of "iqn" the network brings its own


def make_target(algorithm: AlgorithmConfig, extensions: ExtensionsConfig) -> Target:
    """What is bootstrapped from."""
    if extensions.munchausen_alpha:
        return MunchausenTarget(extensions.munchausen_alpha, extensions.munchausen_temperature)
    return greedy_target(algorithm)


def make_wrap(settings: ExtensionsConfig, batch_size: int) -> Callable[[QNetwork], QNetwork] | None:
    """What a network is put into before its weights are drawn; None: nothing."""
    if settings.distribution != "iqn":
        return None
    rows = batch_size * max(UPDATES_AT_ONCE.values())
    return functools.partial(ImplicitQuantileNetwork, rows=rows)


def networks_draw(settings: ExtensionsConfig) -> bool:
    """Do the networks compute with random numbers?"""
    return settings.distribution == "iqn" or settings.noisy_sigma > 0.0


def make_chance(settings: ExtensionsConfig, *, seed: int, device: str) -> Chance:
    """Random numbers that the networks compute with; `seed` is the run's."""
    if not networks_draw(settings):
        return NoChance()
    drawn = int(stream(seed, "noise").generate_state(1)[0])
    return DrawnBuffers(torch.Generator(device).manual_seed(drawn))


def make_sampler(config: Config, replay: FrameReplay, generator: np.random.Generator) -> Sampler:
    """Which transitions are learned from."""
    kind = UniformSampler if config.algorithm.replay else LatestSampler
    plain = kind(replay, config.replay.batch_size, generator, lambda step: schedules.replay_window(config, step))
    if config.extensions.priority_alpha == 0.0:
        return plain
    if config.extensions.priority_sampler == "exact":
        return ProportionalSampler(
            replay,
            config.replay.batch_size,
            generator,
            alpha=config.extensions.priority_alpha,
            beta=lambda step: schedules.priority_beta(config, step),
            at_once=UPDATES_AT_ONCE[replay.device.type],
        )
    return PrioritizedSampler(
        replay,
        plain,
        alpha=lambda step: schedules.priority_alpha(config, step),
        beta=config.extensions.priority_beta,
        at_once=UPDATES_AT_ONCE[replay.device.type],
    )


def make_reset(config: Config, algorithm: Resettable) -> NetworkReset:
    """Resets of the network in the middle of a run."""
    return NetworkReset(config, algorithm)


def make_before_learning(config: Config, algorithm: Subtracting, replay: FrameReplay) -> Callable[[], None]:
    """What is done once, after the warm-up and before the first update."""
    if not config.extensions.subtract_mean_frame:
        return lambda: None
    return functools.partial(tell_mean_frame, algorithm, replay.ring)
