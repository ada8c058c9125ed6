"""The benchmarks run at a small size and end with one JSON line: they are made of parts that change elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = {
    "bench_update.py": "--device cpu --precision fp32 --updates 2 --repeats 1 --capacity 2000 --compile off",
    "bench_train.py": "--device cpu --precision fp32 --num-envs 4 --steps 16 --warm-up 128 --repeats 1 --compile off",
    "bench_replay.py": "--device cpu --capacity 2000 --batches 3 --repeats 1",
    "bench_checkpoint.py": "--capacity 1000 --new 200 --folder checkpoints",
    "learning_curve.py": f"{ROOT / 'benchmarks/results/quick_pong_seed0_202611'} --out curve",
}


@pytest.mark.parametrize(("script", "words"), SMALL.items(), ids=list(SMALL))
def test_a_benchmark_runs_and_ends_with_json(script, words, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *words.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert {"bench", "commit", "cpu", "torch"} <= result.keys()


def test_the_readme_shows_the_committed_results():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/readme_table.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
