"""A run over the published curve of its own settings: inside the range of the published seeds, or outside?

    python benchmarks/learning_curve.py RUN... --out FOLDER       runs of one game and one preset, one a seed

Presets with a published curve: nnabla, rl_zoo, sticky (`atari_dqn/published/curves.py`). Evaluations in training stand
beside published evaluations, returns of the games of each million frames beside published training returns. Other
presets are drawn over DQN of nnabla-rl, whose settings are not theirs, without a verdict.
Writes learning.json and learning.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from measuring import finish

from atari_dqn.published.curves import PROTOCOLS, PublishedCurve, published_curve, series_of, verdicts
from atari_dqn.report.read_runs import Run, read_runs


def draw(runs: list[Run], published: PublishedCurve, path: Path, note: str) -> None:
    """Ours as lines, the published mean as points with the range of its seeds."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.0, 4.2), layout="constrained")
    for number, run in enumerate(runs):
        scores = run.scores_like(published.metric)
        label = f"ours, preset {run.preset}" if number == 0 else None
        axes.plot([frames / 1e6 for frames in scores], list(scores.values()), ".-", label=label, color="tab:blue")
    last = max(run.steps for run in runs) * 4 * 1.1
    shown = [point for point in published.points if point.frames <= max(last, 2e6)]
    errors = [[point.mean - point.low for point in shown], [point.high - point.mean for point in shown]]
    axes.errorbar(
        [point.frames / 1e6 for point in shown],
        [point.mean for point in shown],
        yerr=errors,
        fmt="o",
        color="tab:gray",
        label=f"published: {published.source}, {published.recipe}{note}",
    )
    axes.set(xlabel="million frames", ylabel=f"return, {published.metric}", title=runs[0].game)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Compare, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of one game and one preset")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    runs = read_runs(options.runs).runs
    kinds = sorted({(run.game, run.preset) for run in runs})
    if len(kinds) != 1:
        parser.error(f"the runs must be of one game and one preset, not {kinds or 'none'}")
    (game, preset) = kinds[0]
    published = series_of(preset, game)
    own = published is not None
    published = published or published_curve(game, "nnabla_rl")
    if published is None:
        parser.error(f"there is no published curve of {game}")
    print(f"{game}, {preset}; published: {PROTOCOLS[published.source]}")
    rows = []
    for run in runs:
        for frames, ours, point, inside in verdicts(run.scores_like(published.metric), published):
            verdict = "no range" if inside is None else "inside" if inside else "outside"
            said = verdict if own else "other settings"
            print(
                f"  seed {run.seed}, {frames / 1e6:3.0f} M frames: ours {ours:9.1f}, published {point.mean:9.1f} "
                f"({point.low:.1f} to {point.high:.1f}): {said}"
            )
            row = {"seed": run.seed, "frames": frames, "ours": round(ours, 2), "published": point.mean}
            rows.append(row | {"low": point.low, "high": point.high, "inside": inside if own else None})
    if not rows:
        print("no run has reached the first published point yet")
    options.out.mkdir(parents=True, exist_ok=True)
    draw(runs, published, options.out / "learning.png", "" if own else " (other settings)")
    result = {"bench": "learning", "game": game, "preset": preset, "seeds": len(runs), "rows": rows}
    result |= {"published": published.source, "recipe": published.recipe, "own_settings": own}
    finish(result, options.out / "learning.json")


if __name__ == "__main__":
    main()
