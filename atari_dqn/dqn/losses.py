"""The mathematics of DQN as pure functions on batches. No networks, no state, no devices."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def clip_reward(reward: Tensor) -> Tensor:
    """Rewards limited to [-1, 1], so that one learning rate serves games of every scale.

    Args:
      reward: any shape, float32, raw score change.

    Returns:
      Same shape.

    Source: Mnih et al. 2015, Methods, Training details.
    """
    return reward.clamp(-1.0, 1.0)


def n_step_return(reward: Tensor, *, gamma: float) -> Tensor:
    """Discounted sum of the rewards on the way to the bootstrap state.

    Args:
      reward: [B, n] float32, zero beyond the end of an episode.
      gamma:  discount per agent step, in [0, 1].

    Returns:
      [B] float32.

    Source: Watkins 1989; Sutton and Barto 2018, eq. 7.1.   R = sum_i gamma**i r_i
    """
    total = reward[:, -1]
    for i in range(reward.shape[1] - 2, -1, -1):
        total = reward[:, i] + gamma * total
    return total


def bootstrap_value(q_next: Tensor, q_next_online: Tensor | None = None) -> Tensor:
    """Value of the state after the rewards: the best action's, by the target network.

    Args:
      q_next:        [B, A] float32, target-network Q(s', .).
      q_next_online: [B, A] float32, online Q(s', .), which then picks the action; None for plain DQN.

    Returns:
      [B] float32; receives no gradient.

    Source: Mnih et al. 2015, Algorithm 1: max_a' Q_target(s', a').
      van Hasselt et al. 2016, eq. 4: Q_target(s', argmax_a' Q(s', a')).
    """
    return q_next.detach().gather(1, best_action(q_next, q_next_online)[:, None]).squeeze(1)


def best_action(q_next: Tensor, q_next_online: Tensor | None = None) -> Tensor:
    """The action whose value `bootstrap_value` takes, with the same arguments: [B] int64, the first of equals."""
    return (q_next if q_next_online is None else q_next_online).argmax(dim=1)


def td_error(
    q: Tensor,
    action: Tensor,
    reward: Tensor,
    terminated: Tensor | None,
    bootstrap: Tensor,
    discount: Tensor | float,
) -> Tensor:
    """Q-learning error, target minus Q(s, a).

    Args:
      q:          [B, A] float32, online Q(s, .).
      action:     [B] int64, action taken, in [0, A).
      reward:     [B] float32, clipped, summed over the steps between s and s'.
      terminated: [B] bool, True where no value follows; None: `discount` is 0 there.
      bootstrap:  [B] float32, value of s'.
      discount:   [B] float32 or a number: gamma to the power of the steps between s and s'.

    Returns:
      [B] float32.

    Source: Mnih et al. 2015, Algorithm 1.   y = r + gamma * max_a' Q_target(s', a'), and y = r where terminated.
    """
    value = bootstrap if terminated is None else bootstrap.masked_fill(terminated, 0.0)
    target = reward + discount * value
    return target - q.gather(1, action[:, None]).squeeze(1)


def clipped_loss(error: Tensor) -> Tensor:
    """Half the squared error whose gradient is limited to [-1, 1].

    Args:
      error: [B] float32, TD error.

    Returns:
      [B] float32.

    Source: Mnih et al. 2015, Methods: the error term is clipped to be between -1 and 1 (Huber's loss, threshold 1).
    """
    return F.huber_loss(error, error.new_zeros(()).expand_as(error), reduction="none", delta=1.0)


def squared_loss(error: Tensor) -> Tensor:
    """The squared error, [B] float32 for an error of [B] float32; its gradient is twice the error."""
    return error.square()


def clipped_squared_loss(error: Tensor) -> Tensor:
    """The squared error whose gradient, twice the error, is limited to [-1, 1]: up to twice the paper's gradient.

    Args:
      error: [B] float32, TD error d.

    Returns:
      [B] float32: d^2 where |d| <= 1/2, |d| - 1/4 beyond.

    Source: nnabla-rl's DQN, which clips the gradient of the squared error. Not the paper's loss.
    """
    return 2.0 * F.huber_loss(error, error.new_zeros(()).expand_as(error), reduction="none", delta=0.5)


LOSSES = {"huber": clipped_loss, "mse": squared_loss, "clipped_mse": clipped_squared_loss}
"""By the name that `Config.loss` gives them."""
