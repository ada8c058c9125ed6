"""An update on two cores: two threads do whole operations that do not wait for each other.

    the caller   Q(s, .)         | values at s': a quarter | gradients of the layers' inputs | optimizer
    the second   Q_target(s', .) | values at s': the rest  | gradients of their weights      | Q_target of the next

Torch's own threads divide each operation, and meet after it: some sixty times an update. Where anything else wants a
core, all of them wait for the one that lost it. These two meet twice, and since one thread computes each operation as a
whole, the numbers are those of one thread, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import get_ident
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

T = TypeVar("T")
Gradients = Sequence[Tensor]


class _Layer(NamedTuple):
    """One that was asked: its weights, and where in the graph its output was made."""

    weights: tuple[Tensor, ...]
    output: GradientEdge


class SecondThread:
    """Does what it is given, one thing after the other, beside the caller.

    Args:
      model: whose gradients `gradients` computes. Each of its layers is asked once in a forward pass.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
        self._pool: ThreadPoolExecutor | None = None
        self._asked: list[_Layer] = []

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have it call a function, after what was submitted before."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "learner", _begin_as, (flushes_denormals(),))
        return self._pool.submit(function, *arguments)

    def map_rows(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """A function of rows: it takes the second half of them."""
        first, *rest = rows.chunk(2)
        jobs = [self.submit(function, half) for half in rest]
        return torch.cat([function(first), *(job.result() for job in jobs)])

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Meanwhile note which layers the caller asks, for `gradients` of what comes of it."""
        self._asked.clear()

        def note(layer: nn.Module, _: Any, output: Tensor) -> None:
            if output.requires_grad:  # else it is the second thread that asks
                self._asked.append(_Layer(tuple(layer.parameters(recurse=False)), get_gradient_edge(output)))

        handles = [layer.register_forward_hook(note) for layer in self.layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def gradients(self, loss: Tensor, weights: Sequence[Tensor]) -> Callable[[], Gradients]:
        """Begin what `torch.autograd.grad` makes of a loss and weights; returns what gives it.

        The caller follows the chain of the layers' inputs. What a layer's weights have to do with it is known once the
        chain has come to its output, and nothing waits for that but the optimizer: the second thread does it.

        Args:
          loss:    [], of outputs that were computed `watching`.
          weights: all that are learned.
        """
        first, *others = self._asked  # the chain ends at the first layer's output: pixels have no gradient
        self._asked.clear()
        caller = get_ident()
        jobs: list[tuple[_Layer, Future[Gradients]]] = []

        def hand_over(layer: _Layer) -> Callable[[Gradients], None]:
            def come_to(outputs: Gradients) -> None:
                if get_ident() == caller:  # the second thread's jobs come by, too
                    jobs.append((layer, self.submit(_of_weights, layer, outputs[layer.output.output_nr])))

            return come_to

        # removed in the end: a graph that is held by its own hook would never go
        handles = [layer.output.node.register_prehook(hand_over(layer)) for layer in others]
        apart = {weight for layer in (first, *others) for weight in layer.weights}
        between = [weight for weight in weights if weight not in apart]  # of layer norm
        ends: list[Any] = [first.output, *between]
        of_first, *rest = torch.autograd.grad(loss, ends, retain_graph=True)

        def result() -> Gradients:
            found = dict(zip(between, rest, strict=True))
            found |= zip(first.weights, _of_weights(first, of_first), strict=True)
            for layer, job in jobs:
                found |= zip(layer.weights, job.result(), strict=True)
            for handle in handles:
                handle.remove()
            return [found[weight] for weight in weights]

        return result


def _begin_as(flush: bool) -> None:
    """Modes of the second thread that are each thread's own: denormals as in the caller's, and no casts kept.

    Autocast keeps the weights that it has cast for all threads. Torch 2.8 hands those that were cast without a gradient
    to whoever asks next, and the caller would find no way back to the weights.
    """
    torch.set_flush_denormal(flush)
    torch.set_autocast_cache_enabled(False)


def flushes_denormals() -> bool:
    """Does this thread take numbers below 1.2e-38 for 0? Torch sets that mode of the processor and does not tell it."""
    return not torch.full((), 1e-40, dtype=torch.float32, device="cpu").mul(0.5).item()


def _of_weights(layer: _Layer, of_output: Tensor) -> Gradients:
    return torch.autograd.grad([layer.output], layer.weights, [of_output], retain_graph=True)
