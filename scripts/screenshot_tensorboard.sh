#!/usr/bin/env bash
# docs/tensorboard.png: the curves of runs as TensorBoard shows them, in headless Chromium.
#   bash scripts/screenshot_tensorboard.sh RUNS        e.g. runs
set -euo pipefail
runs=$(cd "${1:?usage: bash scripts/screenshot_tensorboard.sh RUNS}" && pwd)
cd "$(dirname "$0")/.."
source scripts/screenshot.sh
port=${PORT:-6016}
out=$(mktemp -d)
tensorboard=$PWD/.venv/bin/tensorboard
# the page shows the path as it is given
(cd "$(dirname "$runs")" && exec "$tensorboard" --logdir "$(basename "$runs")" --host 127.0.0.1 --port "$port") \
  >"$out/log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$out"' EXIT
until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/data/runs"; do
  kill -0 $server 2>/dev/null || { cat "$out/log" >&2; exit 1; }
  sleep 1
done
page="http://127.0.0.1:$port/?darkMode=false#scalars&tagFilter=eval%7Creturn%7Closs%7Cframes&_smoothingWeight=0"
screenshot "$page" 1400,1040 docs/tensorboard.png --virtual-time-budget=30000 # time for its curves to load
