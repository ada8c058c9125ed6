#!/usr/bin/env bash
# The proof by scores: every recipe whose own curve is published, trained to where it can be held against it.
#   bash benchmarks/proof.sh FOLDER                  one run after the other, hours each on a CPU
#   bash benchmarks/proof.sh FOLDER --minutes 8      side by side on one GPU, until they end or the minutes are over
#   ONLY="nnabla_breakout rl_zoo_pong" bash benchmarks/proof.sh FOLDER        these runs alone
# The same command again skips what is done and goes on with what is not. FOLDER/<run> is a run folder; FOLDER/kept/<run>
# is what can be committed: settings, curves, the verdicts and their figure.
# $PYTHON has the package with [plot] installed; without it .venv is made first, see scripts/setup.sh.
set -uo pipefail
usage="usage: bash benchmarks/proof.sh FOLDER [--minutes N] [train flags...]"
out=$(realpath -m "${1:?$usage}")
shift
minutes=0
if [ "${1:-}" = --minutes ]; then minutes=${2:?$usage}; shift 2; fi
source "$(dirname "$0")/../scripts/setup.sh"
interpreter plot
set +e # a run that fails does not end the others
mkdir -p "$out/kept"

precision=auto
if "$python" -c "import sys, torch; sys.exit(not torch.cuda.is_available())"; then precision=bf16; fi
flags=(--precision "$precision" --no-save-replay --eval-period 250000 --eval-steps 25000 --log-period 25000)
flags+=(--film-seconds 0 "$@")

# name, preset, game, agent steps (a quarter of the frames), flags
runs=(
  "nnabla_breakout nnabla breakout 1250000"
  "rl_zoo_pong rl_zoo pong 1500000 --eval-period 500000" # compared by its returns in training
  "nature_pong nature pong 50000000 --eval-steps 12500"
  "nnabla_pong nnabla pong 1250000"
  "rl_zoo_breakout rl_zoo breakout 1250000 --eval-period 500000"
  # the family, beside nnabla-rl's curves of the same presets
  "c51_breakout c51 breakout 500000"
  "rainbow_breakout rainbow breakout 500000 --priority-beta-end 0.406" # where 50 million steps would have it by then
  # what 64 games side by side cost
  "rl_zoo_pong_8 rl_zoo pong 1500000 --eval-period 500000 --num-envs 8"
  "rl_zoo_pong_serial rl_zoo pong 1500000 --eval-period 500000 --no-overlap"
)

train() { # train NAME PRESET GAME STEPS FLAG...
  local name=$1 preset=$2 game=$3 steps=$4 resume=() limit=()
  shift 4
  if [ -f "$out/$name/DONE" ]; then return; fi
  if [ -f "$out/$name/config.json" ]; then resume=(--resume); fi
  if [ "$minutes" != 0 ]; then limit=(timeout --foreground --preserve-status --signal=TERM --kill-after=60 "${minutes}m"); fi
  ${limit[@]+"${limit[@]}"} nice "$python" -m atari_dqn train "$game" --preset "$preset" --run-dir "$out/$name" \
    --total-steps "$steps" "${flags[@]}" "$@" ${resume[@]+"${resume[@]}"} >>"$out/$name.log" 2>&1
  local code=$?
  if [ $code != 0 ] && [ $code != 143 ]; then echo "$name: exit code $code"; tail -n 5 "$out/$name.log"; fi
}

if [ "$minutes" != 0 ] && command -v nvidia-cuda-mps-control >/dev/null; then
  # small kernels of several processes run at once, instead of one process at a time
  export CUDA_MPS_PIPE_DIRECTORY=$out/mps CUDA_MPS_LOG_DIRECTORY=$out/mps
  mkdir -p "$out/mps"
  nvidia-cuda-mps-control -d
  if ! timeout 60 "$python" -c "import torch; torch.ones(1, device='cuda').sum().item()"; then
    echo quit | timeout 10 nvidia-cuda-mps-control
    unset CUDA_MPS_PIPE_DIRECTORY CUDA_MPS_LOG_DIRECTORY
    echo "no MPS here: the runs take turns on the GPU"
  fi
fi

for line in "${runs[@]}"; do
  read -r -a words <<<"$line"
  if [ -n "${ONLY:-}" ] && [[ " $ONLY " != *" ${words[0]} "* ]]; then continue; fi
  if [ "$minutes" != 0 ]; then train "${words[@]}" & else train "${words[@]}"; fi
done
wait
if [ -n "${CUDA_MPS_PIPE_DIRECTORY:-}" ]; then echo quit | timeout 10 nvidia-cuda-mps-control; fi

for line in "${runs[@]}"; do
  name=${line%% *}
  if [ ! -f "$out/$name/config.json" ]; then continue; fi
  "$python" benchmarks/learning_curve.py "$out/$name" --out "$out/$name" | sed '$d'
  every=2
  if [[ $name == rl_zoo_* ]]; then every=1; fi # its returns in training are compared: thinned ones would differ
  "$python" benchmarks/keep_run.py "$out/$name" "$out/kept/$name" --every "$every"
done
