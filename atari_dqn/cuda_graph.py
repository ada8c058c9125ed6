"""Getting work to a GPU with little waiting: one launch for many kernels, copies that nobody waits for.

On a CPU both are the plain thing: `captured(fn)` calls `fn`, `Upload` copies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class Upload:
    """Copies host tensors to the device through a pinned buffer, without waiting for the copy.

    The buffer is not rewritten before the copy that reads it is over.
    """

    def __init__(self, device: torch.device | str) -> None:
        self.device = torch.device(device)
        self.staging: Tensor | None = None
        self.copied: torch.cuda.Event | None = None

    def __call__(self, host: Tensor, out: Tensor) -> None:
        """Fill `out`, on the device, with `host`, of the same shape and type.

        Pinned memory is read where it lies: it must stay as it is until the next call.
        """
        if self.device.type != "cuda" or host.is_cuda:
            out.copy_(host)
            return
        if self.copied is None:
            self.copied = torch.cuda.Event()
        self.copied.synchronize()
        if not host.is_pinned():
            if self.staging is None or self.staging.shape != host.shape or self.staging.dtype != host.dtype:
                self.staging = torch.empty_like(host, pin_memory=True)
            host = self.staging.copy_(host)
        out.copy_(host, non_blocking=True)
        self.copied.record()


class Download:
    """Copies a device tensor to the host while the caller goes on: a call begins the copy, `wait` gives it."""

    def __init__(self) -> None:
        self.staging: Tensor | None = None
        self.copied: torch.cuda.Event | None = None

    def __call__(self, source: Tensor) -> None:
        """Begin; what is launched later on the device does not delay it."""
        if source.device.type != "cuda":
            self.staging = source
            return
        if self.copied is None or self.staging is None or self.staging.shape != source.shape:
            self.staging = torch.empty_like(source, device="cpu", pin_memory=True)
            self.copied = torch.cuda.Event()
        self.staging.copy_(source, non_blocking=True)
        self.copied.record()

    def wait(self) -> Tensor:
        """The copy, on the host; the next call overwrites it."""
        assert self.staging is not None
        if self.copied is not None:
            self.copied.synchronize()
        return self.staging


class captured:  # noqa: N801  # used like a function: captured(fn)
    """The function `fn`, on CUDA replayed as one graph for each shape of its inputs.

    The first call with a shape runs `fn` as it is, in a stream of its own (libraries set themselves up, gradients
    and moments come into being); the second records the graph, and from then on one launch replays it. So nothing
    is ever computed twice or thrown away, and what the graph replays is `fn` itself.

    Args:
      fn:     takes tensors, returns a tensor or None. It must work in place on memory that stays where it is, and
              must not read from the device, choose by the values of tensors, or keep references to its inputs.
      device: where it runs. Inputs may be on the host; outputs are overwritten by the next call.
      record: no: every call runs `fn` as it is.
      generators: what `fn` draws from, beside the device's own.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        device: torch.device | str,
        *,
        record: bool = True,
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self.fn, self.device, self.record, self.generators = fn, torch.device(device), record, generators
        self.plans: dict[tuple[torch.Size, ...], _Plan] = {}

    def __call__(self, *inputs: Tensor) -> Any:
        if self.device.type != "cuda":
            return self.fn(*inputs)
        key = tuple(tensor.shape for tensor in inputs)
        if key not in self.plans:
            self.plans[key] = _Plan(self.fn, inputs, self.device, record=self.record, generators=self.generators)
        return self.plans[key](*inputs)


class _Plan:
    """One shape of inputs: their places on the device, and the graph once it is recorded."""

    def __init__(
        self,
        fn: Callable[..., Any],
        inputs: tuple[Tensor, ...],
        device: torch.device,
        *,
        record: bool,
        generators: Sequence[torch.Generator],
    ) -> None:
        self.fn, self.record, self.generators = fn, record, generators
        self.inputs = [torch.empty_like(tensor, device=device) for tensor in inputs]
        self.uploads = [Upload(device) for _ in inputs]
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.output: Any = None

    def __call__(self, *inputs: Tensor) -> Any:
        for upload, host, place in zip(self.uploads, inputs, self.inputs, strict=True):
            upload(host, place)
        self.calls += 1
        if self.calls == 1 or not self.record:
            return self._run_plainly()
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            for generator in self.generators:
                self.graph.register_generator_state(generator)
            # other threads (a checkpoint being written) may use the device meanwhile
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.output = self.fn(*self.inputs)
        self.graph.replay()
        return self.output

    def _run_plainly(self) -> Any:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            output = self.fn(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        return output
