#!/usr/bin/env bash
# Does it learn as published? Train for some minutes, or go on where the last call ended; then evaluate, and draw the
# curve over the published one.
#   bash benchmarks/learning.sh GAME MINUTES FOLDER [train flags...]      e.g. pong 9 results/pong --precision bf16
# The run itself lies in $RUN_DIR (default: FOLDER/run); FOLDER gets its curve, evaluations, config and the table.
# $PYTHON has the package with [plot] installed; without it .venv is made first, see scripts/setup.sh.
set -euo pipefail
usage="usage: bash benchmarks/learning.sh GAME MINUTES FOLDER [train flags...]"
game=${1:?$usage} minutes=${2:?$usage} out=$(realpath -m "${3:?$usage}")
shift 3
run=$(realpath -m "${RUN_DIR:-$out/run}")
source "$(dirname "$0")/../scripts/setup.sh"
interpreter plot
mkdir -p "$out"

resume=()
if [ -f "$run/config.json" ]; then resume=(--resume); fi
began=$(date +%s)
code=0
if [ ! -f "$run/DONE" ]; then # at the end of the minutes SIGTERM saves a checkpoint
  timeout --foreground --preserve-status --signal=TERM --kill-after=120 "${minutes}m" \
    "$python" -m atari_dqn train "$game" --preset nature --run-dir "$run" "$@" ${resume[@]+"${resume[@]}"} || code=$?
fi
if [ "$code" != 0 ] && [ "$code" != 143 ]; then exit "$code"; fi
echo "trained for $((($(date +%s) - began) / 60)) minutes"

"$python" -m atari_dqn evaluate "$run" --protocol nature --checkpoint last --num-envs 30
if tail -n +2 "$run/evals.csv" | grep -q .; then
  "$python" -m atari_dqn evaluate "$run" --protocol nature --checkpoint best --num-envs 30
fi
"$python" benchmarks/learning_curve.py "$run" --out "$out"
"$python" benchmarks/keep_run.py "$run" "$out"
