#!/usr/bin/env bash
# The CartPole row of the README: train each seed, then 100 greedy games; one JSON line a seed.
#   bash scripts/reproduce_cartpole.sh FOLDER [SEED...]        (default: seeds 0 to 9)
set -euo pipefail
out=${1:?usage: bash scripts/reproduce_cartpole.sh FOLDER [SEED...]}
[[ $out == /* ]] || out=$PWD/$out
seeds=("${@:2}")
[ ${#seeds[@]} -gt 0 ] || seeds=(0 1 2 3 4 5 6 7 8 9)
source "$(dirname "$0")/setup.sh"
setup
mkdir -p "$out"
for seed in "${seeds[@]}"; do
  began=$(date +%s)
  .venv/bin/atari-dqn train cartpole --seed "$seed" --run-dir "$out/seed$seed" >"$out/seed$seed.log" 2>&1
  seconds=$(($(date +%s) - began))
  score=$(.venv/bin/atari-dqn evaluate "$out/seed$seed" --episodes 100 --json 2>/dev/null | tail -n 1)
  echo "{\"seed\": $seed, \"train_seconds\": $seconds, \"evaluation\": $score}" | tee -a "$out/results.jsonl"
done
