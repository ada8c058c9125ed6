"""Noisy networks: exploration by noise on the weights, whose size is learned, instead of random actions.

    y = (mu_w + sigma_w * eps_w) x + mu_b + sigma_b * eps_b,    eps_w = f(eps_out) f(eps_in)^T,    eps_b = f(eps_out)

`weight` and `bias` are the means mu. random_buffers.py says when noise is to be drawn.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atari_dqn.extensions.random_buffers import RandomBuffers


def signed_root(normal: Tensor) -> Tensor:
    """A factor of the noise, from normal numbers: float32 of any shape.

    Source: Fortunato et al. 2018, section 3, below eq. 11.   f(x) = sgn(x) sqrt(|x|)
    """
    return normal.sign() * normal.abs().sqrt()


def noisy_linear(
    x: Tensor,
    weight: tuple[Tensor, Tensor],
    bias: tuple[Tensor, Tensor],
    noise_in: Tensor,
    noise_out: Tensor,
) -> Tensor:
    """A linear layer with factorized noise; the same noise for the whole batch.

    The noise is a product of two vectors, so it can stand before and behind the layer of the sigmas: the matrix of
    noisy weights is never built.

    Args:
      x:         [B, p] float.
      weight:    mean and sigma, [q, p] both.
      bias:      mean and sigma, [q] both.
      noise_in:  [p], f(eps_in).
      noise_out: [q], f(eps_out).

    Returns:
      [B, q].

    Source: Fortunato et al. 2018, eq. 9 to 11.
      y = (mu_w + sigma_w * noise_out noise_in^T) x + mu_b + sigma_b * noise_out
    """
    mean = F.linear(x, weight[0], bias[0])
    deviation = F.linear(x * noise_in.to(x.dtype), weight[1], bias[1])
    return mean + noise_out.to(mean.dtype) * deviation


class NoisyLinear(nn.Linear, RandomBuffers):
    """A linear layer with factorized Gaussian noise on its weights and biases.

    Initialization: means uniform in +-1/sqrt(in_features), the law "torch7" of `networks.initialize`; every sigma is
    sigma/sqrt(in_features), see `reset_sigma`.

    Args:
      in_features:  p, numbers that come in.
      out_features: q, numbers that go out.
      sigma:        sigma_0, initial size of the noise; Fortunato et al. and Rainbow on Atari: 0.5.

    Attributes:
      noise_in:  [p] float, f(eps_in); zeros: no noise.
      noise_out: [q] float, f(eps_out).

    Source: Fortunato et al. 2018, Noisy networks for exploration, eq. 9 to 11 and section 3.2.
    """

    noise_in: Tensor
    noise_out: Tensor

    def __init__(self, in_features: int, out_features: int, sigma: float = 0.5) -> None:
        super().__init__(in_features, out_features)
        self.sigma = sigma
        self.sigma_weight = nn.Parameter(torch.empty(self.weight.shape))
        self.sigma_bias = nn.Parameter(torch.empty(self.bias.shape))
        self.register_buffer("noise_in", torch.zeros(in_features), persistent=False)
        self.register_buffer("noise_out", torch.zeros(out_features), persistent=False)
        self.reset_sigma()

    @torch.no_grad()
    def reset_sigma(self) -> None:
        """Give the noise its initial size; the means are drawn by `networks.initialize`."""
        size = self.sigma / math.sqrt(self.in_features)
        self.sigma_weight.fill_(size)
        self.sigma_bias.fill_(size)

    def forward(self, x: Tensor) -> Tensor:
        """[B, p] -> [B, q]; see `noisy_linear`."""
        weight, bias = (self.weight, self.sigma_weight), (self.bias, self.sigma_bias)
        return noisy_linear(x, weight, bias, self.noise_in, self.noise_out)

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """See `RandomBuffers`."""
        for noise in (self.noise_in, self.noise_out):
            noise.copy_(signed_root(torch.randn(noise.shape, generator=generator, device=noise.device)))

    def silence(self) -> None:
        """The means alone."""
        self.noise_in.zero_()
        self.noise_out.zero_()
