#!/usr/bin/env bash
# Set up .venv and train: Pong with the `quick` preset, or what the arguments of `atari-dqn train` say.
#
#   bash scripts/train.sh
#   bash scripts/train.sh breakout --preset nature --device cuda
#
# scripts/setup.sh lists the environment variables that choose the interpreter and torch.
set -euo pipefail
source "$(dirname "$0")/setup.sh"
setup
[ $# -gt 0 ] || set -- pong --preset quick
exec .venv/bin/atari-dqn train "$@"
