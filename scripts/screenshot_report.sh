#!/usr/bin/env bash
# docs/report.png: a report in headless Chromium. Without arguments that of the committed runs of `quick`, else
#   bash scripts/screenshot_report.sh RUNS [--compare RUNS --names A B]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/screenshot.sh
results=benchmarks/results
if [ $# -eq 0 ]; then
  set -- "$results/quick_202611"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
.venv/bin/python -m atari_dqn report "$@" --out "$out/report"
screenshot "file://$out/report/index.html?theme=light" 1040,2790 docs/report.png
