"""The paper's update, launch by launch: twelve kernels on the way from a minibatch to new weights, four beside it.

    main    conv1 conv2 conv3 hidden head | features  conv3'    conv2'    conv1"  step1 |
    beside                                |           hidden", head": gradients and step|  joined before the next update
                                          |           conv3"    step3                   |
                                          |                     conv2"    step2         |

' is the gradient of what went in, " that of the weights. A step writes the copies in bfloat16 that ' reads, so it
waits for it. Weights, averages and sums are float32. Sums have a fixed order: the same inputs give the same bits.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from atari_dqn.kernels import convolution, dense, network, optimizer
from atari_dqn.kernels.network import FEATURES, HIDDEN_PARTS, LAYERS, PLACES, PLANES, POSITIONS_AT_ONCE, UNITS, Network
from atari_dqn.networks.convolutions import PIXEL_SCALE

STEP_BLOCK = 256  # weights of a convolution that one program steps


class Workspace:
    """What lies between the kernels of one update, at a batch size."""

    def __init__(self, batch: int, device: torch.device, dtype: torch.dtype) -> None:
        def empty(*shape: int, of: torch.dtype = dtype) -> Tensor:
            return torch.full(shape, math.nan, dtype=of, device=device)

        f32 = torch.float32
        self.active = [empty(batch, layer.OUT**2 * layer.O) for layer in LAYERS]
        self.grads = [torch.empty_like(active) for active in self.active]
        self.parts = [empty(layer.parts(batch), layer.weights, of=f32) for layer in LAYERS]
        self.bias_parts = [empty(layer.parts(batch), layer.O, of=f32) for layer in LAYERS]
        self.hidden_parts = empty(HIDDEN_PARTS, batch, UNITS, of=f32)
        self.h, self.dh = empty(batch, UNITS, of=f32), empty(batch, UNITS)
        self.dq = empty(batch, of=f32)


class FusedUpdates:
    """Optimizer steps on minibatches, for one network.

    Args:
      model:     one that `network.fits`; its weights are changed in place.
      target:    of the same build; its large layers may be in bfloat16.
      optimizer: CenteredRMSProp over its parameters; its averages are changed in place.
      mean:      the loss is the mean over a minibatch; else the sum.
      dtype:     of what is multiplied; float32 is for tests.
    """

    def __init__(
        self,
        model: nn.Module,
        target: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        mean: bool,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        self.online = Network(model, dtype)
        self.target = Network(target, dtype)
        self.optimizer, self.mean, self.dtype, self.device = optimizer, mean, dtype, self.online.device
        of_dense = [(UNITS // 64) * (FEATURES // 64), UNITS // 64]
        self.programs = [layer.weights // STEP_BLOCK for layer in LAYERS] + of_dense
        self.norms = torch.zeros(sum(self.programs), device=self.device)  # squares of the gradient, by program
        self.workspaces: dict[int, Workspace] = {}
        self.streams = [torch.cuda.Stream(self.device) for _ in range(3)] if self.device.type == "cuda" else []

    @torch.no_grad()
    def __call__(self, obs: Tensor, action: Tensor, target: Tensor, updates: int) -> tuple[Tensor, Tensor]:
        """So many updates on consecutive minibatches of B = len(obs) / updates.

        Args:
          obs:     [updates * B, 4, 84, 84] uint8.
          action:  [updates * B] int64.
          target:  [updates * B] float32, of Q(s, a).
          updates: number of minibatches.

        Returns:
          TD errors and values of the actions taken, [updates * B] float32 each.
        """
        batch = len(obs) // updates
        if batch not in self.workspaces:
            self.workspaces[batch] = Workspace(batch, self.device, self.dtype)
        self.online.copy_weights()  # somebody may have changed them since the last call
        cells = self.online.cells(obs)
        errors, q_taken = torch.empty_like(target), torch.empty_like(target)
        target = target.contiguous()
        for first in range(0, len(obs), batch):
            part = slice(first, first + batch)
            self.update(self.workspaces[batch], cells[part], action[part], target[part], errors[part], q_taken[part])
        return errors, q_taken

    def grad_norm(self) -> Tensor:
        """Euclidean norm of the gradient of the last update, [] on the device."""
        return self.norms.sum().sqrt()

    def best_values(self, obs: Tensor) -> Tensor:
        """max_a Q(s, a) by the target network: [B, 4, 84, 84] uint8 -> [B] float32."""
        return self.target.best_values(obs)

    def update(
        self, space: Workspace, cells: Tensor, action: Tensor, target: Tensor, error: Tensor, q_taken: Tensor
    ) -> None:
        """One minibatch, launch by launch; fills `error` and `q_taken`, [B] float32 each."""
        batch = len(action)
        inputs, copies = [cells, *space.active[:2]], self.online.copies
        self.online.forward(cells, space.active, space.hidden_parts)
        constants = {"BATCH": batch, "UNITS": UNITS}
        of_features, features = constants | {"FEATURES": FEATURES}, space.active[2]
        hidden, last = self.online.hidden, self.online.last
        hidden_bias, weight, bias = (p.detach() for p in (hidden.bias, last.weight, last.bias))
        network.launch(
            dense.head, (batch,),
            space.hidden_parts, hidden_bias, weight, bias, action, target, space.h, space.dh, space.dq, error, q_taken,
            1.0 / batch if self.mean else 1.0, PARTS=HIDDEN_PARTS, ROWS=8, **constants,
        )  # fmt: skip
        network.launch(
            dense.features_gradient, (FEATURES // 32,), space.dh, copies[3], features, space.grads[2],
            PLACES=PLACES, BLOCK=32, BLOCK_K=64, stages=4, **of_features,
        )  # fmt: skip
        with self.beside(0):
            self._step_dense(space, features, action, of_features)
        for number in (2, 1):
            with self.beside(number):
                self._weight_gradient(number, inputs[number], space, batch)
            self._input_gradient(number, inputs[number], space, batch)
            with self.beside(number):
                self._step_convolution(number, space)
        self._weight_gradient(0, cells, space, batch)
        self._step_convolution(0, space)
        for stream in self.streams:
            torch.cuda.current_stream().wait_stream(stream)

    @contextlib.contextmanager
    def beside(self, number: int) -> Iterator[None]:
        """A branch that begins when what the main stream has been given so far is over; in the end all are joined."""
        if not self.streams:
            yield
            return
        self.streams[number].wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.streams[number]):
            yield

    def _input_gradient(self, number: int, x: Tensor, space: Workspace, batch: int) -> None:
        layer = LAYERS[number]
        places = batch * (layer.SIZE // layer.STRIDE) ** 2
        grid = (math.ceil(places / layer.backward_block), layer.STRIDE**2)
        network.launch(
            convolution.input_gradient, grid,
            space.grads[number], self.online.copies[number], x, space.grads[number - 1],
            IMAGES=batch, BLOCK=layer.backward_block, stages=4, **layer.shape,
        )  # fmt: skip

    def _weight_gradient(self, number: int, x: Tensor, space: Workspace, batch: int) -> None:
        layer = LAYERS[number]
        grid = (layer.KERNEL**2 * layer.C // 64, layer.parts(batch))
        network.launch(
            convolution.weight_gradient, grid,
            x, space.grads[number], space.parts[number], space.bias_parts[number],
            POSITIONS=layer.positions(batch), STEPS=layer.steps, BLOCK=POSITIONS_AT_ONCE, BLOCK_K=64, **layer.shape,
        )  # fmt: skip

    def _step_convolution(self, number: int, space: Workspace) -> None:
        layer, module, of_pixels = LAYERS[number], self.online.convolutions[number], number == 0
        parts = len(space.parts[number])
        network.launch(
            optimizer.convolution_step, (self.programs[number],),
            space.parts[number], *self._with_averages(module.weight), self.online.copies[number],
            space.bias_parts[number], *self._with_averages(module.bias), self._norms(number), *self._settings(),
            PIXEL_SCALE if of_pixels else 1.0,
            SIZE=layer.weights, O=layer.O, PARTS=parts, ROWS=1 << (parts - 1).bit_length(),
            PLANES=PLANES if of_pixels else 0, BLOCK=STEP_BLOCK,
        )  # fmt: skip

    def _step_dense(self, space: Workspace, features: Tensor, action: Tensor, constants: dict[str, int]) -> None:
        hidden, last = self.online.hidden, self.online.last
        network.launch(
            optimizer.hidden_step, (FEATURES // 64, UNITS // 64),
            space.dh, features, *self._with_averages(hidden.weight), self.online.copies[3], self._norms(3),
            *self._settings(), BLOCK_M=64, BLOCK_N=64, **constants,
        )  # fmt: skip
        network.launch(
            optimizer.head_step, (UNITS // 64,),
            space.dh, space.h, space.dq, action, *self._with_averages(hidden.bias),
            *self._with_averages(last.weight), *self._with_averages(last.bias), self._norms(4), *self._settings(),
            BATCH=constants["BATCH"], UNITS=UNITS, ACTIONS=len(last.bias), BLOCK=64,
        )  # fmt: skip

    def _with_averages(self, weight: Any) -> tuple[Tensor, Tensor, Tensor]:
        """A weight and the optimizer's two averages of it, as they lie in memory now."""
        state = self.optimizer.state[weight]
        return weight.detach(), state["gradient_average"], state["square_average"]

    def _norms(self, number: int) -> Tensor:
        return self.norms[sum(self.programs[:number]) :]

    def _settings(self) -> tuple[float, float, float, float]:
        """Step size, decay, 1 - decay, epsilon."""
        (group,) = self.optimizer.param_groups
        return group["lr"], group["decay"], 1.0 - group["decay"], group["eps"]
