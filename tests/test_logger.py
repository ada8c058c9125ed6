"""What a run writes: one point once, also after a resume or a crash."""

import json
import time

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from atari_dqn.logger import RunLogger


def write(folder, steps, **options):
    logger = RunLogger(folder, total_steps=100, frames_per_step=4, **options)
    for step in steps:
        logger.scalars({"train/loss": step / 10, "train/q": float("nan")}, step)
        row = {"protocol": "monitor", "episodes": 2, "mean": 1.0, "std": 0.0, "human_normalized": None}
        logger.evaluation(row | {"epsilon": 0.05, "best": True}, step)
        logger.progress(step, {"time/frames_per_second": 10.0})
    logger.close()


def test_curves_files_and_pictures(tmp_path, capsys):
    write(tmp_path, [10, 20])
    logger = RunLogger(tmp_path, total_steps=100, frames_per_step=4, resume_step=20)
    logger.histogram("train/q_values", np.arange(5.0), 30)
    logger.image("observation", np.zeros((84, 336), np.uint8), 30)
    logger.close()
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    points = [(record["step"], record["frame"], record["train/loss"]) for record in records]
    assert points == [
        (10, 40, 1.0),
        (20, 80, 2.0),
    ]
    assert records[0]["train/q"] is None
    assert (tmp_path / "evals.csv").read_text().splitlines()[1] == "10,40,monitor,2,1.0,0.0,,0.05,True"
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [10, 20]
    assert events.Tags()["images"] == ["observation"]
    assert "evaluation 1.0 +- 0.0 over 2 games" in capsys.readouterr().err


def test_a_resume_cuts_off_what_came_after_its_checkpoint(tmp_path):
    write(tmp_path, [10, 20, 30])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 35, "trai')  # a crash in the middle of a line
    time.sleep(1.1)  # TensorBoard orders its files by the second
    write(tmp_path, [25, 30], resume_step=20)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 25, 30]
    rows = (tmp_path / "evals.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "10", "20", "25", "30"]
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [10, 20, 25, 30]
