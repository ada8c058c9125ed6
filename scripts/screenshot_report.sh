#!/usr/bin/env bash
# docs/report.png: a report in headless Chromium. Without arguments that of the committed Pong runs, else
#   bash scripts/screenshot_report.sh RUNS [--compare RUNS --names A B]
set -euo pipefail
cd "$(dirname "$0")/.."
results=benchmarks/results
if [ $# -eq 0 ]; then
  set -- "$results/quick_202611" --compare "$results/quick_pong_seed0_202611" \
    --names "quick" "its predecessor"
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
.venv/bin/python -m atari_dqn report "$@" --out "$out/report"
sandbox=()
[ "$(id -u)" -eq 0 ] && sandbox=(--no-sandbox) # Chromium refuses root otherwise
"${CHROMIUM:-chromium}" --headless "${sandbox[@]}" --disable-gpu --hide-scrollbars --user-data-dir="$out/profile" \
  --window-size=1040,2470 --screenshot="$out/shot.png" "file://$out/report/index.html?theme=light"
# 256 colours are enough for it, and a third of the bytes
.venv/bin/python -c "from PIL import Image; Image.open('$out/shot.png').quantize(256).save('docs/report.png', optimize=True)"
