"""HL-Gauss: values as means of histograms, taught by classification."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIGMA = 0.75  # width of the bell around a target, in bins; Farebrother et al. 2024, section 3.1


class HLGauss(nn.Module):
    """A head of `bins` equal ranges of [-limit, limit]; no weights. See `networks.heads.Head`.

    A regression's gradients are as large as the errors, and most of an error is chance. A histogram learns the chance
    too: what is left to learn from is what the network had thought unlikely.

    Args:
      bins:  N, ranges.
      limit: largest value that can be told, in discounted (clipped) rewards; larger targets count as this one.

    Source: Imani and White 2018, Improving regression performance with distributional losses (HL-Gauss);
      for Q-learning, Farebrother et al. 2024, Stop regressing.
    """

    edges: Tensor
    centers: Tensor

    def __init__(self, bins: int, limit: float) -> None:
        super().__init__()
        self.outputs, self.limit = bins, limit
        edges = torch.linspace(-limit, limit, bins + 1)
        self.register_buffer("edges", edges, persistent=False)
        self.register_buffer("centers", (edges[1:] + edges[:-1]) / 2, persistent=False)

    def values(self, outputs: Tensor) -> Tensor:
        """Values of all actions, [B, A] float32, from the network's outputs, [B, A * N] float32 (logits)."""
        return (self._by_action(outputs).softmax(dim=2) * self.centers).sum(dim=2)

    def target(self, value: Tensor) -> Tensor:
        """The histogram of a normal distribution around each value, cut off at the limits: [B] -> [B, N]."""
        width = 2 * self.limit / self.outputs
        places = (self.edges - value.clamp(-self.limit, self.limit)[:, None]) / (SIGMA * width * 2**0.5)
        below = torch.erf(places)
        return (below[:, 1:] - below[:, :-1]) / (below[:, -1:] - below[:, :1])

    def loss(self, outputs: Tensor, action: Tensor, value: Tensor) -> Tensor:
        """Cross-entropy of what the network says of the actions taken with their targets.

        Args:
          outputs: [B, A * N] float32, logits.
          action:  [B] int64, in [0, A).
          value:   [B] float32, the targets; receives no gradient.

        Returns:
          [B] float32.
        """
        taken = self._by_action(outputs)[torch.arange(len(action), device=action.device), action]
        return F.cross_entropy(taken, self.target(value.detach()), reduction="none")

    def of_actions(self, outputs: Tensor, action: Tensor) -> Tensor:
        """Values of one action each: [B, A * N], [B] int64 -> [B]. The target is a number, whatever its histogram."""
        return self.values(outputs).gather(1, action[:, None]).squeeze(1)

    def surprise(self, losses: Tensor, error: Tensor) -> Tensor:
        """Prioritized replay goes by the TD errors."""
        return error

    def distribution(self, outputs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Values in the middle of the bins and how likely each is, of one action in each state: [B, N] both."""
        logits = self._by_action(outputs)[torch.arange(len(action), device=action.device), action]
        return self.centers.expand_as(logits), logits.softmax(dim=1)

    def losses(
        self, outputs: Tensor, action: Tensor, reward: Tensor, discount: Tensor, following: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy with the histogram around r + gamma * following; see `networks.heads.Head`."""
        value = self.of_actions(outputs, action).detach()
        error = reward + discount * following - value
        return self.loss(outputs, action, value + error), error

    def _by_action(self, outputs: Tensor) -> Tensor:
        return outputs.unflatten(1, (-1, self.outputs))
