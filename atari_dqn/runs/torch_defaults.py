"""Torch's settings that hold for a whole process, which the program around a run may have changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Meanwhile torch is as it starts: new tensors are float32 and on the CPU, and gradients are computed.

    Networks, replay and sampling say where their tensors go, and leave the rest to these settings. Afterwards they are
    the caller's again.
    """
    dtype, device = torch.get_default_dtype(), torch.empty(0).device
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    try:
        with torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(None if device.type == "cpu" else device)
