#!/usr/bin/env bash
# The published CartPole recipes: curves.csv, table.csv and curves.png of each; a killed script goes on where it was.
#   bash scripts/reproduce_cartpole_recipes.sh FOLDER [SEED...]        (default: seeds 0 to 9)
set -euo pipefail
out=${1:?usage: bash scripts/reproduce_cartpole_recipes.sh FOLDER [SEED...]}
[[ $out == /* ]] || out=$PWD/$out
seeds=("${@:2}")
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2 3 4 5 6 7 8 9)
source "$(dirname "$0")/setup.sh"
setup plot
.venv/bin/python - "$out" "${seeds[@]}" <<'PYTHON'
import sys
from pathlib import Path

from atari_dqn.commands.cartpole_study import compare_on_cartpole
from atari_dqn.runs.terminal import messages_shown

presets = {name: ["--preset", name] for name in ("cartpole_tf2", "cartpole_parl")}
with messages_shown():
    sys.exit(compare_on_cartpole("Two published recipes on CartPole, 5 greedy games every 50", presets,
                                 seeds=[int(seed) for seed in sys.argv[2:]], out=Path(sys.argv[1]), jobs=2,
                                 eval_period_episodes=50))
PYTHON
