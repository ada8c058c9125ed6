"""The paper's RMSProp, and the choice of optimizer."""

from __future__ import annotations

import functools
import importlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

import torch
from torch import Tensor, nn

from atari_dqn.errors import UsageError
from atari_dqn.settings.learning import OptimizerConfig
from atari_dqn.storage.schema import Kind, array, table


class CenteredRMSProp(torch.optim.Optimizer):
    """RMSProp with centered second moment and epsilon under the root.

    Not `torch.optim.RMSprop`, which adds epsilon outside the root: with the paper's 0.01 that is another optimizer.
    Nothing here reads a number back from the device or depends on values, so a step can be captured in a CUDA graph.

    Args:
      params: parameters, float32.
      lr:     step size.
      decay:  of both averages, in [0, 1).
      eps:    added under the root, > 0.
      compiled: one pass over the weights, which needs a C++ compiler; the sums may round differently.

    Source: the paper's Lua code (NeuralQLearner.lua), after Graves 2013, eq. 38-41.
      g <- decay g + (1 - decay) d;  v <- decay v + (1 - decay) d^2;  w <- w - lr d / sqrt(v - g^2 + eps)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float | Tensor = 0.00025,
        decay: float = 0.95,
        eps: float = 0.01,
        compiled: bool = False,
    ) -> None:
        self.update = compiled_centered_rmsprop() if compiled else centered_rmsprop
        super().__init__(params, {"lr": lr, "decay": decay, "eps": eps})
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["gradient_average"] = torch.zeros_like(param)
                self.state[param]["square_average"] = torch.zeros_like(param)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        assert closure is None, "closures are not supported"
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            if not params:
                continue
            self.update(
                params,
                [param.grad for param in params],
                [self.state[param]["gradient_average"] for param in params],
                [self.state[param]["square_average"] for param in params],
                lr=group["lr"],
                decay=group["decay"],
                eps=group["eps"],
            )

    @torch.no_grad()
    def denominators(self) -> list[Tensor]:
        """What each parameter's gradient is divided by, its mean: sqrt(v - g^2 + eps), [] float32 on its device.

        At sqrt(eps) (the paper's: 0.1) the optimizer is plain gradient descent with a step of lr / sqrt(eps).
        """
        means = []
        for group in self.param_groups:
            for param in group["params"]:
                average, square = self.state[param]["gradient_average"], self.state[param]["square_average"]
                means.append((square - average.square() + group["eps"]).sqrt().mean())
        return means


def centered_rmsprop(
    params: list[Tensor],
    grads: list[Tensor],
    average: list[Tensor],
    square: list[Tensor],
    *,
    lr: float | Tensor,
    decay: float,
    eps: float,
) -> None:
    """One step of `CenteredRMSProp`, in place on params, average and square; the formula stands there."""
    rate = 1.0 - decay
    torch._foreach_lerp_(average, grads, rate)
    torch._foreach_mul_(square, decay)
    torch._foreach_addcmul_(square, grads, grads, value=rate)
    root = torch._foreach_addcmul(square, average, average, value=-1.0)
    torch._foreach_add_(root, eps)
    torch._foreach_sqrt_(root)
    if isinstance(lr, Tensor):  # one that changes, and may be part of a CUDA graph
        torch._foreach_div_(root, lr)
        lr = 1.0
    torch._foreach_addcdiv_(params, grads, root, value=-lr)


@functools.cache
def compiled_centered_rmsprop() -> Callable[..., None]:
    """`centered_rmsprop` as one pass over the weights instead of seven, by torch.compile: a third of the time."""
    torch._inductor.config.compile_threads = 1  # no pool of processes that outlives its one task
    options: dict[str, Any] = {"pattern_matcher": False}  # nothing is to be matched, and to prepare it takes a while
    return torch.compile(centered_rmsprop, fullgraph=True, dynamic=False, options=options)


def make_optimizer(
    params: Iterable[Tensor], settings: OptimizerConfig, *, compiled: bool = False
) -> torch.optim.Optimizer:
    """`rmsprop` (the paper's), `adam` (torch's, fused: one pass over the parameters) or `sgd` (plain gradient descent).

    Args:
      params:   of the network.
      settings: which of the three, and its numbers.
      compiled: see `CenteredRMSProp`; unused by the others.
    """
    load_compiler()
    params, eps = list(params), settings.optimizer_eps
    changes = settings.learning_rate_end_ratio < 1.0  # by `set_learning_rate`
    lr = torch.tensor(settings.learning_rate, device=params[0].device) if changes else settings.learning_rate
    if settings.optimizer == "adam":
        on_gpu = params[0].is_cuda  # there its step may be part of a CUDA graph
        return torch.optim.Adam(params, lr=lr, eps=eps, fused=True, capturable=on_gpu)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(params, lr=lr, fused=True)
    return CenteredRMSProp(params, lr=lr, decay=settings.rmsprop_decay, eps=eps, compiled=compiled)


def load_compiler() -> None:
    """What torch's first optimizer does, for a second: load the package of `torch.compile`.

    By a thread of its own: what is under way where it is loaded, a garbage collection would have to free.
    """
    loading = Thread(target=importlib.import_module, args=("torch._dynamo",), name="loading")
    loading.start()
    loading.join()


def named_denominators(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """`CenteredRMSProp.denominators` by the names of the model's parameters; none of other optimizers."""
    if not isinstance(optimizer, CenteredRMSProp):
        return {}
    return dict(zip((name for name, _ in model.named_parameters()), optimizer.denominators(), strict=True))


class NoOptimizer(torch.optim.Optimizer):
    """Of a network that only plays: it takes no memory, and no second in which torch loads its compiler."""

    def __init__(self) -> None:  # torch's would load it
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, Any] = defaultdict(dict)

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Refuse.

        Raises:
          UsageError: always.
        """
        raise UsageError("this network was loaded to play, without an optimizer; make_agent(config, spec) makes one")

    def state_dict(self) -> dict[str, Any]:
        return {"state": {}, "param_groups": []}


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Change the step size of an optimizer made as `scheduled`, also of one that is part of a CUDA graph."""
    for group in optimizer.param_groups:
        group["lr"].fill_(learning_rate)


