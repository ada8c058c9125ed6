"""Write tables into README.md and docs/, between marks: scores and speed from committed results, rooms from the code.

python benchmarks/readme_table.py [--check]     --check changes nothing and fails where a page is stale
"""

from __future__ import annotations

import ast
import csv
import inspect
import json
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atari_dqn.presets.family import FAMILY
from atari_dqn.published.curves import PublishedPoint, series_of, verdicts
from atari_dqn.report.read_runs import Evaluation, Run, read_runs

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGE = ROOT / "atari_dqn"
MARKS = "<!-- {}: written by benchmarks/readme_table.py -->", "<!-- end of {} -->"
PROOF = RESULTS / "proof_202611"  # run folders of benchmarks/proof.sh
PROVED = [
    ("nnabla", "breakout"), ("nnabla", "pong"), ("rl_zoo", "pong"), ("rl_zoo", "breakout"), ("c51", "breakout"),
    ("rainbow", "breakout"), ("nature", "pong"),
]  # fmt: skip
FAMILY_RESULTS = RESULTS / "family_202611"
QUICK = RESULTS / "quick_202611"  # run folders, at any depth

Result = dict[str, Any]


def row_of(result: Result, precision: str) -> Result:
    """The row of one precision."""
    return next(row for row in result["rows"] if row["precision"] == precision)


def against_peer(result: Result, precision: str) -> str:
    """Ratio to each way the peer was run, and the speeds."""
    row = row_of(result, precision)
    ratios = ", ".join(
        f"{row['ratios'][peer['name']]} times {peer['name']} ({peer['steps_per_second']:,.0f})"
        for peer in result["peers"]
    )
    return f"{row['steps_per_second']:,.0f} agent steps/s: {ratios}"


def envs_share(result: Result) -> str:
    """Ours as a share of the bare emulators, for each number of environments."""
    shares = (f"{row['ratio']:.1%} at {row['num_envs']}" for row in result["rows"])
    return ", ".join(shares) + " environments"


def flat_memory(result: Result) -> str:
    """Resident memory when the replay was full and at the end, with handles and threads."""
    memory, handles, threads = (result[name] for name in ("resident_bytes", "file_handles", "threads"))
    return (
        f"{memory['when_full'] / 1e9:.3f} GB when full, {memory['at_end'] / 1e9:.3f} GB after {result['hours']} hours "
        f"and {result['steps']:,} steps; {handles['at_end']} file handles, {threads['at_end']} threads throughout"
    )


def checkpoint_cost(result: Result) -> str:
    """Size and time of the first checkpoint and of the next."""
    first, following = result["first"], result["next"]
    return (
        f"{first['bytes'] / 1e9:.2f} GB in {first['seconds']:.0f} s, the next (250,000 new) "
        f"{following['bytes'] / 1e9:.2f} GB in {following['seconds']:.0f} s; training stands still for "
        f"{following['blocking_seconds']:.2f} s of it; {result['of_ceiling']:.0%} of plain writing"
    )


def frame_rates(result: Result) -> str:
    """Emulator frames per second of training in each precision."""
    return ", ".join(f"{row['frames_per_second']:,} in {row['precision']}" for row in result["rows"])


def update_rates(result: Result) -> str:
    """Updates per second of each precision."""
    rates = (f"{row['updates_per_second']:,.0f} in {row['precision']}" for row in result["rows"])
    return ", ".join(rates)


def own_kernels(result: Result) -> str:
    """Updates per second of our own kernels and of torch's, which ran in turns."""
    ours, torchs = (statistics.median(result["speeds"][name]) for name in ("kernels bf16", "ours bf16"))
    return f"{ours:,.0f} updates/s: {ours / torchs:.2f} times torch's compiler ({torchs:,.0f})"


def by_game(result: Result) -> str:
    """Agent steps per second of each game and number of environments."""
    return ", ".join(
        f"{row['steps_per_second']:,.0f} on {row['game'].title()} with {row['num_envs']} environments"
        + f" in {row['env_groups']} groups" * (row["env_groups"] > 1)
        for row in result["rows"]
    )


