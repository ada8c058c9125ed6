"""Memory, file handles and threads of a training run over time: flat once the replay is full, or something leaks.

Starts the training command, looks at its process every few seconds, and writes a CSV and a picture.

    python benchmarks/soak_memory.py --hours 1.1 --out FOLDER -- breakout --capacity 200000 --run-dir RUN
"""

from __future__ import annotations

import argparse
import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from measuring import finish

from atari_dqn.settings.from_file import flattened

ENDED_BY_SIGTERM = 128 + signal.SIGTERM
COLUMNS = ("seconds", "step", "resident_bytes", "anonymous_bytes", "file_handles", "threads")


def main() -> None:
    """Train in a process of its own and watch it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for memory.csv, memory.json, memory.png")
    parser.add_argument("--period", type=float, default=10.0, help="seconds between looks")
    parser.add_argument("--hours", type=float, default=1.0, help="then the training is ended by SIGTERM")
    parser.add_argument("train", nargs="+", help="after --: what follows `atari-dqn train`; --run-dir is needed")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    run_dir = Path(options.train[options.train.index("--run-dir") + 1])
    command = [sys.executable, "-m", "atari_dqn", "train", *options.train]
    rows = watch(command, run_dir, options.period, options.hours, options.out)
    draw(rows, options.out / "memory.png")
    finish(summary(rows, run_dir), options.out / "memory.json")


def watch(command: list[str], run_dir: Path, period: float, hours: float, out: Path) -> np.ndarray:
    """One row of COLUMNS for each look at the process, also written to memory.csv as it goes."""
    rows, began = [], time.monotonic()
    with (out / "memory.csv").open("w", newline="") as file, (out / "train.log").open("w") as log:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            try:
                row = (round(time.monotonic() - began, 1), steps_done(run_dir), *look(process.pid))
            except (FileNotFoundError, ProcessLookupError, KeyError):
                break  # it ended between two looks
            rows.append(row)
            table.writerow(row)
            file.flush()
            if time.monotonic() - began > 3600 * hours:
                process.terminate()
                break
            time.sleep(period)
        if process.wait() not in (0, ENDED_BY_SIGTERM):
            sys.exit(f"the training ended with exit code {process.returncode}; see {out / 'train.log'}")
    return np.array(rows)


def look(pid: int) -> tuple[int, int, int, int]:
    """Resident and anonymous bytes, open file handles and threads of a process, from /proc."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines if ":" in line)
    kib = 1024
    handles = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resident, anonymous = (kib * int(status[name].split()[0]) for name in ("VmRSS", "RssAnon"))
    return resident, anonymous, handles, int(status["Threads"])


def steps_done(run_dir: Path) -> int:
    """Agent step of the newest point in metrics.jsonl, 0 before the first."""
    path = run_dir / "metrics.jsonl"
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = [line for line in file.read().split(b"\n")[:-1] if line.startswith(b"{") and line.endswith(b"}")]
    return int(json.loads(lines[-1])["step"]) if lines else 0


def summary(rows: np.ndarray, run_dir: Path) -> dict[str, object]:
    """Where each column stood when the replay was full, at the end, and its largest value after that."""
    config = flattened(json.loads((run_dir / "config.json").read_text()))
    column = {name: rows[:, index] for index, name in enumerate(COLUMNS)}
    full = column["step"] >= 1.1 * config["capacity"]
    if not full.any():
        sys.exit("the run ended before the replay was full; let it play longer")
    found: dict[str, object] = {"bench": "soak_memory", "game": config["game"], "capacity": config["capacity"]}
    found |= {"hours": round(column["seconds"][-1] / 3600, 2), "steps": int(column["step"][-1])}
    for name in COLUMNS[2:]:
        values = column[name][full]
        found[name] = {"when_full": int(values[0]), "at_end": int(values[-1]), "largest": int(values.max())}
    hours = column["seconds"][full] / 3600
    slope = float(np.polyfit(hours, column["anonymous_bytes"][full], 1)[0]) if len(hours) > 1 else 0.0
    return found | {"anonymous_mebibytes_per_hour": round(slope / 2**20, 2)}


def draw(rows: np.ndarray, path: Path) -> None:
    """Three curves over the hours."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(8, 6), layout="constrained")
    hours = rows[:, 0] / 3600
    axes[0].plot(hours, rows[:, 2] / 2**30, label="resident")
    axes[0].plot(hours, rows[:, 3] / 2**30, label="anonymous")
    axes[0].legend()
    axes[0].set_ylabel("memory (GiB)")
    axes[1].plot(hours, rows[:, 4])
    axes[1].set_ylabel("file handles")
    axes[2].plot(hours, rows[:, 5])
    axes[2].set(ylabel="threads", xlabel="hours")
    for axis in axes:
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
