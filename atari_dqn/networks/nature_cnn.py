"""Networks that map observations to Q-values. They know no reinforcement learning.

    [B, 4, 84, 84] uint8 -> /255 -> 32 @ 8x8/4 -> 64 @ 4x4/2 -> 64 @ 3x3/1 -> 3136 -> 512 -> A      (Mnih et al. 2015)

Integers enter, and the scaling to [0, 1] happens here and only here.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atari_dqn.errors import UsageError
from atari_dqn.networks.convolutions import STRIDE, convolve, space_to_depth, space_to_depth_kernel
from atari_dqn.networks.heads import QNetwork, in_full_precision
from atari_dqn.networks.histograms import Histograms
from atari_dqn.networks.vector import LinearQ, PolynomialQ, TabularQ
from atari_dqn.types import EnvSpec

PIXEL_SCALE = 1.0 / 255.0


class NatureCNN(QNetwork):
    """The Q-network of Mnih et al. 2015.

    Args:
      frame_stack:  K, frames in one observation.
      frame_shape:  (H, W) pixels, both multiples of 4; the paper's are (84, 84).
      num_actions:  A.
      hidden_sizes: units of the fully connected hidden layers; the paper's are (512,).
      layer_norm:   see `fully_connected`; the paper's has none.
      center_pixels: take off the mean frame of the warm-up, once `center_on` has told it; the paper's does not.
      histograms:    values are means of these; the paper's network says them itself.
      dueling:       see `Dueling`; the paper's has none.
    """

    FILTERS: ClassVar[tuple[tuple[int, int, int], ...]] = ((32, 8, STRIDE), (64, 4, 2), (64, 3, 1))
    """Channels, kernel size and stride of each convolution."""
    mean_frame: Tensor | None

    def __init__(
        self,
        frame_stack: int,
        frame_shape: tuple[int, int],
        num_actions: int,
        hidden_sizes: Sequence[int] = (512,),
        *,
        layer_norm: bool = False,
        center_pixels: bool = False,
        histograms: Histograms | None = None,
        dueling: bool = False,
    ) -> None:
        super().__init__()
        mean_frame = torch.zeros(frame_shape, dtype=torch.uint8) if center_pixels else None
        self.register_buffer("mean_frame", mean_frame)
        planes, size = frame_stack, torch.tensor(frame_shape)
        for number, (channels, kernel_size, stride) in enumerate(self.FILTERS, start=1):
            self.add_module(f"conv{number}", nn.Conv2d(planes, channels, kernel_size, stride))
            planes, size = channels, (size - kernel_size) // stride + 1
        features = planes * int(size.prod())
        self.add_layers(
            features, num_actions, hidden_sizes, layer_norm=layer_norm, histograms=histograms, dueling=dueling
        )

    @property
    def convolutions(self) -> list[nn.Conv2d]:
        """`conv1` and so on, in their order."""
        return [layer for layer in self.children() if isinstance(layer, nn.Conv2d)]

    def center_on(self, mean_frame: Tensor) -> None:
        """Say what the games look like on average: [H, W], pixels of 0 to 255; rounded.

        What stands still and is bright would else drown small things that move: the sums of the first layer, and its
        gradients, would be of the background.
        """
        assert self.mean_frame is not None, "the network was built without center_pixels"
        self.mean_frame.copy_(mean_frame.round())

    def outputs(self, obs: Tensor) -> Tensor:
        """See `QNetwork`; of [B, K, H, W] uint8."""
        first, *others = self.convolutions
        dtype = compute_dtype(first.weight)
        x = space_to_depth(obs).to(dtype)
        if self.mean_frame is not None:  # whole numbers up to 255, and their differences, are exact in bfloat16 too
            x = x - space_to_depth(self.mean_frame.expand(1, *obs.shape[1:])).to(dtype)
        kernel = space_to_depth_kernel(first.weight) * PIXEL_SCALE  # a few thousand weights instead of all pixels
        x = convolve(x, kernel, first.bias)
        for layer in others:
            x = convolve(F.relu_(x), layer.weight, layer.bias, layer.stride[0])
        x = F.relu_(x.flatten(1))  # in this order gradients are masked in one pass over memory
        return in_full_precision(self.last, self.hidden(x))


class NipsCNN(NatureCNN):
    """The smaller Q-network of Mnih et al. 2013, a third of the arithmetic; the paper's hidden_sizes are (256,).

    Source: Playing Atari with Deep Reinforcement Learning, section 4.1.
    """

    FILTERS: ClassVar[tuple[tuple[int, int, int], ...]] = ((16, 8, STRIDE), (32, 4, 2))


def compute_dtype(weight: Tensor) -> torch.dtype:
    """What pixels become: the autocast type, which spares a copy in float32, else the weights' type."""
    if torch.is_autocast_enabled(weight.device.type):
        return torch.get_autocast_dtype(weight.device.type)
    return weight.dtype


