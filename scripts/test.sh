#!/usr/bin/env bash
# Set up .venv and check everything: lint, types, tests. Arguments go to pytest: bash scripts/test.sh -k replay
set -euo pipefail
source "$(dirname "$0")/setup.sh"
setup dev
.venv/bin/ruff check
.venv/bin/ruff format --check
.venv/bin/mypy
exec .venv/bin/python -m pytest "$@"
