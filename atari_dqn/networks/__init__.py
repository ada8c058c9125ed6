"""Observations to action values: networks, which know no reinforcement learning.

In reading order: nature_cnn.py (the paper's), convolutions.py (its first layer, faster), heads.py (hidden layers and
how the last one says values), minatar_cnn.py (small pictures with channels), vector.py (games of a few numbers),
weights.py, dead_units.py.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
from torch import nn

from atari_dqn.errors import UsageError
from atari_dqn.networks.heads import PLAIN, Ending, QNetwork
from atari_dqn.networks.minatar_cnn import MinAtarCNN
from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.networks.vector import MLP, LinearQ, PolynomialQ, Ranges, TabularQ
from atari_dqn.settings.checks import DENSE_NETWORKS, about_the_observations
from atari_dqn.settings.learning import NetworkConfig
from atari_dqn.types import EnvSpec


def frozen_copy(model: nn.Module, precision: str) -> nn.Module:
    """A copy that is not trained; under "bf16" its large layers are what autocast would make of them each time."""
    frozen = copy.deepcopy(model).requires_grad_(False)
    if precision == "bf16" and isinstance(frozen, QNetwork):
        for layer in frozen.hidden:
            if isinstance(layer, nn.Linear):
                layer.to(torch.bfloat16)
    return frozen


def initialize(module: nn.Module, generator: torch.Generator, law: str = "torch7") -> None:
    """Draw the weights of linear and convolutional layers, in their order, from `generator`.

    Layers that normalize get a gain of 1 and a bias of 0, noisy ones also the initial size of their noise.

    Args:
      module:    the network.
      generator: source of chance.
      law:       `torch7`: weights and biases uniform in +-1/sqrt(fan_in). The others have biases of 0, and weights of
                 mean 0: `he_normal` with variance 2 / fan_in, `lecun_normal` with 1 / fan_in, `glorot_uniform` with
                 2 / (fan_in + fan_out).

    Sources: the paper's Lua code (torch7's default); He et al. 2015, eq. 10; LeCun et al. 1998, eq. 16; Glorot and
      Bengio 2010, eq. 16. nnabla-rl draws by `he_normal`, PFRL by `lecun_normal`, Dopamine by `glorot_uniform`.
    """
    for layer in module.modules():
        if reset := getattr(layer, "reset_sigma", None):
            reset()
        if isinstance(layer, nn.Linear | nn.Conv2d):
            assert layer.bias is not None
            fan_in = layer.weight[0].numel()
            if law == "torch7":
                bound = 1.0 / math.sqrt(fan_in)
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
                continue
            if law == "glorot_uniform":
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                variance = {"he_normal": 2.0, "lecun_normal": 1.0}[law] / fan_in
                nn.init.normal_(layer.weight, 0.0, math.sqrt(variance), generator=generator)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.LayerNorm):
            layer.reset_parameters()


Model = QNetwork | TabularQ | LinearQ | PolynomialQ


@torch.no_grad()
def check_model(model: nn.Module, spec: EnvSpec, frame_stack: int) -> None:
    """Refuse a network that does not fit the game, before it costs a run.

    Raises:
      UsageError: it has no weights, or others than float32, or does not give one value per action.
    """
    weights = next(model.parameters(), None)
    if weights is None:
        raise UsageError(f"{type(model).__name__} has no parameters: there is nothing to learn")
    if weights.dtype != torch.float32:
        raise UsageError(f"{type(model).__name__} has weights of {weights.dtype}; make it float32: model.float()")
    shape = (2, frame_stack, *spec.frame_shape)
    q = model(torch.zeros(shape, dtype=getattr(torch, spec.frame_dtype), device=weights.device))
    if q.shape != (2, spec.num_actions):
        raise UsageError(
            f"{type(model).__name__} gives {tuple(q.shape)} for observations {shape}; {spec.game} has "
            f"{spec.num_actions} actions, so it must give one value per action: {(2, spec.num_actions)}"
        )


def make_model(
    spec: EnvSpec,
    settings: NetworkConfig,
    *,
    frame_stack: int,
    seed: int,
    subtract_mean_frame: bool = False,
    ending: Ending = PLAIN,
    wrap: Callable[[QNetwork], QNetwork] | None = None,
) -> Model:
    """A network for this game with weights drawn from `seed`, on the CPU.

    Args:
      spec:        of the game.
      settings:    which network, its size, and the law of its first weights.
      frame_stack: K, frames in an observation.
      seed:        of the weights.
      subtract_mean_frame: a network for images sees pixels less the mean frame of the warm-up.
      ending:      of networks that have hidden layers.
      wrap:        what the network is put into before its weights are drawn.

    Raises:
      UsageError: the game shows another kind of observations, or numbers without known ranges that it needs.
    """
    _refuse_another_kind(settings.network, spec)
    model: Model
    if settings.network in DENSE_NETWORKS:
        model = _layered(spec, settings, frame_stack, subtract_mean_frame, ending)
    else:
        model = _of_ranges(spec.frame_range * frame_stack, spec.num_actions, settings)
    if wrap:
        assert isinstance(model, QNetwork)
        model = wrap(model)
    initialize(model, torch.Generator().manual_seed(seed), settings.initializer)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster convolutions on CPU and GPU


def _layered(
    spec: EnvSpec, settings: NetworkConfig, frame_stack: int, subtract_mean_frame: bool, ending: Ending
) -> NatureCNN | MinAtarCNN | MLP:
    sizes, layer_norm = settings.hidden_sizes, settings.layer_norm
    if settings.network == "mlp":
        num_inputs = frame_stack * math.prod(spec.frame_shape)
        return MLP(num_inputs, spec.num_actions, sizes, layer_norm=layer_norm, ending=ending)
    if settings.network == "minatar_cnn":
        height, width, channels = spec.frame_shape
        picture = (height, width, channels)
        return MinAtarCNN(frame_stack, picture, spec.num_actions, sizes, layer_norm=layer_norm, ending=ending)
    height, width = spec.frame_shape
    return NatureCNN(
        frame_stack,
        (height, width),
        spec.num_actions,
        sizes,
        layer_norm=layer_norm,
        subtract_mean_frame=subtract_mean_frame,
        ending=ending,
    )


def _of_ranges(ranges: Ranges, num_actions: int, settings: NetworkConfig) -> TabularQ | LinearQ | PolynomialQ:
    if settings.network == "tabular":
        return TabularQ(ranges, num_actions, settings.table_bins)
    if settings.network == "polynomial":
        return PolynomialQ(ranges, num_actions, settings.polynomial_degree)
    assert settings.network == "linear"
    return LinearQ(ranges, num_actions)


def _refuse_another_kind(network: str, spec: EnvSpec) -> None:
    if network == "own":
        raise UsageError("network is 'own': it comes from Python; pass it as model=...")
    for complaint in about_the_observations(network, spec.game, spec.frame_shape, ranges=bool(spec.frame_range)):
        raise UsageError(complaint)
