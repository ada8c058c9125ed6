"""Figures of chapters 5, 8, 9 and 12, and of docs/results.md: committed runs, Atari's screens, published tables."""

from __future__ import annotations

import csv
import json

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from figure_style import BLUE, GREEN, GREY, RED, RESULTS, ROOT

from atari_dqn import presets
from atari_dqn.envs import make_envs
from atari_dqn.published.curves import published_curve, series_of
from atari_dqn.published.scores import human_normalized, nature_49, published
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.report.read_runs import read_runs


def curves() -> plt.Figure:
    """A healthy CartPole run beside two sick ones."""
    folder, names = RESULTS / "tutorial_cartpole_202611", ("healthy", "rate_too_high", "rate_too_low")
    tags = (
        "train/episode_return",
        "eval/episode_return",
        "train/epsilon",
        "train/q",
        "train/td_error",
        "train/grad_norm",
    )
    figure, axes = plt.subplots(2, 3, figsize=(7.5, 4.0))
    for name, color in zip(names, (BLUE, RED, GREY), strict=True):
        points = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
        for axis, tag in zip(axes.flat, tags, strict=True):
            line = [(point["step"], point[tag]) for point in points if tag in point]
            axis.plot(*zip(*line, strict=True), color=color, label=name.replace("_", " "), linewidth=1)
            axis.set_title(tag)
    axes[0, 0].legend(frameon=False, fontsize=7)
    for axis in axes.flat:
        axis.xaxis.set_major_formatter(lambda step, _: f"{step / 1000:.0f}k")
        axis.set_ylim(bottom=0)
    return figure


def quick_curves() -> plt.Figure:
    """The committed runs of preset quick: each seed a line, over what DQN had reached elsewhere by the same frames."""
    games: dict[str, list[list[tuple[int, float]]]] = {}
    for path in sorted(RESULTS.glob("quick_202611/*/quick/seed*/metrics.jsonl")):
        points = [json.loads(line) for line in path.read_text().splitlines()]
        tag = "train/episode_return"
        line = [(point["step"], point[tag]) for point in points[::2] if tag in point]
        games.setdefault(path.parts[-4], []).append(line)
    games = dict(sorted(games.items(), key=lambda item: -len(item[1])))
    figure, axes = plt.subplots(1, len(games), figsize=(7.5, 2.4), squeeze=False)
    for axis, (game, lines) in zip(axes.flat, games.items(), strict=True):
        for line in lines:
            axis.plot(*zip(*line, strict=True), color=BLUE, linewidth=0.8)
        last = max(line[-1][0] for line in lines)
        curve = published_curve(game, "nnabla_rl")
        if curve:
            steps, means = zip(*((point.frames / 4, point.mean) for point in curve.points), strict=True)
            shown = [step for step in steps if step < last]  # and on to the edge, where none was published
            known, end = np.interp([*shown, last], steps, means), len(shown)
            axis.plot([*shown, last], known, color=GREY, marker=".", markevery=slice(end), linewidth=0.8)
        axis.axhline(published(game).random_nature, color=GREY, linestyle=":", linewidth=0.8)
        axis.xaxis.set_major_formatter(lambda step, _: f"{step / 1000:.0f}k")
        axis.set(title=game.replace("_", " "), xlabel="agent step", xlim=(0, last))
    axes[0, 0].set_ylabel("score")
    return figure


