"""Munchausen: the reward gains the scaled log-probability of the action taken, the maximum becomes soft.

    y = r + alpha [tau ln pi(a|s)]_l0^0 + gamma sum_a' pi(a'|s') (Q(s', a') - tau ln pi(a'|s')),   pi = softmax(Q / tau)

All Q-values here are the target network's. `bonus` is the second term; `soft_weights` gives what `blend` of a head
makes the sum of, for values as for quantiles.
"""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from atari_dqn.types import Transitions


def log_policy(values: Tensor, temperature: float) -> Tensor:
    """Logarithm of the softmax policy, ln pi = Q / tau - logsumexp(Q / tau).

    Args:
      values:      [B, A] float32, Q-values.
      temperature: tau > 0: the policy is greedy towards 0.

    Returns:
      [B, A] float32, <= 0 and finite.

    Source: Vieillard et al. 2020, appendix B: the largest value is subtracted before the division.
    """
    return ((values - values.amax(dim=1, keepdim=True)) / temperature).log_softmax(dim=1)


def bonus(
    values: Tensor, action: Tensor, alpha: float = 0.9, temperature: float = 0.03, lowest: float = -1.0
) -> Tensor:
    """What is added to the reward: the less likely the action taken is under the policy, the less.

    Args:
      values:      [B, A] float32, target-network Q(s, .) where the action was taken.
      action:      [B] int64, in [0, A).
      alpha:       weight, in [0, 1].
      temperature: tau of the policy.
      lowest:      l0 <= 0: ln pi is not bounded below, so tau ln pi is cut off here.

    Returns:
      [B] float32, in [alpha * lowest, 0].

    Source: Vieillard et al. 2020, eq. 2, with the clipping and the numbers of section 4.   alpha [tau ln pi(a|s)]_l0^0
    """
    taken = log_policy(values, temperature).gather(1, action[:, None]).squeeze(1)
    return alpha * (temperature * taken).clamp(lowest, 0.0)


def soft_weights(values: Tensor, temperature: float = 0.03) -> tuple[Tensor, Tensor]:
    """The policy, and the scaled entropy that each action adds to what follows it.

    Args:
      values:      [B, A] float32, target-network Q(s', .).
      temperature: tau of the policy.

    Returns:
      pi and -tau ln pi, both [B, A] float32: sum_a pi_a (Q_a - tau ln pi_a) is the soft maximum tau logsumexp(Q / tau).

    Source: Vieillard et al. 2020, eq. 1.
    """
    log_pi = log_policy(values, temperature)
    return log_pi.exp(), -temperature * log_pi


class TargetNetwork(Protocol):
    """Says Q-values, observations -> [B, A]."""

    def predict_by_target(self, obs: Tensor) -> Tensor: ...


class MunchausenTarget:
    """The target of Munchausen, see `bellman.Target`.

    The bonus is of the first action of an n-step return. It costs one more pass through the target network.

    Args:
      alpha:       weight of the bonus.
      temperature: tau of the policy.
    """

    def __init__(self, alpha: float, temperature: float) -> None:
        self.alpha, self.temperature = alpha, temperature

    def __call__(
        self, head: Any, batch: Transitions, next_outputs: Tensor, networks: TargetNetwork
    ) -> tuple[Tensor, Tensor]:  # a head that can `blend`: scalar values or quantiles
        gained = bonus(networks.predict_by_target(batch.obs), batch.action, self.alpha, self.temperature)
        weights, shift = soft_weights(head.values(next_outputs), self.temperature)
        return batch.reward + gained, head.blend(next_outputs, weights, shift)
