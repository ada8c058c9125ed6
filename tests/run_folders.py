"""Writes run folders with known numbers, as training and evaluation leave them, for tests of what reads them."""

import csv
import json
from pathlib import Path

import numpy as np

from atari_dqn.presets import PRESETS

META = {
    "command": ["atari-dqn", "train"],
    "started": "2026-11-24T09:00:00+00:00",
    "commit": "0123456789ab",
    "python": "3.11.7",
    "cpu": "Example CPU",
    "cores": 2,
    "gpu": None,
    "packages": {"atari-dqn": "0.1.0", "torch": "2.13.0+cpu", "ale-py": "0.12.1"},
}


def write_run(
    root,
    game="pong",
    *,
    preset="nature",
    seed=0,
    scores=None,
    evals=(),
    returns=(),
    finished=True,
    steps=50_000_000,
    config=None,
    meta=None,
):
    """A run folder below `root`; returns its path.

    Args:
      scores:  {(protocol, checkpoint): raw scores of the episodes}, a file in evaluations/ each.
      evals:   (agent step, mean, std, episodes) of each row of evals.csv.
      returns: (agent step, training return) of each line of metrics.jsonl, at 100 agent steps a second.
      config:  settings that differ from the preset.
    """
    folder = Path(root) / game.replace(":", "_").replace("/", "_") / preset / f"seed{seed}"
    (folder / "evaluations").mkdir(parents=True)
    table = PRESETS[preset](game).replace(seed=seed, total_steps=steps, **(config or {}))
    (folder / "config.json").write_text(table.to_json())
    (folder / "meta.json").write_text(json.dumps({**META, **(meta or {})}))
    for (protocol, checkpoint), episodes in (scores or {}).items():
        text = json.dumps(evaluation(game, protocol, episodes, step=steps))
        (folder / "evaluations" / f"{protocol}_{checkpoint}.json").write_text(text)
    write_evals(folder, evals)
    write_metrics(folder, returns)
    if finished:
        (folder / "DONE").write_text(json.dumps({"game": game, "preset": preset, "seed": seed, "steps": steps}))
    return folder


def evaluation(game, protocol, episodes, *, step):
    return {
        "game": game,
        "protocol": protocol,
        "episodes": len(episodes),
        "mean": float(np.mean(episodes)),
        "std": float(np.std(episodes)),
        "human_pair": "nature" if protocol == "nature" else "zoo",
        "epsilon": 0.01 if protocol == "sticky" else 0.05,
        "scores": list(map(float, episodes)),
        "step": step,
    }


def write_evals(folder, evals):
    columns = "step frames protocol episodes mean std human_normalized epsilon best".split()
    with (folder / "evals.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for step, mean, std, episodes in evals:
            writer.writerow([step, step * 4, "monitor", episodes, mean, std, "", 0.05, False])


def write_metrics(folder, returns):
    with (folder / "metrics.jsonl").open("w") as file:
        for step, value in returns:
            record = {"step": step, "frame": step * 4, "train/episode_return": value, "time/steps_per_second": 100.0}
            record |= {"time/frames_per_second": 400.0, "time/updates_per_second": 25.0}
            file.write(json.dumps(record) + "\n")
