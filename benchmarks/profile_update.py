"""Where the time of an update goes: torch's profiler over the learner of the `nature` preset.

python benchmarks/profile_update.py [--device cpu] [--precision fp32 bf16] [--out FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from bench_update import ours
from torch.profiler import ProfilerActivity, profile


def main() -> None:
    """Profile each precision, kernel by kernel (no CUDA graph: that would be one entry)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--compile", default="off", choices=["auto", "on", "off"], help="of the optimizer")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.capacity, options.torch_threads, options.group, options.eager, options.updates = 5_000, 0, 0, True, 32
    text = []
    for precision in options.precision:
        run = ours(options, precision)
        run()
        activities = [ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * options.device.startswith("cuda")]
        with profile(activities=activities) as profiler:
            run()
        key = "self_cuda_time_total" if options.device.startswith("cuda") else "self_cpu_time_total"
        text.append(f"{options.updates} updates, {precision}, {options.device}")
        text.append(profiler.key_averages().table(sort_by=key, row_limit=25, max_name_column_width=60))
    print("\n".join(text))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("\n".join(text))


if __name__ == "__main__":
    main()
