"""Figures of chapters 1 to 5: random play, the table, functions in its place, correlated samples."""

from __future__ import annotations

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
import torch
from figure_style import BLUE, RED

from atari_dqn.networks.vector import MLP


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
