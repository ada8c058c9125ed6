"""The agent turns observations into actions: `sample` explores, `predict` is greedy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from atari_dqn.config import Config
from atari_dqn.cuda_graph import Download, captured
from atari_dqn.dqn import parts, schedules
from atari_dqn.dqn.algorithm import DQN, Computation
from atari_dqn.dqn.exploration import EpsilonGreedy
from atari_dqn.dqn.optim import NoOptimizer, make_optimizer
from atari_dqn.dqn.second_thread import SecondThread
from atari_dqn.errors import UsageError
from atari_dqn.networks import check_model, make_model
from atari_dqn.networks.weights import get_weights, set_weights
from atari_dqn.seeding import stream
from atari_dqn.storage import checkpoint
from atari_dqn.types import EnvSpec, LearnStats, Transitions

if TYPE_CHECKING:  # Triton is not everywhere
    from atari_dqn.kernels.update import FusedUpdates

Loss = Callable[[Tensor], Tensor]  # of the TD error, [B] -> [B]


class Actor:
    """Chooses actions for observations that are built where the network is.

    On a GPU building, network and choice are one launch, and between `ask` and `answer` the caller is free.

    Args:
      algorithm:   predicts Q-values.
      observe:     makes observations, [N, K, ...], of what is asked about.
      cuda_graph:  act as one launch, on a GPU.
      second:      takes half of the observations in training; None: nobody does.
    """

    def __init__(
        self,
        algorithm: DQN,
        observe: Callable[[Tensor], Tensor],
        *,
        cuda_graph: bool,
        second: SecondThread | None = None,
    ) -> None:
        chance, model = algorithm.chance, algorithm.model

        def greedy(seen: Tensor) -> Tensor:
            chance.silence(model)
            return algorithm.predict(observe(seen)).argmax(dim=1)

        def in_training(seen: Tensor) -> Tensor:
            chance.renew(model)
            return algorithm.predict(observe(seen)).argmax(dim=1)

        self.greedy = captured(greedy, algorithm.device, record=cuda_graph)
        self.in_training: Callable[[Tensor], Tensor] = self.greedy
        if chance.generators:
            self.in_training = captured(in_training, algorithm.device, record=cuda_graph, generators=chance.generators)
        if second is not None:
            self.in_training = functools.partial(second.map_rows, greedy)
        self._download = Download()
        self._coins: tuple[np.ndarray, np.ndarray] | None = None  # of the question that waits for its answer

    def ask(self, seen: Tensor, coins: tuple[np.ndarray, np.ndarray]) -> None:
        """Begin to choose, for what `observe` takes; `coins` say who explores, and how: see `EpsilonGreedy`."""
        assert self._coins is None, "ask() twice: take the answer first"
        self._coins = coins
        explores, _ = coins
        if not explores.all():  # the warm-up needs no network
            self._download(self.in_training(seen))

    def answer(self) -> np.ndarray:
        """The actions, [n] int64. Waits for the device, but not for what was launched there since `ask`."""
        assert self._coins is not None, "answer() without ask()"
        (explores, random), self._coins = self._coins, None
        return random if explores.all() else np.where(explores, random, self._download.wait().numpy())

    def predict(self, seen: Tensor) -> np.ndarray:
        """Greedy actions; see `Agent.predict`."""
        action: np.ndarray = self.greedy(seen).cpu().numpy()
        return action


class Agent:
    """An algorithm with a policy on top.

    Args:
      algorithm:   learns and predicts Q-values.
      exploration: chance in `sample`; part of the state.
      cuda_graph:  act as one launch, on a GPU.
    """

    def __init__(self, algorithm: DQN, exploration: EpsilonGreedy, *, cuda_graph: bool = True) -> None:
        self.algorithm, self.exploration, self.cuda_graph = algorithm, exploration, cuda_graph
        self._actor = Actor(algorithm, lambda obs: obs, cuda_graph=cuda_graph)

    def actor(self, observe: Callable[[Tensor], Tensor]) -> Actor:
        """One that acts as this agent does, on observations that `observe` builds."""
        return Actor(self.algorithm, observe, cuda_graph=self.cuda_graph, second=self.algorithm.second)

    def sample(self, obs: Tensor, epsilon: float) -> np.ndarray:
        """Epsilon-greedy actions, one coin for each environment: [N, K, ...] -> [N] int64.

        Args:
          obs:     of all environments.
          epsilon: chance of a random action.

        Source: Mnih et al. 2015, Algorithm 1: with probability epsilon select a random action.
        """
        self._actor.ask(obs, self.exploration.draw(epsilon, first=0, count=len(obs), hold=False))
        return self._actor.answer()

    def predict(self, obs: Tensor) -> np.ndarray:
        """Greedy actions, the first of equals (D8): [N, K, ...] -> [N] int64. Waits for the device."""
        return self._actor.predict(obs)

    def learn(self, batch: Transitions, updates: int = 1, weights: Tensor | None = None) -> LearnStats:
        return self.algorithm.learn(batch, updates, weights)

    def get_weights(self) -> dict[str, np.ndarray]:
        """The online network as plain arrays by name: copies, on the host."""
        return get_weights(self.algorithm.model)

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Fill the online network; the target network follows at its next copy. See `weights.set_weights`."""
        set_weights(self.algorithm.model, weights)

    def state_dict(self) -> dict[str, Any]:
        return {
            "algorithm": self.algorithm.state_dict(),
            "exploration": self.exploration.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.algorithm.load_state_dict(state["algorithm"])
        self.exploration.load_state_dict(state["exploration"])

    def sync_target(self) -> None:
        self.algorithm.sync_target()

    def save(self, directory: Path) -> None:
        """Write networks, optimizer and exploration stream to a checkpoint directory."""
        checkpoint.save(directory, {"agent": self.state_dict()}, {})

    def restore(self, directory: Path) -> None:
        """Read the agent of any checkpoint: one that `save` wrote, or a whole run's. Its networks must fit."""
        state, _ = checkpoint.load(directory)
        self.load_state_dict(state["agent"])


def make_agent(
    config: Config, spec: EnvSpec, *, model: nn.Module | None = None, loss: Loss | None = None, learns: bool = True
) -> Agent:
    """The agent of a run on `config.machine.device` (resolved).

    Args:
      config: its settings.
      spec:   the game.
      model:  a network of your own, [B, K, ...] -> [B, A]; it is trained itself. None: the config's, fresh weights.
      loss:   a loss of your own, of the TD error, [B] -> [B]. None: the config's.
      learns: no: it only plays, and has no optimizer.

    Raises:
      UsageError: the network does not fit the game.
    """
    if model is None:
        model = _fresh_model(config, spec)
    else:
        check_model(model, spec, config.env.frame_stack)
    model = model.to(config.machine.device)
    optimizer: Optimizer = NoOptimizer()
    if learns:
        optimizer = make_optimizer(model.parameters(), config.optimizer, compiled=config.machine.compile == "on")
    algorithm = DQN(
        model,
        optimizer,
        config.algorithm,
        target_rule=parts.make_target(config.algorithm, config.extensions),
        chance=parts.make_chance(config.extensions, seed=config.seed, device=config.machine.device),
        loss=loss,
        max_grad_norm=config.optimizer.max_grad_norm,
        computation=Computation(
            config.machine.precision,
            compiled=config.machine.compile == "on" and config.machine.device.startswith("cuda"),
            two_threads=learns and learns_in_two_threads(config),
            fused=_fused(config, model, optimizer) if loss is None else None,
        ),
    )
    coins = np.random.default_rng(stream(config.seed, "acting"))
    exploration = EpsilonGreedy(
        config.env.num_envs,
        spec.num_actions,
        coins,
        schedule=lambda step: schedules.epsilon(config, step),
        ladder=config.extensions.epsilon_ladder,
        hold_until=config.replay.learning_starts if config.extensions.ez_greedy_warm_up else 0,
    )
    return Agent(algorithm, exploration, cuda_graph=config.machine.cuda_graph)


def learns_in_two_threads(config: Config) -> bool:
    """Is it on two cores of a CPU that `dqn/second_thread.py` helps? More threads divide operations, as torch does."""
    two = config.machine.device == "cpu" and config.machine.torch_threads == 2
    return two and config.network.network == "nature_cnn" and not parts.networks_draw(config.extensions)


def uses_own_kernels(config: Config) -> bool:
    """Is this the paper's DQN in bf16 on a GPU, compiled? Then `kernels/` updates it, if the network is the paper's."""
    nvidias = config.machine.device.startswith("cuda") and torch.version.hip is None  # no other GPU has been tried
    compiled = nvidias and config.machine.compile == "on" and config.machine.precision == "bf16"
    papers = (
        config.optimizer.optimizer == "rmsprop"
        and config.algorithm.loss == "huber"
        and config.algorithm.target
        and not config.algorithm.own_loss
    )
    added = any(
        (
            config.algorithm.double_q,
            config.extensions.priority_alpha,
            config.extensions.munchausen_alpha,
            config.extensions.noisy_sigma,
            config.extensions.distribution != "none",
            config.optimizer.max_grad_norm,
            config.optimizer.learning_rate_end_ratio < 1.0,
        )
    )
    fits = config.network.network == "nature_cnn" and config.replay.batch_size in (16, 32, 64)
    return bool(config.machine.own_kernels and compiled and papers and fits and not added)


def _fused(
    config: Config, model: nn.Module, optimizer: Optimizer
) -> Callable[[nn.Module, nn.Module], FusedUpdates] | None:
    """The updates by our own kernels, where they are written for them."""
    if not uses_own_kernels(config):
        return None
    from atari_dqn.kernels.network import fits
    from atari_dqn.kernels.update import FusedUpdates

    if not fits(model):
        return None
    return functools.partial(FusedUpdates, optimizer=optimizer, mean=config.algorithm.loss_reduction == "mean")


def count_weights(config: Config, spec: EnvSpec) -> int:
    """Numbers of the network that a config asks for, without making it."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in _fresh_model(config, spec).parameters())


def _fresh_model(config: Config, spec: EnvSpec) -> nn.Module:
    with torch.device("cpu"):  # where weights are only counted, arithmetic would load torch's compiler
        ending = parts.make_ending(config.extensions)
    return make_model(
        spec,
        config.network,
        frame_stack=config.env.frame_stack,
        seed=int(stream(config.seed, "init").generate_state(1)[0]),
        subtract_mean_frame=config.extensions.subtract_mean_frame,
        ending=ending,
        wrap=parts.make_wrap(config.extensions, config.replay.batch_size),
    )


def with_own_parts(config: Config, model: nn.Module | None, loss: Loss | None) -> Config:
    """Write down that the network or the loss is the caller's own, so that no resume can forget it.

    Raises:
      UsageError: the config is of a run with a part of its own, which is not given.
    """
    if model is None and config.network.network == "own":
        raise UsageError("network is 'own': it comes from Python; use train(..., model=...) as the run did")
    if loss is None and config.algorithm.own_loss:
        raise UsageError("the run has a loss of its own, from Python; use train(..., loss=...) as the run did")
    network = config.network.network if model is None else "own"
    return config.replace(network=network, own_loss=loss is not None)
