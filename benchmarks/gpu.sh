#!/usr/bin/env bash
# Everything that needs a GPU, in under ten minutes, into one folder: tests, four benchmarks, a profile, the table
# over numbers of environments.
#   bash benchmarks/gpu.sh FOLDER          on a machine with a CUDA GPU
#   bash benchmarks/gpu.sh FOLDER --dry    the same steps at small sizes on the CPU, to see that each runs
# $PYTHON has the package with [bench,dev] installed; without it .venv is made first, see scripts/setup.sh.
set -uo pipefail
out=$(realpath -m "${1:?usage: bash benchmarks/gpu.sh FOLDER [--dry]}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
python=${PYTHON:-.venv/bin/python}
if [ -z "${PYTHON:-}" ]; then
  source scripts/setup.sh
  setup bench dev
  set +e # a step that fails does not end the others
fi

device=cuda peer=(--vs sb3) envs=(32 64 128 256) threads=0
small_update=() small_replay=() small_train=(--steps 200000 --peer-steps 2000) small_envs=()
if [ "${2:-}" = --dry ]; then
  device=cpu envs=(8 16)
  small_update=(--updates 4 --repeats 1 --capacity 2000 --compile off)
  small_replay=(--capacity 5000 --batches 10 --repeats 1)
  small_train=(--steps 64 --peer-steps 16 --warm-up 512 --repeats 1 --compile off)
  small_envs=(--num-envs 8 --steps 160 --repeats 1)
  "$python" -c "import stable_baselines3" 2>/dev/null || peer=()
fi

failed=()
step() {  # step NAME COMMAND...: run it, keep what it prints, go on if it fails
  local name=$1; shift
  echo "== $name"
  if ! timeout 300 "$@" >"$out/$name.log" 2>&1; then failed+=("$name"); tail -n 15 "$out/$name.log"; fi
  tail -n 1 "$out/$name.log"
}

step tests "$python" -m pytest -m gpu -rs tests
step bench_replay "$python" benchmarks/bench_replay.py --device $device ${small_replay[@]+"${small_replay[@]}"} \
  --out "$out/bench_replay.json"
step bench_update "$python" benchmarks/bench_update.py --device $device ${peer[@]+"${peer[@]}"} \
  ${small_update[@]+"${small_update[@]}"} --out "$out/bench_update.json"
step bench_envs "$python" benchmarks/bench_envs.py ${small_envs[@]+"${small_envs[@]}"} --out "$out/bench_envs.json"
step bench_train "$python" benchmarks/bench_train.py --device $device --precision fp32 bf16 ${peer[@]+"${peer[@]}"} \
  "${small_train[@]}" --out "$out/bench_train.json"
for n in "${envs[@]}"; do
  step "bench_train_$n" "$python" benchmarks/bench_train.py --device $device --precision bf16 --num-envs "$n" \
    "${small_train[@]}" --repeats 1 --out "$out/bench_train_$n.json"
done
step profile "$python" benchmarks/profile_update.py --device $device --out "$out/profile.txt"

if [ ${#failed[@]} -gt 0 ]; then echo "failed: ${failed[*]}"; exit 1; fi
echo "all steps ran; results are in $out"
