"""DQN: what is learned from a batch. Knows no environments, no replay, no exploration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from atari_dqn.dqn.bellman import Chance, NoChance, ScalarHead, Target, greedy_target
from atari_dqn.dqn.losses import LOSSES, clip_reward, n_step_return
from atari_dqn.dqn.optim import CenteredRMSProp, NoOptimizer, laid_out_as, load_moments
from atari_dqn.dqn.second_thread import Gradients, SecondThread
from atari_dqn.errors import UsageError
from atari_dqn.networks import frozen_copy
from atari_dqn.networks.heads import Head, QNetwork
from atari_dqn.networks.weights import sync_weights_to
from atari_dqn.settings.learning import AlgorithmConfig
from atari_dqn.types import LearnStats, Transitions

if TYPE_CHECKING:  # Triton is not everywhere
    from atari_dqn.kernels.update import FusedUpdates

PAPER, NO_CHANCE = AlgorithmConfig(), NoChance()


class Computation(NamedTuple):
    """How networks, loss and gradients are computed: their formulas stay what they are."""

    precision: str = "fp32"
    """"bf16" computes the networks under autocast; anything else leaves them as they are."""
    compiled: bool = False
    """Loss and gradients by torch.compile: fewer, larger kernels; sums may round differently."""
    two_threads: bool = False
    """On a CPU, by this thread and a second one; see `second_thread.py`. Of networks without chance."""
    fused: Callable[[nn.Module, nn.Module], FusedUpdates] | None = None
    """Makes what learns by our own kernels (see `kernels/`) from both networks; None for torch's."""


PLAIN = Computation()


class Minibatch(NamedTuple):
    """What one update learns from; powers of gamma are taken before: compiled, they would be kernels of their own."""

    batch: Transitions
    """[B]; its `reward` is the [B] n-step return."""
    discount: Tensor
    """[B], of each bootstrap value; 0 where none follows."""
    next_outputs: Tensor | None
    """The target network's at s', if it is used and was asked: [B, A * M]."""
    weight: Tensor | None
    """[B], of the losses; None for 1."""


