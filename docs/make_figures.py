"""Draws the figures of docs/tutorial.md and docs/results.md: `python docs/make_figures.py [NAME ...]`.

Everything is computed here in about a minute on one core, from fixed seeds, but the learning curves, which come from
benchmarks/results/. Needs matplotlib: pip install -e '.[plot]'.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("agg")  # files only, also where there is no screen
sys.path.insert(0, str(Path(__file__).parent.parent))  # this tree, whatever is installed

import figures_before_dqn as before
import figures_of_dqn as dqn
import figures_of_family as family
import figures_of_runs as runs
import matplotlib.pyplot as plt
from figure_style import FIGURES, STYLE

FIGURE_MAKERS = (
    *(before.random_play, before.q_table, before.table_fails, before.approximators, before.correlated),
    *(dqn.replay_memory, dqn.target, dqn.loss, dqn.epsilon, dqn.parts, dqn.double),
    family.distributions,
    *(
        runs.approximators_on_cartpole,
        runs.ablation_on_cartpole,
        runs.paper_ablation,
        runs.curves,
        runs.quick_curves,
        runs.recipes,
        runs.pipeline,
        runs.forty_nine,
    ),
)
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
