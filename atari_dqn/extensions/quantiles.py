"""QR-DQN: the distribution of returns as quantiles, trained by quantile regression.

    level      1/2N  3/2N  ...  (2N - 1)/2N      midpoints of N equal parts of [0, 1]
    network    z_1   z_2   ...  z_N              below z_i lies about that part of all returns

Unlike C51 it needs no limits: quantiles go where the returns are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from atari_dqn.extensions.distributional import DistributionalHead


def midpoints(count: int) -> Tensor:
    """Levels in the middle of `count` equal parts of [0, 1], [count] float32.

    Source: Dabney et al. 2018a, lemma 2: their quantiles are nearest to the distribution (Wasserstein distance).
    """
    return (torch.arange(count, device="cpu") + 0.5) / count


def quantile_huber_loss(quantile: Tensor, level: Tensor, target: Tensor, kappa: float = 1.0) -> Tensor:
    """Quantile regression with Huber's loss: errors above a quantile weigh its level, those below 1 minus it.

    Args:
      quantile: [B, N] float32, estimates.
      level:    [N] or [B, N] float32, what part of the returns each one is to be above, in [0, 1].
      target:   [B, N'] float32, samples or quantiles of the target distribution; receives no gradient.
      kappa:    error where the loss turns from quadratic to linear, > 0.

    Returns:
      [B] float32.

    Source: Dabney et al. 2018a, eq. 9 and 10.
      sum_i mean_j |level_i - 1{u_ij < 0}| L_kappa(u_ij), with u_ij = target_j - quantile_i
      Dabney et al. 2018b (IQN), eq. 3, is the same for kappa = 1.
    """
    error = target.detach()[:, None, :] - quantile[:, :, None]  # [B, N, N']
    size = error.abs()
    quadratic = size.clamp(max=kappa)
    huber = 0.5 * quadratic.square() + kappa * (size - quadratic)
    weight = (level[..., None] - (error.detach() < 0).float()).abs()
    return (weight * huber).mean(dim=2).sum(dim=1)


class QuantileHead(DistributionalHead):
    """Returns as `quantiles` quantiles at the midpoints of equal parts. The network's outputs are the quantiles.

    Args:
      quantiles: N.

    Source: Dabney et al. 2018a, Distributional reinforcement learning with quantile regression.
    """

    levels: Tensor

    def __init__(self, quantiles: int = 200) -> None:
        super().__init__(quantiles)
        self.register_buffer("levels", midpoints(quantiles), persistent=False)

    def quantiles_and_levels(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """What outputs, [B, A * N], say: quantiles, [B, A, N], and their levels, [N]."""
        return self.by_action(outputs), self.levels

    def values(self, outputs: Tensor) -> Tensor:
        """Q-values, [B, A] float32: means of the quantiles, [B, A * N] float32."""
        quantiles, _ = self.quantiles_and_levels(outputs)
        return quantiles.mean(dim=2)

    def distribution(self, outputs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """See `DistributionalHead`; quantiles are equally likely."""
        quantiles = self.of_actions(outputs, action)
        return quantiles, torch.full_like(quantiles, 1.0 / self.outputs)

    def blend(self, outputs: Tensor, weights: Tensor, shift: Tensor) -> Tensor:
        """Quantiles of all actions, shifted, then averaged: the target of Munchausen; see munchausen.py.

        Args:
          outputs: [B, A * N] float32.
          weights: [B, A] float32, rows sum to 1.
          shift:   [B, A] float32, added to the quantiles of each action.

        Returns:
          [B, N] float32.

        Source: Vieillard et al. 2020, section 4 (M-IQN).   sum_a weights_a (z_a + shift_a)
        """
        quantiles, _ = self.quantiles_and_levels(outputs)
        return (weights[:, :, None] * (quantiles + shift[:, :, None])).sum(dim=1)

    def losses(
        self, outputs: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Quantile regression towards r + discount * Z.

        Args:
          outputs:   [B, A * N] float32, quantiles of the online network.
          action:    [B] int64, actions taken, in [0, A).
          reward:    [B] float32, n-step return.
          discount:  [B] float32, gamma to the power of the steps; 0 where terminated.
          following: [B, N] float32, quantiles of the target network of what follows; no gradient.

        Returns:
          Losses, [B] float32, and TD errors, [B] float32: mean of the target minus Q(s, a), without gradient.

        Source: Dabney et al. 2018a, Algorithm 1.
        """
        target = (reward[:, None] + discount[:, None] * following).detach()
        _, levels = self.quantiles_and_levels(outputs)
        taken = self.of_actions(outputs, action)
        return quantile_huber_loss(taken, levels, target), target.mean(dim=1) - taken.detach().mean(dim=1)
