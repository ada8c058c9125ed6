"""Draws the figures of docs/tutorial.md: `python docs/make_figures.py [NAME ...]`.

Everything is computed here in about a minute on one core, from fixed seeds, but the learning curves, which come from
benchmarks/results/. Needs matplotlib: pip install -e '.[plot]'.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import gymnasium
import matplotlib.pyplot as plt
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from atari_dqn import presets
from atari_dqn.agent import make_agent
from atari_dqn.envs import make_envs
from atari_dqn.losses import bootstrap_value, clipped_loss, squared_loss
from atari_dqn.model import MLP
from atari_dqn.replay import FrameReplay
from atari_dqn.replay_layout import ReplayLayout
from atari_dqn.run import replay_layout
from atari_dqn.schedules import exploration
from atari_dqn.scores import human_normalized, nature_49, published

ROOT = Path(__file__).parent.parent
FIGURES, RESULTS = ROOT / "docs/figures", ROOT / "benchmarks/results"
BLUE, RED, GREY, GREEN = "#2166ac", "#b2182b", "#8a8a8a", "#1b7837"
STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "svg.hashsalt": "atari_dqn",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
}


def random_play() -> plt.Figure:
    """One random game of CartPole, and the lengths of many."""
    env, rng, lengths, trace = gymnasium.make("CartPole-v1"), np.random.default_rng(0), [], []
    for game in range(1_000):
        obs, _ = env.reset(seed=game)
        length, over = 0, False
        while not over:
            if game == 7:
                trace.append(np.degrees(obs[2]))
            obs, _, terminated, truncated, _ = env.step(int(rng.integers(2)))
            length, over = length + 1, terminated or truncated
        lengths.append(length)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.4))
    left.plot(trace, color=BLUE)
    left.axhspan(12, 16, color=RED, alpha=0.2)
    left.axhspan(-16, -12, color=RED, alpha=0.2)
    left.set(title="one random game: it ends beyond 12°", xlabel="agent step", ylabel="angle of the pole, °")
    right.hist(lengths, bins=range(0, 101, 4), color=BLUE)
    right.axvline(np.mean(lengths), color=RED)
    title = f"1,000 random games: mean {np.mean(lengths):.1f}, best {max(lengths)}"
    right.set(title=title, xlabel="length of a game, agent steps", ylabel="games")
    return figure


def q_table() -> plt.Figure:
    """FrozenLake without slipping: the best value of every cell as Q-learning goes on."""
    env, rng = gymnasium.make("FrozenLake-v1", is_slippery=False), np.random.default_rng(0)
    q, shown = np.zeros((16, 4)), {50: None, 200: None, 1_000: None, 5_000: None}
    for game in range(1, max(shown) + 1):
        state, _ = env.reset()
        over = False
        while not over:
            action = int(rng.integers(4))
            state_next, reward, over, cut, _ = env.step(action)
            q[state, action] += 0.5 * (float(reward) + 0.9 * q[state_next].max() * (not over) - q[state, action])
            state, over = state_next, over or cut
        if game in shown:
            shown[game] = q.copy()
    figure, axes = plt.subplots(1, 4, figsize=(7.5, 2.2))
    lake = env.unwrapped.desc.astype(str).ravel()
    for axis, (games, table) in zip(axes, shown.items(), strict=True):
        axis.imshow(table.max(axis=1).reshape(4, 4), cmap="Blues", vmin=0, vmax=1.3)
        for cell in range(16):
            row, column = divmod(cell, 4)
            if lake[cell] in "HG":
                axis.text(column, row, {"H": "hole", "G": "goal"}[lake[cell]], ha="center", va="center", color=RED)
            elif table[cell].max() > 0:
                best = "←↓→↑"[table[cell].argmax()]
                axis.text(column, row, f"{table[cell].max():.2f}\n{best}", ha="center", va="center", fontsize=8)
        axis.set(title=f"after {games:,} games", xticks=[], yticks=[])
    return figure


def table_fails() -> plt.Figure:
    """CartPole cut into cells: how many there are, and how few are ever seen."""
    env, rng, seen = gymnasium.make("CartPole-v1"), np.random.default_rng(0), []
    obs, _ = env.reset(seed=0)
    for _ in range(50_000):
        seen.append(obs)
        obs, _, terminated, truncated, _ = env.step(int(rng.integers(2)))
        if terminated or truncated:
            obs, _ = env.reset()
    limits = np.array([2.4, 3.0, 0.21, 3.0])
    place = np.clip((np.array(seen) + limits) / (2 * limits), 0, 1 - 1e-9)
    bins = np.array([2, 4, 6, 10, 15, 20, 30, 40])
    visited = [len(np.unique((place * count).astype(int), axis=0)) for count in bins]
    figure, axis = plt.subplots(figsize=(5.5, 2.6))
    axis.loglog(bins, bins.astype(float) ** 4, "o-", color=RED, label="cells of the table")
    axis.loglog(bins, visited, "o-", color=BLUE, label="cells seen in 50,000 random steps")
    axis.set_xticks(bins, [str(count) for count in bins])
    axis.minorticks_off()
    axis.set(xlabel="bins for each of the 4 numbers of CartPole", ylabel="cells")
    axis.legend(frameon=False)
    return figure


def mountain_car_values(size: int = 100, gamma: float = 0.99) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (position, speed) in [-1, 1], [size * size, 2], and minus the optimal value there: the cost to go."""
    position, speed = np.meshgrid(np.linspace(-1.2, 0.6, size), np.linspace(-0.07, 0.07, size), indexing="ij")
    value = np.zeros((size, size))
    pushes = [np.clip(speed + push * 0.001 - 0.0025 * np.cos(3 * position), -0.07, 0.07) for push in (-1, 0, 1)]
    nexts = []
    for faster in pushes:
        there = np.clip(position + faster, -1.2, 0.6)
        faster = np.where((there <= -1.2) & (faster < 0), 0.0, faster)
        row, column = (there + 1.2) / 1.8 * (size - 1), (faster + 0.07) / 0.14 * (size - 1)
        nexts.append((row, column, there >= 0.5))
    for _ in range(400):
        value = np.max(
            [-1 + gamma * np.where(done, 0.0, _between(value, row, column)) for row, column, done in nexts], 0
        )
    inputs = np.stack([(position.ravel() + 0.3) / 0.9, speed.ravel() / 0.07], axis=1)
    return inputs, -value.ravel()


