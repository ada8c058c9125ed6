"""The curve of a run over the published one: how far apart they are, in standard deviations of the published seeds.

    python benchmarks/learning_curve.py RUN... --out FOLDER       the runs of one game, one a seed

Ours are the evaluations in training (evals.csv: protocol monitor, epsilon 0.05); published is DQN of nnabla-rl, with
the settings of the paper, no sticky actions, the same evaluation, 3 seeds. Writes learning.json and learning.png.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from measuring import finish

from atari_dqn.published.curves import PROTOCOLS, PublishedCurve, published_curve

SOURCE = "nnabla_rl"


def evaluations(run: Path) -> dict[int, float]:
    """Mean score of each evaluation in training, by frames."""
    with (run / "evals.csv").open(encoding="utf-8", newline="") as file:
        return {int(row["frames"]): float(row["mean"]) for row in csv.DictReader(file)}


def distances(curves: list[dict[int, float]], published: PublishedCurve) -> list[dict[str, Any]]:
    """One row for each published point that a run of ours has reached: (ours - published) / published std.

    Ours is the mean, over seeds, of the first evaluation at or after that frame; it may lie at most 2 % later, since
    a vector step of many games passes the exact one.
    """
    rows = []
    for point in published.points:
        near = [[frames for frames in curve if point.frames <= frames <= 1.02 * point.frames] for curve in curves]
        scores = [curve[min(found)] for curve, found in zip(curves, near, strict=True) if found]
        if scores:
            ours = float(np.mean(scores))
            row = {"frames": point.frames, "ours": round(ours, 2), "seeds": len(scores)}
            row |= {"published": point.mean, "published_std": point.std}
            rows.append(row | {"distance_in_std": round((ours - point.mean) / point.std, 2) if point.std else None})
    return rows


def draw(curves: list[dict[int, float]], published: PublishedCurve, game: str, path: Path) -> None:
    """Ours as lines, the published mean as points with the range of its seeds."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.0, 4.2), layout="constrained")
    for number, curve in enumerate(curves):
        axes.plot(list(curve), list(curve.values()), ".-", label="ours" if number == 0 else None, color="tab:blue")
    frames, mean, low, high, _ = zip(*published.points, strict=True)
    errors = [np.subtract(mean, low), np.subtract(high, mean)]
    axes.errorbar(frames, mean, yerr=errors, fmt="o", color="tab:gray", label=f"published ({SOURCE}, 3 seeds)")
    axes.set(xscale="log", xlabel="frames", ylabel="mean return of an evaluation", title=game)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Compare, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of one game")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    configs = [json.loads((run / "config.json").read_text(encoding="utf-8")) for run in options.runs]
    games = {config["game"] for config in configs}
    if len(games) > 1:
        parser.error(f"the runs are of different games: {', '.join(sorted(games))}")
    game = configs[0]["game"]
    published = published_curve(game, SOURCE)
    if published is None:
        parser.error(f"{SOURCE} published no curve of {game}")
    curves = [evaluations(run) for run in options.runs]
    rows = distances(curves, published)
    print(f"{game}; published: {PROTOCOLS[SOURCE]}")
    for row in rows:
        print(
            f"{row['frames'] / 1e6:5.0f} M frames: ours {row['ours']:9.1f}, published {row['published']:9.1f} "
            f"+- {row['published_std']:.1f}, distance {row['distance_in_std']} std"
        )
    if not rows:
        print("no run has reached the first published point yet")
    options.out.mkdir(parents=True, exist_ok=True)
    draw(curves, published, game, options.out / "learning.png")
    result = {"bench": "learning", "game": game, "preset": configs[0]["preset"], "seeds": len(curves)}
    finish(result | {"reached_frames": max(max(curve, default=0) for curve in curves), "rows": rows},
           options.out / "learning.json")  # fmt: skip


if __name__ == "__main__":
    main()
