"""Copy what a finished run says, without its weights, to a folder that can be committed.

    python benchmarks/keep_run.py RUN OUT [--every 5]

Settings, machine, curves, evaluations. Paths of this machine become the word FOLDER. Numbers of metrics.jsonl keep
seven digits, which is what float32 holds. `--every 5` keeps one of its five points, with the rates of all: enough for
curves and hours.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from atari_dqn.runs.provenance import without_its_path

METRICS = "metrics.jsonl"
STEP_RATE, EPISODES, WINDOW = "time/steps_per_second", "train/episodes", "train/window_return"
DIGITS = 7
RATES = (STEP_RATE, "time/frames_per_second", "time/updates_per_second")
FILES = ("config.json", "meta.json", "DONE", METRICS, "evals.csv")

Record = dict[str, Any]


def rounded(number: str) -> float:
    """A number of JSON with as many digits as float32 holds; of a larger one, such as a time, all before the point."""
    value = float(number)
    return float(f"{value:.{DIGITS}g}") if abs(value) < 10**DIGITS else round(value, 1)


def thinned(text: str, every: int) -> str:
    """One point of the log for each `every`, with the rates and the window's returns of all; evaluations stay."""
    kept: list[Record] = []
    group: list[Record] = []
    before: Record = {}
    for record in records_of(text):
        if STEP_RATE not in record:
            kept.append(record)
            continue
        group.append(record)
        if len(group) == every:
            kept.append(merged(group, before))
            before, group = group[-1], []
    if group:
        kept.append(merged(group, before))
    return "".join(json.dumps(record) + "\n" for record in sorted(kept, key=lambda record: record["step"]))


def records_of(text: str) -> Iterator[Record]:
    """The points of a log; a line that a killed run left unfinished is passed over."""
    for line in text.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line, parse_float=rounded)


def merged(group: Sequence[Record], before: Record) -> Record:
    """The last of some points, with means over all: of rates over their seconds, of returns over their episodes."""
    earlier = [before, *group[:-1]]
    steps = [here["step"] - there.get("step", 0) for here, there in zip(group, earlier, strict=True)]
    seconds = [step / max(here[STEP_RATE], 1e-9) for step, here in zip(steps, group, strict=True)]
    ended = [here[EPISODES] - there.get(EPISODES, 0.0) for here, there in zip(group, earlier, strict=True)]
    last = dict(group[-1])
    for names, weights in ((RATES, seconds), ((WINDOW,), ended)):
        for name in names:
            found = [(here[name], weight) for here, weight in zip(group, weights, strict=True) if name in here]
            if total := sum(weight for _, weight in found):
                last[name] = rounded(str(sum(value * weight for value, weight in found) / total))
    return last


def keep(run: Path, out: Path, every: int = 1) -> list[Path]:
    """Copy; returns the files written."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [run / name for name in FILES if (run / name).exists()]
    sources += [path for path in sorted((run / "evaluations").glob("*")) if path.suffix in (".json", ".csv")]
    written = []
    for source in sources:
        target = out / source.relative_to(run)
        target.parent.mkdir(exist_ok=True)
        text = without_its_path(source.read_text(encoding="utf-8"), run)
        target.write_text(thinned(text, every) if source.name == METRICS else text, encoding="utf-8")
        written.append(target)
    return written


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--every", type=int, default=1, help="keep one of so many points of metrics.jsonl")
    options = parser.parse_args()
    if not (options.run / "config.json").exists():
        print(f"keep_run: {options.run} is no run folder: config.json is missing", file=sys.stderr)
        return 2
    if options.every < 1:
        print(f"keep_run: --every is {options.every}; it must be at least 1", file=sys.stderr)
        return 2
    written = keep(options.run, options.out, options.every)
    print(f"{options.out}: {len(written)} files, {sum(path.stat().st_size for path in written) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
