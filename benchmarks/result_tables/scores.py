"""What runs scored, and what the README shows first."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.presets.family import FAMILY
from atari_dqn.published.curves import PublishedPoint, series_of, verdicts
from atari_dqn.published.scores import published
from atari_dqn.report.read_runs import Run, read_runs
from result_tables import RESULTS, load, span, table
from result_tables.measurements import cartpole_scores, soaked
from result_tables.speed import row_of

PROOF = RESULTS / "proof_202611"  # run folders of benchmarks/proof.sh
PROVED = [
    ("nnabla", "breakout"), ("nnabla", "pong"), ("rl_zoo", "pong"), ("rl_zoo", "breakout"), ("c51", "breakout"),
    ("rainbow", "breakout"), ("nature", "pong"),
]  # fmt: skip
NO_RANGE = "one seed, no range"
FAMILY_RESULTS = RESULTS / "family_202611"
QUICK = RESULTS / "quick_202611"  # run folders, at any depth


class Compared(NamedTuple):
    """A score of ours, and the published one after as many frames."""

    frames: int
    ours: float
    published: PublishedPoint | None
    place: str
    """Of ours beside the range of the published seeds: inside, above or below; `NO_RANGE` where there is one seed."""


class Proved(NamedTuple):
    """A run beside its published curve."""

    preset: str
    game: str
    """With the machine, where several runs have this preset and game."""
    points: list[Compared]
    """Empty where nothing was measured yet."""


@cache
def proved() -> list[Proved]:
    """The runs of PROOF, point by point."""
    runs = read_runs([PROOF]).runs
    found = []
    for preset, game in PROVED:
        same = [run for run in runs if (run.preset, run.game) == (preset, game)]
        for run in same:
            machine = f" ({run.meta['gpu'] or 'one CPU core'})".replace("NVIDIA ", "")
            found.append(Proved(preset, game + machine * (len(same) > 1), compared(run)))
        if not same:
            found.append(Proved(preset, game, []))
    return found


def compared(run: Run) -> list[Compared]:
    """At the published points of its preset and game, or at each evaluation where nothing was published."""
    curve = series_of(run.preset, run.game)
    if curve is None:
        return [Compared(frames, score, None, "") for frames, score in run.monitored]
    found = verdicts(run.scores_like(curve.metric), curve)
    return [Compared(frames, ours, point, place(ours, point, inside)) for frames, ours, point, inside in found]


def place(ours: float, point: PublishedPoint, inside: bool | None) -> str:
    """Where a score lies beside the range of the published seeds."""
    return NO_RANGE if inside is None else "inside" if inside else "above" if ours > point.high else "below"


def recipes() -> str:
    """Recipes beside their own published curves, a line for each run that there is."""
    rows = []
    for preset, game, points in proved():
        if not points:
            continue
        frames = ", ".join(f"{point.frames / 1e6:.0f}" for point in points)
        ours = ", ".join(f"{point.ours:.1f}" for point in points)
        theirs = ", ".join(f"{point.published.mean:.1f}" for point in points if point.published)
        places = Counter(point.place for point in points if point.place)
        counts = ", ".join(f"{count} {word}" for word, count in places.items() if word != NO_RANGE)
        counts = counts or NO_RANGE * bool(places)
        rows.append((f"`{preset}`", game, frames, ours, theirs or "none of this game", counts))
    return table(("preset", "game", "million frames", "ours", "published, mean of seeds", ""), rows)


def proof() -> str:
    """The same, a line for each point."""
    rows = []
    for preset, game, points in proved():
        for frames, ours, point, where in points:
            theirs = in_words(point) if point else "none of this game"
            rows.append((f"`{preset}`", game, f"{frames / 1e6:.0f} M", f"{ours:.1f}", theirs, where))
        if not points:
            rows.append((f"`{preset}`", game, "", "not measured yet", "", ""))
    return table(("preset", "game", "frames", "ours", "published: mean (lowest to highest seed)", ""), rows)


def in_words(point: PublishedPoint) -> str:
    """Mean and range of the published seeds, where there are several."""
    return f"{point.mean:.1f}" + f" ({point.low:.1f} to {point.high:.1f})" * (point.low < point.high)


class QuickRuns(NamedTuple):
    """Runs of `quick` of one length on one game and one machine, each with the score of its last network."""

    planned: int
    """Agent steps."""
    game: str
    machine: str
    scored: Sequence[tuple[EvaluationResult, Run]]

    @property
    def steps(self) -> list[int]:
        """Agent steps of the networks, each number once."""
        return sorted({score.step or 0 for score, _ in self.scored})

    @property
    def scores(self) -> list[str]:
        """Mean and standard deviation over the games."""
        return [f"{score.mean:.1f} ± {score.std:.1f}" for score, _ in self.scored]

    @property
    def minutes(self) -> str:
        """Of training, without evaluations."""
        return span([60 * (run.hours or 0) for _, run in self.scored])


@cache
def quick_runs() -> list[QuickRuns]:
    """The runs of QUICK, by the paper's protocol."""
    found: dict[tuple[int, str, str], list[tuple[EvaluationResult, Run]]] = {}
    for run in read_runs([QUICK]).runs:
        kind = run.config["total_steps"], run.game, run.meta["gpu"] or "one core"
        for score in run.evaluations:
            if (score.result.protocol, score.checkpoint) == ("nature", "last"):
                found.setdefault(kind, []).append((score.result, run))
    return [QuickRuns(*kind, scored) for kind, scored in sorted(found.items())]