def _between(table: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear interpolation."""
    top, left = np.minimum(row.astype(int), len(table) - 2), np.minimum(column.astype(int), len(table) - 2)
    down, right = row - top, column - left
    upper = table[top, left] * (1 - right) + table[top, left + 1] * right
    lower = table[top + 1, left] * (1 - right) + table[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def approximators() -> plt.Figure:
    """The cost to go of MountainCar, and what three kinds of functions can make of it."""
    inputs, cost = mountain_car_values()
    x, y = inputs.T
    degree4 = np.stack([x**i * y**j for i in range(5) for j in range(5 - i)], axis=1)
    linear = np.stack([np.ones_like(x), x, y], axis=1)
    fits = {"exact": cost}
    for name, features in (("linear, 3 weights", linear), (f"polynomial, {degree4.shape[1]} weights", degree4)):
        fits[name] = features @ np.linalg.lstsq(features, cost, rcond=None)[0]
    torch.manual_seed(0)
    network, wanted = MLP(2, 1, (64, 64)), torch.tensor(cost / 50.0, dtype=torch.float32)[:, None]
    optimizer, points = torch.optim.Adam(network.parameters(), lr=0.01), torch.tensor(inputs, dtype=torch.float32)
    for step in range(1_500):
        optimizer.param_groups[0]["lr"] = 0.01 * (1 - step / 1_500)
        optimizer.zero_grad()
        (network(points) - wanted).square().mean().backward()
        optimizer.step()
    count = sum(parameter.numel() for parameter in network.parameters())
    fits[f"network, {count:,} weights"] = network(points).detach().numpy().ravel() * 50.0
    figure, axes = plt.subplots(1, 4, figsize=(7.5, 2.2), sharey=True)
    for axis, (name, values) in zip(axes, fits.items(), strict=True):
        error = np.sqrt(np.mean((values - cost) ** 2))
        image = values.reshape(100, 100).T
        axis.imshow(
            image, origin="lower", extent=(-1.2, 0.6, -0.07, 0.07), aspect="auto", cmap="viridis", vmin=0, vmax=70
        )
        axis.set(title=name if name == "exact" else f"{name}\nerror {error:.1f} steps", xlabel="position")
    axes[0].set_ylabel("speed")
    return figure


def correlated() -> plt.Figure:
    """What a minibatch holds: 32 steps in a row, or 32 draws from the replay."""
    env, rng, angles = gymnasium.make("CartPole-v1"), np.random.default_rng(0), []
    obs, _ = env.reset(seed=0)
    for _ in range(5_000):
        angles.append(np.degrees(obs[2]))
        obs, _, terminated, truncated, _ = env.step(int(rng.integers(2)))
        if terminated or truncated:
            obs, _ = env.reset()
    angles = np.array(angles)
    rows, drawn = angles[4_010:4_042], angles[rng.integers(5_000, size=32)]
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.3), sharey=True)
    for axis, batch, title in (
        (axes[0], rows, "32 steps in a row"),
        (axes[1], drawn, "32 draws from the last 5,000 steps"),
    ):
        axis.plot(batch, "o-" if batch is rows else "o", color=RED if batch is rows else BLUE, markersize=4)
        related = np.corrcoef(batch[:-1], batch[1:])[0, 1]
        axis.set(title=f"{title},\ncorrelation of neighbours {related:.2f}", xlabel="place in the minibatch")
    axes[0].set_ylabel("angle of the pole, °")
    return figure


def replay_memory() -> plt.Figure:
    """Bytes of a million transitions, with every stack stored twice, once, and every frame once."""
    layout = ReplayLayout(1_000_000, 64, (84, 84), "uint8", 4)
    frame = 84 * 84
    bars = {
        "obs and next_obs as stacks\nof float32": 1e6 * 8 * frame * 4,
        "obs and next_obs as stacks\nof bytes": 1e6 * 8 * frame,
        "every frame once\n(FrameReplay)": layout.frame_bytes,
    }
    figure, axis = plt.subplots(figsize=(6.5, 1.8))
    axis.barh(list(bars), [size / 1e9 for size in bars.values()], color=[RED, RED, BLUE])
    for place, size in enumerate(bars.values()):
        axis.text(size / 1e9 + 2, place, f"{size / 1e9:.1f} GB", va="center")
    axis.invert_yaxis()
    axis.set(xlim=(0, 260), xlabel="a million transitions, GB")
    return figure


def target() -> plt.Figure:
    """How far the network is from its target network in the first steps of a CartPole run."""
    import dataclasses

    torch.set_num_threads(1)
    config = dataclasses.replace(presets.cartpole(), eval_period=0, total_steps=6_000)
    envs = make_envs(config)
    agent, replay, rng = (
        make_agent(config, envs.spec),
        FrameReplay(replay_layout(config, envs.spec)),
        np.random.default_rng(0),
    )
    dqn, steps, distances = agent.algorithm, [], []
    replay.start(envs.reset(np.arange(config.num_envs)))
    for step in range(0, config.total_steps, config.num_envs):
        action = agent.sample(replay.latest_obs(), exploration(config, step))
        envs.send(action)
        replay.add(action, envs.recv())
        if step >= config.learning_starts:
            for _ in range(config.num_envs // config.update_period):
                agent.learn(replay.sample(config.batch_size, rng))
            if step % config.target_update_period == 0:
                dqn.sync_target()
        pairs = zip(dqn.model.parameters(), dqn.target.parameters(), strict=True)
        distances.append(sum(float((mine - theirs).detach().square().sum()) for mine, theirs in pairs) ** 0.5)
        steps.append(step)
    envs.close()
    figure, axis = plt.subplots(figsize=(6.5, 2.2))
    axis.plot(steps, distances, color=BLUE)
    axis.set(
        xlabel="agent step (a copy every 1,000)",
        ylabel="|online - target|",
        title="the target stands still, then jumps",
    )
    return figure


def loss() -> plt.Figure:
    """The loss and its slope."""
    error = torch.linspace(-4, 4, 401, requires_grad=True)
    figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.3))
    for function, color, name in ((squared_loss, RED, "squared"), (clipped_loss, BLUE, "clipped: the paper's")):
        value = function(error)
        (slope,) = torch.autograd.grad(value.sum(), error)
        axes[0].plot(error.detach(), value.detach(), color=color, label=name)
        axes[1].plot(error.detach(), slope, color=color)
    axes[0].set(title="loss", xlabel="TD error", ylim=(0, 8))
    axes[1].set(title="its slope: what the weights feel", xlabel="TD error")
    axes[0].legend(frameon=False)
    return figure


def epsilon() -> plt.Figure:
    """The chance of a random action in three presets."""
    figure, axis = plt.subplots(figsize=(6.5, 2.3))
    for preset, color in ((presets.cartpole, GREEN), (presets.quick, BLUE), (presets.nature, RED)):
        config = preset()
        steps = np.unique(np.geomspace(100, config.total_steps, 2_000).astype(int))
        axis.semilogx(steps, [exploration(config, int(step)) for step in steps], color=color, label=config.preset)
    axis.set(xlabel="agent step", ylabel="epsilon", ylim=(0, 1.05))
    axis.legend(frameon=False)
    return figure


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


def pong_curve() -> plt.Figure:
    """The committed Pong run of preset quick."""
    path = RESULTS / "quick_pong_seed0_202611/metrics.jsonl"
    points = [json.loads(line) for line in path.read_text().splitlines()]
    line = [(point["step"], point["train/episode_return"]) for point in points if "train/episode_return" in point]
    figure, axis = plt.subplots(figsize=(6.5, 2.2))
    axis.plot(*zip(*line, strict=True), color=BLUE)
    row = published("pong")
    for score, name, place in ((row.random_nature, "random play", 400_000), (row.human_nature, "the paper's human", 0)):
        axis.axhline(score, color=GREY, linestyle=":")
        axis.text(place, score + 0.7, name, color=GREY)
    axis.xaxis.set_major_formatter(lambda step, _: f"{step / 1000:.0f}k")
    axis.set(xlabel="agent step", ylabel="mean score of 20 games")
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


def double() -> plt.Figure:
    """Actions that are all worth 0, seen through noise: what max makes of it, and what Double does."""
    generator, actions = torch.Generator().manual_seed(0), range(1, 19)
    plain, crossed = [], []
    for count in actions:
        first, second = torch.randn(2, 20_000, count, generator=generator)
        plain.append(float(bootstrap_value(first).mean()))
        crossed.append(float(bootstrap_value(first, second).mean()))
    figure, axis = plt.subplots(figsize=(6.5, 2.2))
    axis.plot(actions, plain, "o-", color=RED, label="one network picks and values: max")
    axis.plot(actions, crossed, "o-", color=BLUE, label="one picks, the other values: Double")
    axis.set(
        xlabel="actions, all worth 0, seen with noise of size 1", ylabel="mean value found", xticks=[1, 4, 6, 9, 18]
    )
    axis.legend(frameon=False)
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


def parts() -> plt.Figure:
    """Who hands what to whom."""
    figure, axis = plt.subplots(figsize=(7.5, 2.9))
    boxes = {
        "envs\nthe games": (0.1, 0.75),
        "FrameReplay\nevery frame once": (0.1, 0.2),
        "Agent\nsample, predict,\nsave, restore": (0.47, 0.75),
        "Algorithm: DQN\npredict, learn,\nsync_target": (0.47, 0.2),
        "Model\nobs -> Q": (0.86, 0.75),
        "target network\nits older copy": (0.86, 0.2),
    }
    for (text, place), color in zip(boxes.items(), (GREY, GREY, BLUE, BLUE, BLUE, RED), strict=True):
        frame = {"boxstyle": "round,pad=0.6", "facecolor": "white", "edgecolor": color}
        axis.text(*place, text, ha="center", va="center", bbox=frame)
    arrows = (
        ((0.36, 0.82), (0.18, 0.82), "action"),
        ((0.1, 0.6), (0.1, 0.35), "frame, reward, ends"),
        ((0.2, 0.3), (0.37, 0.65), "obs"),
        ((0.22, 0.16), (0.36, 0.16), "minibatch"),
        ((0.47, 0.58), (0.47, 0.38), "learn"),
        ((0.58, 0.3), (0.79, 0.68), "optimizer step"),
        ((0.86, 0.62), (0.86, 0.34), "copy, now and then"),
        ((0.76, 0.16), (0.585, 0.16), "Q(s', .)"),
    )
    for begin, end, text in arrows:
        axis.annotate("", end, begin, arrowprops={"arrowstyle": "->", "color": GREY})
        middle = ((begin[0] + end[0]) / 2 + 0.01, (begin[1] + end[1]) / 2)
        axis.text(*middle, text, fontsize=7, color=GREY, va="bottom", ha="center" if begin[1] == end[1] else "left")
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.axis("off")
    return figure


FIGURE_MAKERS = (
    random_play, q_table, table_fails, approximators, correlated, replay_memory, target, loss, epsilon, parts, curves,
    pong_curve, pipeline, double, forty_nine,
)  # fmt: skip
AS_PIXELS = {"approximators", "pipeline"}


def main(names: list[str]) -> None:
    """Draw the named figures, or all."""
    makers = {maker.__name__: maker for maker in FIGURE_MAKERS}
    FIGURES.mkdir(exist_ok=True)
    with plt.rc_context(STYLE):
        for name in names or makers:
            figure = makers[name]()
            if name in AS_PIXELS:
                figure.savefig(FIGURES / f"{name}.png", dpi=110, pil_kwargs={"optimize": True})
            else:
                figure.savefig(FIGURES / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)
            print(f"docs/figures/{name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