class DQN:
    """Q-learning with a target network.

    Args:
      model:         online network, already on its device; observations -> [B, A].
      optimizer:     over the model's parameters.
      settings:      of targets and loss. When something is due, and over how many steps, is the learner's business.
      target_rule:   what is bootstrapped from; None for `greedy_target` of the settings.
      chance:        random numbers that the networks compute with.
      loss:          of the TD error, [B] -> [B], instead of the one that `settings` name.
      max_grad_norm: longest gradient, Euclidean; None for no limit (the paper).
      computation:   by what.

    Source: Mnih et al. 2015, Algorithm 1.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: AlgorithmConfig = PAPER,
        *,
        target_rule: Target | None = None,
        chance: Chance = NO_CHANCE,
        loss: Callable[[Tensor], Tensor] | None = None,
        max_grad_norm: float | None = None,
        computation: Computation = PLAIN,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.target = frozen_copy(model, computation.precision)
        self.gamma, self.use_target, self.loss_reduction = settings.gamma, settings.target, settings.loss_reduction
        self.reward_scale, self.clip_reward = settings.reward_scale, settings.clip_reward
        self.target_rule, self.chance = target_rule or greedy_target(settings), chance
        self.loss = loss or LOSSES[settings.loss]
        self.max_grad_norm, self.precision = max_grad_norm, computation.precision
        self.fused = computation.fused(model, self.target) if computation.fused else None
        self.second = SecondThread(model) if computation.two_threads else None
        self.head: Head = (model.head if isinstance(model, QNetwork) else None) or ScalarHead(self.loss)
        # torch's fused optimizers pair weights and gradients by their place in memory; on a CPU they do so unasked
        self.pairs_by_index = isinstance(optimizer, CenteredRMSProp)
        self.device = next(model.parameters()).device
        self.learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.surprise: Tensor  # of each transition of the last `learn`: what prioritized replay goes by
        # a function and no method, which would hold this object, and with it both networks, in a circle
        plain = DQN._loss_of_batch
        self._loss_of = torch.compile(plain, dynamic=False) if computation.compiled else plain

    @torch.no_grad()
    def predict(self, obs: Tensor) -> Tensor:
        """Q-values by the online network: [B, K, ...] -> [B, A] float32 on the learner's device."""
        return self._ask(self.model, obs)

    @torch.no_grad()
    def distribution(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor] | None:
        """Returns that the online network expects of one action each, and their chances: [B, M] both; else None."""
        of_head = getattr(self.head, "distribution", None)
        return None if of_head is None else of_head(self.outputs(self.model, obs), action)

    @torch.no_grad()
    def predict_by_target(self, obs: Tensor) -> Tensor:
        """Q-values by the target network: [B, K, ...] -> [B, A] float32 on the learner's device."""
        return self._ask(self.target, obs)

    def learn(self, batch: Transitions, updates: int = 1, weights: Tensor | None = None) -> LearnStats:
        """Optimizer steps on consecutive minibatches, between two copies of the target network.

        Never waits for the device: the returned scalars stay there.

        Args:
          batch:   [updates * B] transitions.
          updates: how many minibatches they make.
          weights: of their losses, [updates * B] float32; None for 1.

        Returns:
          Means over the updates; `grad_norm` of the last one, after any clipping. Then `surprise` holds what
          prioritized replay goes by, [updates * B].
        """
        with torch.no_grad():
            rewards = batch.reward if self.reward_scale == 1.0 else batch.reward * self.reward_scale
            rewards = clip_reward(rewards) if self.clip_reward else rewards
            reward = n_step_return(rewards, gamma=self.gamma)
            discount = self.gamma**batch.num_steps
            # all at once: the target network stands still (a second thread is asked for one minibatch after the other);
            # without it, each update asks the online network anew
            if self.fused is not None and weights is None:
                return self._learn_fused(self.fused, batch._replace(reward=reward), discount, updates)
            discount = discount.masked_fill(batch.terminated, 0.0)
            self.chance.renew(self.target)
            at_once = self.use_target and self.second is None
            following = self.outputs(self.target, batch.next_obs) if at_once else None
        parts = zip(*(tensor.chunk(updates) for tensor in batch._replace(reward=reward)), strict=True)
        none: list[Tensor | None] = [None] * updates
        weight = none if weights is None else weights.chunk(updates)
        values = none if following is None else following.chunk(updates)
        each = zip(parts, discount.chunk(updates), values, weight, strict=True)
        minibatches = [Minibatch(Transitions(*part), gammas, *more) for part, gammas, *more in each]
        stats = self._update_by_two(self.second, minibatches) if self.second else map(self._update, minibatches)
        losses, q_taken, errors, surprise = zip(*stats, strict=True)
        self.surprise = torch.cat(surprise)
        return LearnStats(
            loss=torch.stack(losses).mean(),
            q=torch.stack(q_taken).mean(),
            td_error=torch.cat(errors).abs().mean(),
            grad_norm=self._grad_norm(),
        )

    @torch.no_grad()
    def _learn_fused(self, fused: FusedUpdates, batch: Transitions, discount: Tensor, updates: int) -> LearnStats:
        """`learn` by our own kernels; see `_loss_of_batch` for `batch.reward` and `discount`."""
        target = batch.reward + discount * fused.best_values(batch.next_obs).masked_fill(batch.terminated, 0.0)
        self.surprise, q_taken = fused(batch.obs, batch.action, target, updates)
        losses = self.loss(self.surprise)
        return LearnStats(
            loss=losses.sum() / updates if self.loss_reduction == "sum" else losses.mean(),
            q=q_taken.mean(),
            td_error=self.surprise.abs().mean(),
            grad_norm=fused.grad_norm(),
        )

    def _update(self, minibatch: Minibatch) -> tuple[Tensor, ...]:
        """One optimizer step; returns what `_loss_of_batch` does."""
        self.chance.renew(self.model)
        loss, *stats = self._loss_of(self, *minibatch)
        # `backward` would copy each gradient whose memory order is not the weight's, as compiled convolutions have them
        self._descend(torch.autograd.grad(loss, self.learned, allow_unused=True))
        return loss.detach(), *stats

    def _update_by_two(self, second: SecondThread, minibatches: Sequence[Minibatch]) -> Iterator[tuple[Tensor, ...]]:
        """`_update` of each, while a second thread does what it can; one minibatch ahead with the target network."""
        ahead = second.submit(self._following, minibatches[0])
        for number, (batch, discount, _, weight) in enumerate(minibatches):
            own = len(batch.action) // 32 * 8  # rows: a quarter, in eights: sums of a few may round otherwise
            others = second.submit(self._targets_of, batch, ahead, slice(own, None))
            with second.watching():
                outputs = self.outputs(self.model, batch.obs)
            first = [self._targets_of(batch, ahead, slice(own))] if own else []
            targets = [torch.cat(rows) for rows in zip(*first, others.result(), strict=True)]
            loss, *stats = self._loss_of_outputs(outputs, batch.action, discount, weight, *targets)
            gradients = second.gradients(loss, self.learned)
            if number + 1 < len(minibatches):
                ahead = second.submit(self._following, minibatches[number + 1])
            self._descend(gradients())
            yield loss.detach(), *stats

    @torch.no_grad()
    def _following(self, minibatch: Minibatch) -> Tensor | None:
        return self.outputs(self.target, minibatch.batch.next_obs) if self.use_target else None

    @torch.no_grad()
    def _targets_of(self, batch: Transitions, following: Future[Tensor | None], rows: slice) -> tuple[Tensor, Tensor]:
        of_all = following.result()
        part = Transitions(*(tensor[rows] for tensor in batch))
        return self._targets(part, of_all if of_all is None else of_all[rows])

    def _loss_of_batch(
        self, batch: Transitions, discount: Tensor, next_outputs: Tensor | None, weight: Tensor | None
    ) -> tuple[Tensor, ...]:
        """What is minimised, of a `Minibatch`.

        Returns:
          Loss [], mean Q of the actions taken [], TD errors [B], what prioritized replay goes by [B]; only the loss has
          a gradient.
        """
        with torch.no_grad():
            targets = self._targets(batch, next_outputs)
        return self._loss_of_outputs(self.outputs(self.model, batch.obs), batch.action, discount, weight, *targets)

    def _targets(self, batch: Transitions, next_outputs: Tensor | None) -> tuple[Tensor, Tensor]:
        if next_outputs is None:
            next_outputs = self.outputs(self.model, batch.next_obs)
        return self.target_rule(self.head, batch, next_outputs, self)

    def _loss_of_outputs(
        self,
        outputs: Tensor,
        action: Tensor,
        discount: Tensor,
        weight: Tensor | None,
        reward: Tensor,
        following: Tensor,
    ) -> tuple[Tensor, ...]:
        losses, error = self.head.losses(outputs, action, reward, discount, following)
        surprise = self.head.surprise(losses.detach(), error)
        if weight is not None:
            losses = losses * weight
        loss = losses.sum() if self.loss_reduction == "sum" else losses.mean()
        q = self.head.values(outputs.detach())
        return loss, q.gather(1, action[:, None]).mean(), error, surprise

    def _descend(self, grads: Gradients) -> None:
        """A step of the optimizer, by the gradients of `learned`."""
        for parameter, grad in zip(self.learned, grads, strict=True):
            same_order = grad is None or grad.stride() == parameter.stride()
            parameter.grad = grad if same_order or self.pairs_by_index else laid_out_as(parameter, grad)
        if self.max_grad_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.learned, self.max_grad_norm, self._grad_norm())
        self.optimizer.step()

    @torch.no_grad()
    def _grad_norm(self) -> Tensor:
        return torch.nn.utils.get_total_norm([p.grad for p in self.model.parameters() if p.grad is not None])

    def sync_target(self) -> None:
        """Copy the online network into the target network."""
        sync_weights_to(self.model, self.target)

    def outputs(self, network: nn.Module, obs: Tensor) -> Tensor:
        """Of the last layer, which `head` makes values of: [B, A * M] float32."""
        return self._ask(network.outputs if isinstance(network, QNetwork) else network, obs)

    def _ask(self, network: Callable[[Tensor], Tensor], obs: Tensor) -> Tensor:
        if self.precision != "bf16":
            return network(obs).float()
        with torch.autocast(self.device.type, torch.bfloat16):
            return network(obs).float()

    def state_dict(self) -> dict[str, Any]:
        """Both networks and the optimizer; tensors are the live ones."""
        return {
            "model": dict(self.model.state_dict()),
            "target": dict(self.target.state_dict()),
            **({"chance": chance} if (chance := self.chance.state_dict()) else {}),
            "optimizer": {str(index): dict(values) for index, values in self.optimizer.state_dict()["state"].items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        try:
            self.model.load_state_dict(state["model"])
            self.target.load_state_dict(state["target"])
        except RuntimeError as error:
            _, *mismatches = str(error).splitlines()  # the first line names the class
            told = " ".join((mismatches or [str(error)])[0].split())
            raise UsageError(f"the stored weights fit another network than this one ({told})") from error
        if "chance" in state:
            self.chance.load_state_dict(state["chance"])
        if isinstance(self.optimizer, NoOptimizer):
            return
        load_moments(self.optimizer, state["optimizer"])
