#!/usr/bin/env bash
# Everything that needs a GPU, into one folder: tests, four benchmarks, a profile, and the table over numbers of
# environments and groups of them. A run of training takes about half a minute on 16 cores before it is on the clock.
#   bash benchmarks/gpu.sh FOLDER             on a machine with a CUDA GPU
#   bash benchmarks/gpu.sh FOLDER --dry       the same steps at small sizes on the CPU, to see that each runs
#   ONLY="tests update" bash benchmarks/gpu.sh FOLDER      these steps alone, after a mend
# $PYTHON has the package with [bench,dev] installed; without it .venv is made first, see scripts/setup.sh.
set -uo pipefail
out=$(realpath -m "${1:?usage: bash benchmarks/gpu.sh FOLDER [--dry]}")
source "$(dirname "$0")/../scripts/setup.sh"
interpreter bench dev
set +e # a step that fails does not end the others
mkdir -p "$out"

device=cuda torchs=(--torch-kernels) peer=(--vs sb3) envs=(256x8 256x4 64x2 128x2 128x4) precisions=(bf16 fp32)
update=(--updates 320) replay=() emulators=(--repeats 3) train=(--steps 100000 --peer-steps 1000 --repeats 2)
if [ "${2:-}" = --dry ]; then
  device=cpu torchs=() envs=(8 16 16x2) precisions=(fp32 bf16)
  update=(--updates 4 --repeats 1 --capacity 2000)
  replay=(--capacity 5000 --batches 10 --repeats 1)
  train=(--steps 64 --peer-steps 16 --warm-up 512 --repeats 1 --compile off)
  emulators=(--num-envs 8 --steps 160 --repeats 1)
  "$python" -c "import stable_baselines3" 2>/dev/null || peer=()
fi

failed=()
step() { # step NAME WORD...: python WORD..., kept in NAME.log; the next goes on if it fails
  local name=$1; shift
  if [ -n "${ONLY:-}" ] && [[ " $ONLY " != *" $name "* ]]; then return; fi
  echo "== $name"
  if ! timeout 600 "$python" "$@" >"$out/$name.log" 2>&1; then failed+=("$name"); tail -n 15 "$out/$name.log"; fi
  tail -n 1 "$out/$name.log"
}
bench() { # bench NAME WHAT OPTION...: benchmarks/bench_WHAT.py, its result in bench_NAME.json
  local name=$1 what=$2; shift 2
  step "$name" "benchmarks/bench_$what.py" "$@" --out "$out/bench_$name.json"
}

step tests -m pytest -m gpu -rs tests
bench replay replay --device $device "${replay[@]}"
bench update update --device $device --compile on "${torchs[@]}" "${peer[@]}" "${update[@]}"
if [ $device = cuda ]; then step kernels benchmarks/tune_kernels.py --out "$out/kernels.json"; fi
# the switch for tf32 is the whole process's, so it has one of its own
if [ $device = cuda ]; then bench update_tf32 update --device cuda --compile on --precision tf32 "${update[@]}"; fi
bench update_plain update --device $device --compile off "${update[@]}"
bench envs envs "${emulators[@]}"
bench train train --device $device --precision "${precisions[@]}" "${peer[@]}" "${train[@]}"
# long games: emulators are seldom reset, which the other threads wait for
bench train_pong train --game pong --device $device --precision bf16 "${train[@]}" --repeats 1
for n in "${envs[@]}"; do # 64x2: 64 environments in two groups that take turns
  groups=1; if [[ $n = *x* ]]; then groups=${n#*x}; fi
  bench "train_$n" train --device $device --precision bf16 --num-envs "${n%x*}" --env-groups "$groups" "${train[@]}" --repeats 1
done
step profile benchmarks/profile_update.py --device $device --compile on --out "$out/profile.txt"

if [ ${#failed[@]} -gt 0 ]; then echo "failed: ${failed[*]}"; exit 1; fi
echo "all steps ran; results are in $out"
