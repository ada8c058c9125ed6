"""How long each launch of an update by our own kernels takes, and would take with other tiles. Needs a CUDA GPU.

    python benchmarks/tune_kernels.py [--repeats 20] [--out FILE]

A launch is repeated within one CUDA graph, each after the one before it, so the time is that of the kernel and of the
gap after it. Ends with one JSON line. Variants are compiled by several processes first.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from measuring import finish

from atari_dqn.dqn.optim import CenteredRMSProp
from atari_dqn.kernels import network, update
from atari_dqn.networks import frozen_copy
from atari_dqn.networks.nature_cnn import NatureCNN

Call = tuple[Any, tuple[int, ...], tuple[Any, ...], dict[str, int]]
BATCH, UPDATES = 32, 16


def calls() -> list[Call]:
    """Kernel, grid, arguments and constants of what the target network and one update launch."""
    model = NatureCNN(4, (84, 84), 6).to(memory_format=torch.channels_last).cuda()
    fused = update.FusedUpdates(model, frozen_copy(model, "bf16"), CenteredRMSProp(model.parameters()), mean=False)
    fused.norms = torch.zeros(4096, device="cuda")  # one number for each program, and there may be more of them
    obs = torch.randint(0, 256, (UPDATES * BATCH, 4, 84, 84), dtype=torch.uint8, device="cuda")
    action = torch.zeros(BATCH, dtype=torch.int64, device="cuda")
    launch, found = network.launch, []

    def record(kernel: Any, grid: tuple[int, ...], *arguments: Any, **constants: int) -> None:
        found.append((kernel, grid, arguments, constants))
        launch(kernel, grid, *arguments, **constants)

    network.launch = record
    fused.best_values(obs)
    fused(obs[:BATCH], action, torch.zeros(BATCH, device="cuda"), 1)
    network.launch = launch
    torch.cuda.synchronize()
    return found


def variants(call: Call) -> list[Call]:
    """A launch as it is, then with other numbers of positions, warps and stages."""
    kernel, grid, arguments, constants = call
    name, found = kernel.__name__, [call]
    # the constant that cuts up an axis of the grid, its values, and that axis
    cut = {
        "forward": ("BLOCK", (16, 32, 64, 128), 0),
        "input_gradient": ("BLOCK", (16, 32, 64, 128), 0),
        "features_gradient": ("BLOCK", (16, 32, 64), 0),
        "hidden": ("BLOCK", (16, 32, 64), 0),
        "hidden_step": ("BLOCK_M", (32, 64, 128), 1),
        "weight_gradient": ("BLOCK_K", (32, 64, 128), 0),
    }.get(name)
    if cut is None:
        return [*found, *((kernel, grid, arguments, constants | {"warps": warps}) for warps in (2, 8))]
    constant, values, axis = cut
    for value, warps in itertools.product(values, (2, 4, 8)):
        other = constants | {constant: value, "warps": warps}
        total = grid[axis] * constants[constant]
        if name == "weight_gradient" and other["KERNEL"] * other["C"] % value:
            continue
        new = tuple(math.ceil(total / value) if i == axis else size for i, size in enumerate(grid))
        found.append((kernel, new, arguments, other))
    return found


def microseconds(call: Call, repeats: int) -> float | None:
    """Of one launch among `repeats`; None if it cannot be compiled."""
    kernel, grid, arguments, constants = call
    try:
        network.launch(kernel, grid, *arguments, **constants)
        torch.cuda.synchronize()
    except Exception:  # out of shared memory, a tile that no instruction fits
        return None
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(repeats):
            network.launch(kernel, grid, *arguments, **constants)
    times = []
    for _ in range(5):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(1e3 * start.elapsed_time(end) / repeats)
    return sorted(times)[2]


def main() -> None:
    """Compile in shares, then time all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--processes", type=int, default=12)
    parser.add_argument("--share", type=int, help="compile every so many-th variant only, from this one on")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    everything = [(number, each) for number, call in enumerate(calls()) for each in variants(call)]
    if options.share is not None:
        for _, call in everything[options.share :: options.processes]:
            microseconds(call, 1)
        return
    command = [sys.executable, __file__, "--processes", str(options.processes), "--share"]
    shares = [subprocess.Popen([*command, str(share)]) for share in range(options.processes)]
    for share in shares:
        share.wait()
    rows: list[dict[str, Any]] = []
    for number, call in everything:
        kernel, grid, _, constants = call
        tiles = {name: constants[name] for name in ("BLOCK", "BLOCK_M", "BLOCK_K", "warps") if name in constants}
        time = microseconds(call, options.repeats)
        rows.append({"launch": number, "kernel": kernel.__name__, "grid": list(grid), **tiles, "us": time})
    for number, group in itertools.groupby(rows, key=lambda row: row["launch"]):
        today, *others = group
        others = sorted((row for row in others if row["us"] is not None), key=lambda row: row["us"])
        print(f"{number:>2} {json.dumps(today)}")
        for row in others[:3]:
            print(f"      {json.dumps(row)}")
    finish({"bench": "kernels", "batch_size": BATCH, "rows": rows}, options.out)


if __name__ == "__main__":
    importlib.import_module("triton")
    main()
