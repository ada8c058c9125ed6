#!/usr/bin/env bash
# The scores of `quick` in the README: Pong with three seeds, then three other games, two runs at a time on one core each;
# 30 games of the paper's protocol after each. A killed script goes on where it was.
#   bash scripts/reproduce_quick.sh FOLDER
set -euo pipefail
out=${1:?usage: bash scripts/reproduce_quick.sh FOLDER}
[[ $out == /* ]] || out=$PWD/$out
source "$(dirname "$0")/setup.sh"
setup
suite() {
  .venv/bin/atari-dqn suite --preset quick --jobs 2 --torch-threads 1 --env-threads 1 --no-overlap --film-seconds 0 \
    --runs-dir "$out" "$@"
}
suite --games pong --seeds 0 1 2
suite --games breakout freeway boxing --seeds 0 --total-steps 1000000
