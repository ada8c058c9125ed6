"""Random numbers that a network computes with: they lie in buffers and are drawn anew from outside, in place.

So a CUDA graph and a compiled function read what was drawn last, and no chance is hidden in a forward pass. Call
`draw_noise` before each minibatch, for the online and the target network each, and before each choice of actions where
that uses the buffers; `silence` before an evaluation. Checkpoints hold no buffers: keep the generator's state. A
generator that draws inside a CUDA graph has to be registered with it (`CUDAGraph.register_generator_state`).
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn

from atari_dqn.errors import UsageError

log = logging.getLogger(__name__)


class RandomBuffers:
    """A part of a network, a module, with such numbers."""

    def draw(self, generator: torch.Generator) -> None:
        """Fill the buffers anew, in place; `generator` is on their device."""
        raise NotImplementedError

    def silence(self) -> None:
        """Fill them with what stands for the middle of all draws. So they are until the first draw."""
        raise NotImplementedError


def draw_noise(module: nn.Module, generator: torch.Generator) -> None:
    """New random numbers for every part of a network that has some, in their order.

    Args:
      module:    the network.
      generator: source of chance, on the network's device.
    """
    for part in module.modules():
        if isinstance(part, RandomBuffers):
            part.draw(generator)


def silence(module: nn.Module) -> None:
    """No chance in any part of a network until the next `draw_noise`."""
    for part in module.modules():
        if isinstance(part, RandomBuffers):
            part.silence()


class DrawnBuffers:
    """The chance of a run's networks, see `bellman.Chance`.

    Args:
      generator: source of all numbers, on the networks' device; part of the state.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator, self.generators = generator, (generator,)

    def renew(self, network: nn.Module) -> None:
        draw_noise(network, self.generator)

    def silence(self, network: nn.Module) -> None:
        silence(network)

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`; numbers of another kind of device cannot go on, so new ones begin.

        Raises:
          UsageError: it is the state of no generator.
        """
        stored = torch.as_tensor(state["generator"])
        if len(stored) != len(self.generator.get_state()):
            log.warning(
                f"the random numbers of the networks begin anew: the stored ones are not of a {self.generator.device}. "
                "This is not an exact continuation"
            )
            return
        try:
            self.generator.set_state(stored)
        except RuntimeError as error:
            raise UsageError(f"the stored random numbers of the networks are damaged ({error})") from error