PIXEL_NETWORKS = {"nature_cnn": NatureCNN, "nips_cnn": NipsCNN}


class MLP(QNetwork):
    """Fully connected Q-network for vector observations: [B, K, D] or [B, D] float32 -> [B, A]."""

    def __init__(
        self,
        num_inputs: int,
        num_actions: int,
        hidden_sizes: Sequence[int],
        *,
        layer_norm: bool = False,
        histograms: Histograms | None = None,
        dueling: bool = False,
    ) -> None:
        super().__init__()
        self.add_layers(
            num_inputs, num_actions, hidden_sizes, layer_norm=layer_norm, histograms=histograms, dueling=dueling
        )

    def outputs(self, obs: Tensor) -> Tensor:
        """See `QNetwork`."""
        return in_full_precision(self.last, self.hidden(obs.flatten(1).float()))


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

    Layers that normalize get a gain of 1 and a bias of 0.

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
      UsageError: it has no weights, or does not give one value per action.
    """
    weights = next(model.parameters(), None)
    if weights is None:
        raise UsageError(f"{type(model).__name__} has no parameters: there is nothing to learn")
    shape = (2, frame_stack, *spec.frame_shape)
    q = model(torch.zeros(shape, dtype=getattr(torch, spec.frame_dtype), device=weights.device))
    if q.shape != (2, spec.num_actions):
        raise UsageError(
            f"{type(model).__name__} gives {tuple(q.shape)} for observations {shape}; {spec.game} has "
            f"{spec.num_actions} actions, so it must give one value per action: {(2, spec.num_actions)}"
        )


def make_model(
    spec: EnvSpec,
    *,
    network: str,
    frame_stack: int,
    hidden_sizes: Sequence[int],
    initializer: str = "torch7",
    layer_norm: bool = False,
    center_pixels: bool = False,
    value_bins: int = 0,
    value_limit: float = 10.0,
    dueling: bool = False,
    polynomial_degree: int = 2,
    table_bins: int = 8,
    seed: int,
) -> Model:
    """A network for this game with weights drawn from `seed`, on the CPU.

    Raises:
      UsageError: a network for pixels was asked for a game of vectors, or the other way round; one that needs the
        ranges of the numbers it sees, for a game that has none.
    """
    _refuse_another_kind(network, spec)
    ranges = spec.frame_range * frame_stack
    histograms = Histograms(value_bins, value_limit) if value_bins else None
    model: Model
    if network in PIXEL_NETWORKS:
        height, width = spec.frame_shape
        model = PIXEL_NETWORKS[network](
            frame_stack,
            (height, width),
            spec.num_actions,
            hidden_sizes,
            layer_norm=layer_norm,
            center_pixels=center_pixels,
            histograms=histograms,
            dueling=dueling,
        )
    elif network == "tabular":
        model = TabularQ(ranges, spec.num_actions, table_bins)
    elif network == "linear":
        model = LinearQ(ranges, spec.num_actions)
    elif network == "polynomial":
        model = PolynomialQ(ranges, spec.num_actions, polynomial_degree)
    else:
        num_inputs = frame_stack * math.prod(spec.frame_shape)
        model = MLP(
            num_inputs, spec.num_actions, hidden_sizes, layer_norm=layer_norm, histograms=histograms, dueling=dueling
        )
    initialize(model, torch.Generator().manual_seed(seed), initializer)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster convolutions on CPU and GPU


def _refuse_another_kind(network: str, spec: EnvSpec) -> None:
    if network == "own":
        raise UsageError("network is 'own': it comes from Python; pass it as model=...")
    is_image = len(spec.frame_shape) == 2
    if is_image != (network in PIXEL_NETWORKS):
        kind, right = ("images", "nature_cnn") if is_image else ("vectors", "mlp")
        raise UsageError(f"network is {network!r}, but {spec.game} shows {kind}: use {right!r}")
    if network in ("tabular", "linear", "polynomial") and not spec.frame_range:
        raise UsageError(f"network is {network!r}, but numbers that {spec.game} shows have no known range: use 'mlp'")
