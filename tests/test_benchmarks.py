"""The benchmarks run at a small size and end with one JSON line: they are made of parts that change elsewhere."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.warm_process import A_SCRIPT, WarmProcess

ROOT = Path(__file__).parent.parent
SMALL = {
    "bench_update.py": "--device cpu --precision fp32 --updates 2 --repeats 1 --capacity 2000 --compile off",
    "bench_train.py": "--device cpu --precision fp32 --num-envs 4 --steps 16 --warm-up 128 --repeats 1 --compile off",
    "bench_two_threads.py": "--presets quick --precisions fp32 --num-envs 4 --warm-up 128 --slices 1 --steps 16"
    " --neighbour 19",
    "bench_envs.py": "--backends native workers screens --num-envs 4 --env-groups 2 --threads 1 --steps 40 --repeats 1",
    "bench_replay.py": "--device cpu --capacity 2000 --batches 3 --repeats 1",
    "bench_checkpoint.py": "--capacity 1000 --new 200 --folder checkpoints",
    "bench_startup.py": "--starts cartpole:cartpole --flags=--learning-starts=64 --look-ups presets --repeats 1",
    "precision_error.py": "pretrained:pong --steps 400 --minibatches 2",
    "learning_curve.py": f"{ROOT / 'benchmarks/results/quick_202611/pong/quick/seed0'} --out curve",
}


@pytest.mark.parametrize(("script", "words"), SMALL.items(), ids=list(SMALL))
def test_a_benchmark_runs_and_ends_with_json(script, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = WarmProcess(A_SCRIPT, [ROOT / "benchmarks" / script, *words.split()], {"OMP_NUM_THREADS": "1"})
    output, errors = done.communicate(timeout=300)
    assert done.returncode == 0, errors
    result = json.loads(output.splitlines()[-1])
    assert {"bench", "commit", "cpu", "torch"} <= result.keys()
    assert str(ROOT) not in result["command"], "it can be repeated elsewhere"
    if script == "bench_train.py":
        assert [row["updates_per_step"] for row in result["rows"]] == [0.25], "the paper's, however fast"
    if script == "bench_two_threads.py":
        assert [row["neighbour"] for row in result["rows"]] == [None, 19]
        assert all(row["whole"] > 0 and row["divided"] > 0 for row in result["rows"])


def test_a_busy_neighbour_uses_a_core_and_leaves(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import bench_train

    with bench_train.busy_neighbour(None) as seconds:
        assert seconds() == 0
    before = psutil.Process().children()
    with bench_train.busy_neighbour(19) as seconds:
        (neighbour,) = set(psutil.Process().children()) - set(before)
        while not seconds():
            time.sleep(0.01)
    assert not neighbour.is_running()


def test_tiles_are_weighed_and_read_beside_plain_frames(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import bench_replay

    monkeypatch.setattr(bench_replay, "TILED_ENVS", 2)
    assert bench_replay.tiled_bytes("pong", 400)["all"] < 84 * 84 / 5
    speed = bench_replay.tiled_speed("pong", 400, 2, 1)
    assert speed["ratio"] == pytest.approx(speed["tiles"] / speed["plain"], abs=0.01)


def test_before_and_after_are_related_turn_by_turn(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import before_after

    speeds = {"tree": iter((100.0, 50.0, 80.0)), ROOT.name: iter((90.0, 45.0, 88.0))}  # the machine was slow in turn 2
    asked = []

    def speeds_of(tree, bench, words):
        asked.append((tree.name, bench, *words))
        return {"fp32": next(speeds[tree.name])}

    monkeypatch.setattr(before_after, "checked_out", lambda commit: contextlib.nullcontext(tmp_path / "tree"))
    monkeypatch.setattr(before_after, "speeds_of", speeds_of)
    words = "before_after.py abc1234 bench_update --rounds 3 -- --precision fp32"
    monkeypatch.setattr(sys, "argv", words.split())
    before_after.main()
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert asked == [(name, "bench_update", "--precision", "fp32") for name in ("tree", ROOT.name)] * 3
    assert [row["ratio"] for row in result["rows"]] == [0.9]
    assert result["against"] == "abc1234"


def test_the_readme_shows_the_committed_results():
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/readme_table.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_is_kept_of_a_run_names_no_folder_of_this_machine(tmp_path):
    run, out = tmp_path / "run", tmp_path / "kept"
    (run / "evaluations").mkdir(parents=True)
    (run / "checkpoints").mkdir()
    (run / "meta.json").write_text(json.dumps({"command": ["--run-dir", str(run)]}))
    (run / "evaluations/nature_last.json").write_text(json.dumps({"checkpoint": f"{run}/checkpoints/step_1"}))
    command = [sys.executable, ROOT / "benchmarks/keep_run.py", run, out]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "config.json is missing" in refused.stderr
    (run / "config.json").write_text("{}")
    points = [{"step": 10 * (k + 1), "train/episodes": k, "time/steps_per_second": 5.0 * (k + 1)} for k in range(6)]
    points.insert(2, {"step": 20, "eval/episode_return": 1.0, "train/q": 0.07123456789, "time": 1795799254.67})
    killed = '{"step": 60, "train/epis'
    (run / "metrics.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points) + killed)
    subprocess.run([*command, "--every", "4"], check=True, capture_output=True)
    kept = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}
    thin = [json.loads(line) for line in kept.pop("metrics.jsonl").splitlines()]
    assert [point["step"] for point in thin] == [20, 40, 60]
    assert thin[0] == points[2] | {"train/q": 0.07123457, "time": 1795799254.7}  # an evaluation
    # 10 steps at each of 5, 10, 15 and 20 a second: 40 steps in 2 + 1 + 2/3 + 1/2 seconds
    assert thin[1]["time/steps_per_second"] == pytest.approx(40 / (25 / 6))
    assert kept.keys() == {"config.json", "meta.json", "evaluations/nature_last.json"}
    assert not any(str(tmp_path) in text for text in kept.values())
    assert "FOLDER/checkpoints/step_1" in kept["evaluations/nature_last.json"]
