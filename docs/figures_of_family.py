"""Figures of chapter 11: what a network may say instead of a value."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import torch
from figure_style import BLUE, GREEN, GREY, RED

from atari_dqn.extensions.c51 import project
from atari_dqn.extensions.quantiles import midpoints

SHOT = ((-1.0, 0.3), (4.0, 0.7))  # returns of a risky action and their chances


def distributions() -> plt.Figure:
    """Left: a Bellman step of C51, from the atoms of what follows back onto the support. Right: quantiles."""
    support = torch.linspace(-5, 5, 21)
    following = torch.exp(-((support - 2.0) ** 2) / 1.5)
    following = following / following.sum()
    moved = project(support, following[None], torch.tensor([-1.0]), torch.tensor([0.5]))[0]
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.5))
    left.bar(support - 0.09, following, width=0.18, color=GREY, label="Z(s', a')")
    left.bar(support + 0.09, moved, width=0.18, color=BLUE, label="r + γ Z, r = -1, γ = 1/2")
    left.set(xlabel="return", ylabel="chance", title="C51: shrunk, moved, put back on 21 atoms")
    left.legend(frameon=False, loc="upper left", fontsize=7)
    levels = np.linspace(0, 1, 400)
    exact = np.where(levels < SHOT[0][1], SHOT[0][0], SHOT[1][0])
    few = midpoints(10).numpy()  # three below 0.3: their mean is the value
    quantiles = np.where(few < SHOT[0][1], SHOT[0][0], SHOT[1][0])
    right.plot(levels, exact, color=GREY, label="all quantiles")
    right.plot(few, quantiles, "o", color=GREEN, label="10 of them")
    right.axhline(quantiles.mean(), color=RED, linestyle=":", label=f"their mean, the value: {quantiles.mean():.1f}")
    right.set(xlabel="level", ylabel="return", title="Quantiles of a risky shot")
    right.legend(frameon=False)
    return figure