def tiled(result: Result) -> str:
    """Memory of a million frames at the cost of a recording's second half: least, and most."""
    cost = {row["second_half"] / 1e3: game for game, row in result["bytes_per_frame"].items()}
    least, most = min(cost), max(cost)
    whole = max(row["all"] for row in result["bytes_per_frame"].values()) / 1e3
    return f"{least:.2f} GB ({cost[least]}) to {most:.2f} GB ({cost[most]}), {whole:.2f} GB with its first half"


ROWS: list[tuple[str, str, Callable[[Result], str]]] = [
    ("two CPU cores, Breakout, fp32, against stable-baselines3", "bench_train_cpu2", lambda r: against_peer(r, "fp32")),
    ("the same in bf16", "bench_train_cpu2", lambda r: against_peer(r, "bf16")),
    ("learner alone on two CPU cores, updates/s", "bench_update_cpu2", update_rates),
    ("emulators through our layer, against bare `AtariVectorEnv`", "bench_envs_cpu2_amx", envs_share),
    (
        "replay of one million transitions, host memory",
        "bench_replay_cpu2",
        lambda r: f"{r['bytes'] / 1e9:.2f} GB; sampling at {r['of_ceiling']:.0%} of a bare copy",
    ),
    (
        "the same in tiles (`--replay-tiles`), random play of 12 games, 10,000 frames each",
        "replay_tiles",
        tiled,
    ),
    ("memory of a long run, replay of 200,000 transitions", "soak_memory_*/memory", flat_memory),
    ("a checkpoint with a replay of one million transitions", "bench_checkpoint_cpu2", checkpoint_cost),
    (
        "seeding games afresh, part of the emulators' time",
        "bench_envs_cpu2",
        lambda r: f"{r['reseeding_share']:.2%}",
    ),
    ("one H200 with 16 cores, `nature`, Breakout, 64 environments, frames/s", "bench_train_h200", frame_rates),
    ("the same in bf16, against stable-baselines3", "bench_train_h200", lambda r: against_peer(r, "bf16")),
    ("the same in fp32, against stable-baselines3", "bench_train_h200", lambda r: against_peer(r, "fp32")),
    ("one H100 with 16 cores, `nature` in bf16, agent steps/s", "gpu_h100_202611/num_envs", by_game),
    ("learner alone there, by torch's kernels, updates/s", "bench_update_h100", update_rates),
    ("learner alone on an H200, by torch's kernels, updates/s", "bench_update_h200", update_rates),
    (
        "one H200, `nature` in bf16, Breakout, 256 games in 4 groups, worker processes, frames made on the GPU",
        "gpu_h200_202611/workers_train_breakout",
        lambda r: f"{r['steps_per_second']:,.0f} agent steps/s: {r['frames_per_second']:,} frames/s, torch's kernels",
    ),
    ("learner alone on an H200 in bf16, by our own kernels", "bench_update_kernels_h200", own_kernels),
]


def speed() -> str:
    """The table of speeds in Markdown."""
    lines = ["| what | measured | where |", "|---|---|---|"]
    for what, name, say in ROWS:
        found = sorted(RESULTS.glob(f"{name}*.json"))
        if not found:
            lines.append(f"| {what} | not measured yet | |")
            continue
        result = json.loads(found[-1].read_text())
        lines.append(f"| {what} | {say(result)} | `{found[-1].relative_to(ROOT)}` |")
    return "\n".join(lines)


