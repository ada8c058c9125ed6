"""What heads with several outputs per action share: which of the outputs belong to which action.

    [B, A * M] outputs of the last layer -> [B, A, M]: M logits or quantiles of each action

The loss and the Q-values are of the heads themselves: c51.py and quantiles.py.
"""

from __future__ import annotations

import math

from torch import Tensor, nn


class DistributionalHead(nn.Module):
    """A distribution of returns for each action; no weights.

    Args:
      outputs: M, numbers per action.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    limit = math.inf

    def surprise(self, losses: Tensor, error: Tensor) -> Tensor:
        """Prioritized replay goes by the TD errors of the means."""
        return error

    def by_action(self, outputs: Tensor) -> Tensor:
        """[B, A * M] -> [B, A, M], the same memory."""
        return outputs.unflatten(1, (-1, self.outputs))

    def distribution(self, outputs: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Returns that one action in each state may lead to, and how likely each is: [B, M] float32 both."""
        raise NotImplementedError

    def of_actions(self, outputs: Tensor, action: Tensor) -> Tensor:
        """The outputs of one action in each state.

        Args:
          outputs: [B, A * M] float32.
          action:  [B] int64, in [0, A).

        Returns:
          [B, M] float32.
        """
        return self.by_action(outputs).gather(1, action[:, None, None].expand(-1, 1, self.outputs)).squeeze(1)