def quick() -> str:
    """Scores of `quick`: the last network of each run over 30 games."""
    rows = []
    for runs in quick_runs():
        steps = " and ".join(f"{step:,}" for step in runs.steps) + f" of {runs.planned:,}" * (
            runs.steps != [runs.planned]
        )
        seeds = [f"seed {run.seed}: {score}" for score, (_, run) in zip(runs.scores, runs.scored, strict=True)]
        rows.append((runs.game.replace("_", " "), runs.machine, steps, ", ".join(seeds), runs.minutes))
    header = "game", "on", "agent steps", "mean of 30 games, last network", "minutes of training, without evaluations"
    return table(header, rows)


def highlights() -> str:
    """What the README shows first; all of it stands in docs/results.md, too."""
    rows = [
        pong_on_one_core(),
        three_games_on_a_gpu(),
        ("`nature` on one H200, Breakout, bf16", speed_on_a_gpu()),
        ("`nature` on two CPU cores, Breakout, bf16", speed_on_a_cpu()),
        ("CartPole, 100 greedy games", cartpole_scores(*load(RESULTS / "cartpole_202611/results.jsonl"))),
        ("500 kills of one run at any moment", soaked(load(RESULTS / "soak_pong_202611.json"))),
    ]
    return table(("what", "result"), rows)


def pong_on_one_core() -> tuple[str, str]:
    """Pong with `quick`, and the paper's score."""
    pong = next(runs for runs in quick_runs() if (runs.game, runs.machine) == ("pong", "one core"))
    paper = published("pong")
    assert paper is not None
    return (
        f"Pong with `quick`, {pong.planned:,} agent steps on one core, paper's protocol",
        f"{', '.join(pong.scores)} (the paper after 50 million: {paper.dqn_nature} ± {paper.dqn_nature_std})",
    )


def three_games_on_a_gpu() -> tuple[str, str]:
    """Boxing, Breakout and Freeway with `quick` on an H100."""
    found = [runs for runs in quick_runs() if "H100" in runs.machine]
    *games, last_game = (runs.game.title() for runs in found)
    steps, minutes = max(max(runs.steps) for runs in found), ", ".join({runs.minutes: None for runs in found})
    return (
        f"{', '.join(games)} and {last_game} with `quick`, at most {steps:,} steps, {minutes} minutes on an H100",
        ", ".join(score for runs in found for score in runs.scores),
    )


def speed_on_a_gpu() -> str:
    """Frames and updates per second of one H200, beside the peer that was fastest."""
    row = row_of(load(RESULTS / "bench_train_h200_202611.json"), "bf16")
    workers = load(RESULTS / "gpu_h200_202611/workers_train_breakout.json")
    kernels = load(RESULTS / "bench_update_kernels_h200_202611.json")
    own = next(row for row in kernels["rows"] if "ratio_to_compiled" in row)
    return (
        f"64 games: {row['frames_per_second']:,} frames a second, {min(row['ratios'].values())} times "
        f"stable-baselines3; {workers['num_envs']} games in worker processes: {workers['frames_per_second']:,}; "
        f"the update alone, by the package's Triton kernels: {own['updates_per_second']:,.0f} a second, "
        f"{own['ratio_to_compiled']} times torch's compiler"
    )


def speed_on_a_cpu() -> str:
    """Agent steps per second of two CPU cores, beside the peer that was fastest."""
    row = row_of(load(RESULTS / "bench_train_cpu2_amx_202611.json"), "bf16")
    return f"{row['steps_per_second']:,.0f} agent steps a second, {min(row['ratios'].values())} times stable-baselines3"


def family() -> str:
    """The DQN family: source, score on CartPole, cost of an update."""
    scored = load(FAMILY_RESULTS / "cartpole.csv")
    costs = load(max(RESULTS.glob("bench_update_family_*.json")))["time_to_nature"]
    rows = []
    for preset, make in FAMILY.items():
        source = re.search(r"Source: (.*? \d{4})", inspect.getdoc(make) or "")
        assert source, f"preset {preset} names no source"
        best, last = (scores_of(scored, preset, kind) for kind in ("best", "last"))
        rows.append((f"`{preset}`", source[1], best, last, f"{costs[preset]:.1f}"))
    return table(("preset", "source", "best network", "last network", "time of an update, `nature`: 1"), rows)


def scores_of(rows: list[dict[str, str]], preset: str, checkpoint: str) -> str:
    """Mean score of each seed."""
    found = [row for row in rows if (row["preset"], row["checkpoint"]) == (preset, checkpoint)]
    means = [f"{float(row['mean']):.1f}" for row in sorted(found, key=lambda row: int(row["seed"]))]
    return ", ".join(means) or "not measured"