def quick() -> str:
    """The table of scores of `quick` in Markdown: the last network of each run over 30 games."""
    runs: dict[tuple[int, str, str], list[tuple[Evaluation, Run]]] = {}
    for run in read_runs([QUICK]).runs:
        machine = run.meta["gpu"] or "one core"
        for score in run.evaluations:
            if (score.result.protocol, score.checkpoint) == ("nature", "last"):
                runs.setdefault((run.config["total_steps"], run.game, machine), []).append((score, run))
    header = ["game", "on", "agent steps", "mean of 30 games, last network", "minutes of training, without evaluations"]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for (planned, game, machine), found in sorted(runs.items()):
        steps = " and ".join(f"{step:,}" for step in sorted({score.result.step or 0 for score, _ in found}))
        steps += f" of {planned:,}" * (steps != f"{planned:,}")
        seeds = ", ".join(f"seed {run.seed}: {score.result.mean:.1f} ± {score.result.std:.1f}" for score, run in found)
        minutes = sorted(round(60 * (run.hours or 0)) for _, run in found)
        spent = f"{minutes[0]}" if minutes[0] == minutes[-1] else f"{minutes[0]} to {minutes[-1]}"
        lines.append(f"| {game.replace('_', ' ')} | {machine} | {steps} | {seeds} | {spent} |")
    return "\n".join(lines)


def recipes() -> str:
    """The same as `proof`, a line for each run."""
    lines = ["| preset | game | million frames | ours | published, mean of seeds | |", "|---" * 6 + "|"]
    runs = {(run.preset, run.game): run for run in read_runs([PROOF]).runs}
    for preset, game in PROVED:
        run, curve = runs.get((preset, game)), series_of(preset, game)
        if run is None:
            cells = ["", "not measured yet", "", ""]
        elif curve is None:
            millions = ", ".join(f"{frames / 1e6:.0f}" for frames, _ in run.monitored)
            ours = ", ".join(f"{score:.1f}" for _, score in run.monitored)
            cells = [millions, ours, "none of this game", ""]
        else:
            found = verdicts(run.scores_like(curve.metric), curve)
            said = [place(ours, point, inside) for _, ours, point, inside in found]
            counts = ", ".join(f"{said.count(word)} {word}" for word in sorted({*said}, key=said.index))
            columns = [(f"{row[0] / 1e6:.0f}", f"{row[1]:.1f}", f"{row[2].mean:.1f}") for row in found]
            cells = [*(", ".join(column) for column in zip(*columns, strict=True)), counts]
        lines.append(f"| `{preset}` | {game} | {' | '.join(cells)} |")
    return "\n".join(lines)


def place(ours: float, point: PublishedPoint, inside: bool | None) -> str:
    """Where a score lies beside the range of the published seeds."""
    return "one seed" if inside is None else "inside" if inside else "above" if ours > point.high else "below"


def proof() -> str:
    """The table of recipes beside their own published curves in Markdown."""
    header = ["preset", "game", "frames", "ours", "published: mean (lowest to highest seed)", ""]
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    runs = {(run.preset, run.game): run for run in read_runs([PROOF]).runs}
    for preset, game in PROVED:
        run, curve = runs.get((preset, game)), series_of(preset, game)
        if run is None:
            lines.append(f"| `{preset}` | {game} | | not measured yet | | |")
            continue
        if curve is None:
            points = ", ".join(f"{score:.1f} at {frames / 1e6:.0f}" for frames, score in run.monitored)
            lines.append(f"| `{preset}` | {game} | million | {points} | none published for this game | |")
            continue
        for frames, ours, point, inside in verdicts(run.scores_like(curve.metric), curve):
            published = f"{point.mean:.1f} ({point.low:.1f} to {point.high:.1f})"
            said = f"{published} | {place(ours, point, inside)}"
            lines.append(f"| `{preset}` | {game} | {frames / 1e6:.0f} M | {ours:.1f} | {said} |")
    return "\n".join(lines)


