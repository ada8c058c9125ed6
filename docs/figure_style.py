"""What the figures share: where they go, their colours, their looks."""

from __future__ import annotations

from pathlib import Path

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
