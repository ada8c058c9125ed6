"""C51: the distribution of returns as a histogram of fixed atoms, trained by classification.

    support     -10  -9.6  ...  9.6  10      M = 51 atoms z_i
    network      p_0   p_1  ...  p_49 p_50    softmax of M logits for each action

The Bellman update moves the atoms to r + gamma z_i, between those of the support. `project` divides each one's
probability between its two neighbours, and the network learns the result by cross-entropy.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from atari_dqn.extensions.distributional import DistributionalHead


def project(support: Tensor, probability: Tensor, reward: Tensor, discount: Tensor) -> Tensor:
    """The distribution of r + discount * Z on the atoms of Z.

    An atom that lands between two of the support gives to each in proportion to its nearness; one that lands beyond
    the support counts as the nearest end. Mass is kept, and so is the mean where nothing lands beyond.

    Args:
      support:     [M] float32, atoms of Z, ascending and evenly spaced.
      probability: [B, M] float32, of each atom; rows sum to 1.
      reward:      [B] float32, n-step return.
      discount:    [B] float32, gamma to the power of the steps; 0 where terminated.

    Returns:
      [B, M] float32; rows sum to 1.

    Source: Bellemare et al. 2017, Algorithm 1 and eq. 7.   m_i = sum_j max(0, 1 - |clip(r + gamma z_j) - z_i| / dz) p_j
    """
    low, high = support[0], support[-1]
    moved = (reward[:, None] + discount[:, None] * support).clamp(low, high)
    place = (moved - low) / ((high - low) / (len(support) - 1))  # [B, M], in atoms from the lowest
    atom = torch.arange(len(support), device=support.device)
    # [B, M, M]: no additions to addresses that depend on values, so a GPU always adds in the same order
    nearness = (1.0 - (place[:, None, :] - atom[:, None]).abs()).clamp(min=0.0)
    return (nearness * probability[:, None, :]).sum(dim=2)


class CategoricalHead(DistributionalHead):
    """Distributions over `atoms` values, evenly spaced in [-limit, limit]. The network's outputs are logits.

    Args:
      atoms: M.
      limit: largest value that can be told, in discounted (clipped) rewards; larger targets count as this one.

    Source: Bellemare et al. 2017, A distributional perspective on reinforcement learning.
    """

    support: Tensor

    def __init__(self, atoms: int = 51, limit: float = 10.0) -> None:
        super().__init__(atoms)
        self.limit = limit
        self.register_buffer("support", torch.linspace(-limit, limit, atoms), persistent=False)

    def values(self, outputs: Tensor) -> Tensor:
        """Q-values, [B, A] float32: means of the distributions that logits, [B, A * M] float32, stand for."""
        return self.mean(self.by_action(outputs).softmax(dim=2))

    def distribution(self, outputs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """See `DistributionalHead`."""
        probability = self.of_actions(outputs, action).softmax(dim=1)
        return self.support.expand_as(probability), probability

    def mean(self, probability: Tensor) -> Tensor:
        """[..., M] float32 -> [...]."""
        return (probability * self.support).sum(dim=-1)

    def surprise(self, losses: Tensor, error: Tensor) -> Tensor:
        """Prioritized replay goes by the loss. Source: Hessel et al. 2018, Rainbow, section 3."""
        return losses

    def losses(
        self, outputs: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Divergence of the network's distributions from their targets.

        It is the cross-entropy of the paper without its constant, the entropy of the target: gradients are the same,
        and what is known perfectly has loss 0, which Rainbow's priorities rely on.

        Args:
          outputs:   [B, A * M] float32, logits of the online network.
          action:    [B] int64, actions taken, in [0, A).
          reward:    [B] float32, n-step return.
          discount:  [B] float32, gamma to the power of the steps; 0 where terminated.
          following: [B, M] float32, logits of the target network of the best action after them; no gradient.

        Returns:
          Losses, [B] float32, and TD errors, [B] float32: mean of the target minus Q(s, a), without gradient.

        Source: Bellemare et al. 2017, section 4.1; Hessel et al. 2018, section 2.   D_KL(target || p(s, a))
        """
        target = project(self.support, following.softmax(dim=1), reward, discount).detach()
        log_probability = self.of_actions(outputs, action).log_softmax(dim=1)
        error = self.mean(target) - self.mean(log_probability.detach().exp())
        return F.kl_div(log_probability, target, reduction="none").sum(dim=1), error
