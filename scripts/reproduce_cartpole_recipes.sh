#!/usr/bin/env bash
# The published CartPole recipes: curves.csv, table.csv and curves.png of each; a killed script goes on where it was.
#   bash scripts/reproduce_cartpole_recipes.sh FOLDER [SEED...]        (default: seeds 0 to 9)
set -euo pipefail
out=$(realpath -m "${1:?usage: bash scripts/reproduce_cartpole_recipes.sh FOLDER [SEED...]}")
seeds=("${@:2}")
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2 3 4 5 6 7 8 9)
source "$(dirname "$0")/setup.sh"
setup plot
.venv/bin/python - "$out" "${seeds[@]}" <<'PYTHON'
import sys
from pathlib import Path

from atari_dqn.suite.study import Study, run_study
from atari_dqn.terminal import messages_shown

presets = {"cartpole_tf2": ["--preset", "cartpole_tf2"], "cartpole_parl": ["--preset", "cartpole_parl"]}
seeds = tuple(int(seed) for seed in sys.argv[2:])
study = Study("Two published recipes on CartPole, 5 greedy games every 50", "cartpole", presets, seeds,
              Path(sys.argv[1]), eval_period_episodes=50)
with messages_shown():
    lines = run_study(study, jobs=2)
print("\n".join(lines))
PYTHON
