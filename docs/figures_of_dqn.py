"""Figures of chapters 6, 7 and 10: what DQN adds, part by part."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from figure_style import BLUE, GREEN, GREY, RED

from atari_dqn import presets
from atari_dqn.dqn import schedules
from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.losses import bootstrap_value, clipped_loss, squared_loss
from atari_dqn.envs import make_envs
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.runs.train import replay_layout


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
    torch.set_num_threads(1)
    config = presets.cartpole().replace(eval_period=0, total_steps=6_000)
    envs = make_envs(config)
    agent, replay, rng = (
        make_agent(config, envs.spec),
        FrameReplay(replay_layout(config, envs.spec)),
        np.random.default_rng(0),
    )
    dqn, steps, distances = agent.algorithm, [], []
    replay.start(envs.reset(np.arange(config.env.num_envs)))
    for step in range(0, config.total_steps, config.env.num_envs):
        action = agent.sample(replay.latest_obs(), schedules.epsilon(config, step))
        envs.send(action)
        replay.add(action, envs.recv())
        if step >= config.replay.learning_starts:
            for _ in range(config.env.num_envs // config.algorithm.update_period):
                agent.learn(replay.sample(config.replay.batch_size, rng))
            if step % config.algorithm.target_update_period == 0:
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
        axis.semilogx(steps, [schedules.epsilon(config, int(step)) for step in steps], color=color, label=config.preset)
    axis.set(xlabel="agent step", ylabel="epsilon", ylim=(0, 1.05))
    axis.legend(frameon=False)
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