def family() -> str:
    """The table of the DQN family in Markdown: source, score on CartPole, cost of an update."""
    rows = list(csv.DictReader((FAMILY_RESULTS / "cartpole.csv").open()))
    costs = json.loads(max(RESULTS.glob("bench_update_family_*.json")).read_text())["time_to_nature"]
    lines = ["| preset | source | best network | last network | time of an update |", "|---|---|---|---|---|"]
    for preset, make in FAMILY.items():
        source = re.search(r"Source: (.*? \d{4})", inspect.getdoc(make) or "")
        assert source, f"preset {preset} names no source"
        scores = {kind: scores_of(rows, preset, kind) for kind in ("best", "last")}
        lines.append(
            f"| `{preset}` | {source[1]} | {scores['best']} | {scores['last']} | {costs[preset]:.1f} times `nature`'s |"
        )
    return "\n".join(lines)


def scores_of(rows: list[dict[str, str]], preset: str, checkpoint: str) -> str:
    """Mean score of each seed."""
    found = [row for row in rows if (row["preset"], row["checkpoint"]) == (preset, checkpoint)]
    means = [f"{float(row['mean']):.1f}" for row in sorted(found, key=lambda row: int(row["seed"]))]
    return ", ".join(means) or "not measured"


def scripts() -> str:
    """Every script of benchmarks/ in Markdown, and what it answers."""
    paths = [path for path in sorted(RESULTS.parent.iterdir()) if path.suffix in (".py", ".sh")]
    lines = [f"| [`{path.name}`]({path.name}) | {said_by(path)} |" for path in paths]
    return "\n".join(["| script | what it answers |", "|---|---|", *lines])


def said_by(script: Path) -> str:
    """The first sentences of a Python script's docstring, or of a shell script's comment."""
    if script.suffix == ".py":
        return summary(script)
    comment = re.match(r"#!.*\n((?:# \S.*\n)+)", script.read_text(encoding="utf-8"))
    assert comment, f"{script.name} does not begin with what it is for"
    return comment[1].replace("# ", "").replace("\n", " ").strip()


ROOM_NAMES = (
    "dqn extensions kernels networks replay envs storage published evaluation video runs suite report commands".split()
)


def summary(path: Path) -> str:
    """The first sentence of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").removesuffix(":")


def rooms() -> str:
    """The packages of `atari_dqn`, a line each, in reading order."""
    lines = [f"| `{room}/` | {summary(PACKAGE / room / '__init__.py')} |" for room in ROOM_NAMES]
    return "\n".join(["| room | what it holds |", "|---|---|", *lines])


def files() -> str:
    """Every module, room by room, with the first sentence of its docstring."""
    parts = ["### At the top", *(f"- `{path.name}`: {summary(path)}" for path in modules(PACKAGE))]
    for room in ("settings", "presets", *ROOM_NAMES):
        parts += ["", f"### `{room}/`", "", summary(PACKAGE / room / "__init__.py"), ""]
        parts += [f"- `{path.name}`: {summary(path)}" for path in modules(PACKAGE / room)]
    return "\n".join([parts[0], "", *parts[1:]])


def modules(folder: Path) -> list[Path]:
    """In the order in which the room's docstring names them, then by name."""
    order = (folder / "__init__.py").read_text(encoding="utf-8")
    paths = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    return sorted(paths, key=lambda path: (order.find(path.name) % 10**9, path.name))


TABLES = {
    "README.md": (recipes, family, rooms),
    "docs/results.md": (proof, quick, speed),
    "docs/architecture.md": (files,),
    "docs/family.md": (family,),
    "benchmarks/README.md": (scripts,),
}


def main() -> int:
    """Rewrite, or check."""
    stale = []
    for name, tables in TABLES.items():
        text = fresh = (ROOT / name).read_text()
        for table in tables:
            begin, end = (mark.format(table.__name__) for mark in MARKS)
            before, rest = fresh.split(begin)
            fresh = f"{before}{begin}\n{table()}\n{end}{rest.split(end)[1]}"
        if fresh != text:
            stale.append(name)
        if "--check" not in sys.argv:
            (ROOT / name).write_text(fresh)
    if "--check" in sys.argv and stale:
        print(f"stale: {', '.join(stale)}; run python benchmarks/readme_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