def moments_of(optimizer: torch.optim.Optimizer) -> Kind:
    """What an optimizer's state in a checkpoint must be: by the number of a parameter, tensors of its shape.

    Adam makes them at the first update, so there may be none.
    """
    names = {CenteredRMSProp: ("gradient_average", "square_average"), torch.optim.Adam: ("exp_avg", "exp_avg_sq")}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kinds: dict[str, Kind] = {}
    for index, parameter in enumerate(parameters):
        like = array(parameter.shape, str(parameter.dtype).removeprefix("torch."))
        moments = dict.fromkeys(names.get(type(optimizer), ()), like)
        if isinstance(optimizer, torch.optim.Adam):
            moments["step"] = array((), "float32", 0)
        kinds[str(index)] = table(moments)
    return table(kinds) if isinstance(optimizer, CenteredRMSProp) else table({}, optional=kinds)


def load_moments(optimizer: torch.optim.Optimizer, stored: dict[str, Any]) -> None:
    """Take the moments of a checkpoint, see `moments_of`; the settings stay, which come from the config.

    Raises:
      UsageError: they are not what they must be.
    """
    groups = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments_of(optimizer)(stored, "agent.algorithm.optimizer")
    moments = {
        int(index): {name: laid_out_as(parameters[int(index)], value) for name, value in values.items()}
        for index, values in stored.items()
    }
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def laid_out_as(parameter: Tensor, value: Any) -> Any:
    """A copy of a gradient or a moment in the memory order of its parameter; anything else as it is."""
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    return value
