"""Copy what a finished run says, without its weights, to a folder that can be committed.

    python benchmarks/keep_run.py RUN OUT

Settings, machine, curves, evaluations. Paths of this machine become the word FOLDER.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from atari_dqn.runs.provenance import without_its_path

FILES = ("config.json", "meta.json", "DONE", "metrics.jsonl", "evals.csv")


def keep(run: Path, out: Path) -> list[Path]:
    """Copy; returns the files written."""
    out.mkdir(parents=True, exist_ok=True)
    sources = [run / name for name in FILES if (run / name).exists()]
    sources += [path for path in sorted((run / "evaluations").glob("*")) if path.suffix in (".json", ".csv")]
    written = []
    for source in sources:
        target = out / source.relative_to(run)
        target.parent.mkdir(exist_ok=True)
        target.write_text(without_its_path(source.read_text(encoding="utf-8"), run), encoding="utf-8")
        written.append(target)
    return written


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    if not (options.run / "config.json").exists():
        print(f"keep_run: {options.run} is no run folder: config.json is missing", file=sys.stderr)
        return 2
    written = keep(options.run, options.out)
    print(f"{options.out}: {len(written)} files, {sum(path.stat().st_size for path in written) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