def recipes() -> plt.Figure:
    """The committed runs of `benchmarks/proof.sh`, over the published curves of their own settings and those' seeds."""
    runs = read_runs([RESULTS / "proof_202611"]).runs
    kinds = list(dict.fromkeys((run.preset, run.game) for run in runs if series_of(run.preset, run.game)))
    figure, axes = plt.subplots(2, -(-len(kinds) // 2), figsize=(7.5, 4.2), squeeze=False)
    for axis, (preset, game) in zip(axes.flat, kinds, strict=True):
        curve = series_of(preset, game)
        assert curve is not None
        same = [run.scores_like(curve.metric) for run in runs if (run.preset, run.game) == (preset, game)]
        last = max(frames for scores in same for frames in scores) * 1.04  # an evaluation comes a little late
        points = [point for point in curve.points if point.frames <= last]
        frames, means, lows, highs = np.array(points).T
        axis.fill_between(frames, lows, highs, color=GREY, alpha=0.3, linewidth=0)
        axis.plot(
            frames, means, color=GREY, marker=".", label=f"published, {curve.seeds} seed{'s' * (curve.seeds != 1)}"
        )
        for number, scores in enumerate(same):
            axis.plot(*zip(*sorted(scores.items()), strict=True), color=BLUE, marker=".", label="ours" * (not number))
        axis.set(title=f"{preset} on {game}", xlim=(0, last))
        axis.set_xticks(millions := range(0, int(last), 1_000_000), [f"{frame // 1_000_000} M" for frame in millions])
        axis.legend(frameon=False, fontsize=7, loc="upper left")
    for axis in axes[1]:
        axis.set_xlabel("frames")
    for axis in axes[:, 0]:
        axis.set_ylabel("score")
    return figure


def pipeline() -> plt.Figure:
    """Ms. Pac-Man on its way from the screen to the network."""
    import ale_py

    gymnasium.register_envs(ale_py)
    env = gymnasium.make("ALE/MsPacman-v5", frameskip=1, repeat_action_probability=0.0)
    env.reset(seed=0)
    for _ in range(400):
        env.step(0)
    screens = [env.step(0)[0] for _ in range(4)]
    envs = make_envs(presets.nature("ms_pacman"))
    replay = FrameReplay(ReplayLayout(envs.num_envs * 8, envs.num_envs, (84, 84), "uint8", 4))
    replay.start(envs.reset(np.arange(envs.num_envs)))
    for _ in range(100):
        action = np.full(envs.num_envs, 2)
        envs.send(action)
        replay.add(action, envs.recv())
    stack = replay.latest_obs()[0].numpy()
    envs.close()
    figure = plt.figure(figsize=(7.5, 3.6))
    above, below = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    titles = ("frame 1", "frame 2", "frame 3", "frame 4", "max of 3 and 4")
    for axis, image, title in zip(above.subplots(1, 5), [*screens, np.maximum(*screens[2:])], titles, strict=True):
        axis.imshow(image)
        axis.set(title=title, xticks=[], yticks=[])
    for axis, image, age in zip(below.subplots(1, 4), stack, (3, 2, 1, 0), strict=True):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set(title=f"84 x 84, {age} steps ago" if age else "84 x 84, now", xticks=[], yticks=[])
    return figure


def forty_nine() -> plt.Figure:
    """The paper's table: DQN on 49 games, human = 100 %."""
    scores = sorted(
        (100 * human_normalized(published(game).dqn_nature, game, pair="nature"), game) for game in nature_49()
    )
    values = np.array([score for score, _ in scores])
    figure, axis = plt.subplots(figsize=(7.5, 3.4))
    axis.bar(range(49), values, color=[BLUE if v >= 100 else GREEN if v >= 75 else GREY for v in values])
    axis.set_yscale("symlog", linthresh=100)
    for level, count in ((75, (values >= 75).sum()), (100, (values >= 100).sum())):
        axis.axhline(level, color=RED, linewidth=0.8)
        place = level * (1.1 if level == 100 else 0.8)
        axis.text(0, place, f"{level} %: {count} of 49 games", color=RED)
    axis.set_xticks(range(49), [game.replace("_", " ") for _, game in scores], rotation=90, fontsize=6)
    axis.set(ylabel="human-normalised score, %", yticks=[0, 50, 100, 1_000])
    return figure


def approximators_on_cartpole() -> plt.Figure:
    """The committed comparison of Q-functions: a thin line for every seed, a thick one for their mean."""
    return _study("approximators_202611", (GREY, RED, GREEN, BLUE, "#e08214"))


def ablation_on_cartpole() -> plt.Figure:
    """Replay and target network, each with and without."""
    return _study("ablation_cartpole_202611", (BLUE, GREEN, RED, GREY))


def _study(folder: str, colors: tuple[str, ...]) -> plt.Figure:
    """Evaluations of each variant of a study, by its curves.csv."""
    with (RESULTS / folder / "curves.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    figure, axis = plt.subplots(figsize=(7.5, 2.8))
    for variant, color in zip(variants, colors, strict=True):
        seeds: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if row["variant"] == variant:
                seeds.setdefault(row["seed"], []).append((int(row["step"]), float(row["return"])))
        lines = np.array(list(seeds.values()))  # [seeds, T, 2]
        for line in lines:
            axis.plot(*line.T, color=color, linewidth=0.5, alpha=0.5)
        axis.plot(*lines.mean(axis=0).T, color=color, label=variant)
    axis.set(xlabel="agent step", ylabel="score of 10 greedy games", ylim=(0, 520))
    axis.legend(frameon=False, ncols=len(variants), loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return figure


def paper_ablation() -> plt.Figure:
    """The paper's ablation, each game relative to its full DQN."""
    with (ROOT / "atari_dqn/data/nature_ablation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    variants = [name for name in rows[0] if name != "game"]
    figure, axis = plt.subplots(figsize=(7.5, 2.4))
    for place, (variant, color) in enumerate(zip(variants, (BLUE, GREEN, RED, GREY), strict=True)):
        shares = [100 * float(row[variant]) / float(row[variants[0]]) for row in rows]
        axis.bar(np.arange(len(rows)) + 0.2 * place, shares, width=0.18, color=color, label=variant.replace("_", " "))
    axis.set_xticks(np.arange(len(rows)) + 0.3, [row["game"].replace("_", " ") for row in rows])
    axis.set(ylabel="score, % of the full DQN", ylim=(0, 135))
    axis.legend(frameon=False, ncols=4, loc="upper center")
    return figure
