#!/usr/bin/env bash
# docs/report.png: a report in headless Chromium. Without arguments that of the committed Pong runs, else
#   bash scripts/screenshot_report.sh RUNS [--compare RUNS --names A B]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/screenshot.sh
results=benchmarks/results
if [ $# -eq 0 ]; then
  set -- "$results/quick_before_202611" --compare "$results/quick_pong_seed0_202611" \
    --names "quick" "its predecessor"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
.venv/bin/python -m atari_dqn report "$@" --out "$out/report"
screenshot "file://$out/report/index.html?theme=light" 1040,2470 docs/report.png
