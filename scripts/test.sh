#!/usr/bin/env bash
# Set up .venv and check everything: lint, types, tests side by side, one more than there are cores and at most eight.
# Arguments go to pytest: bash scripts/test.sh -k replay
set -euo pipefail
source "$(dirname "$0")/setup.sh"
setup dev
.venv/bin/ruff check
.venv/bin/ruff format --check
.venv/bin/mypy & # beside the tests: the first time it takes a minute
types=$! code=0
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # of each process; the processes fill the cores
workers=$(.venv/bin/python -c "from atari_dqn.host import cores; print(min(8, cores() + 1))") # some tests wait
.venv/bin/python -m pytest -n "$workers" --dist worksteal "$@" || code=$?
wait "$types" || { echo "test.sh: mypy found errors, see above" >&2; code=1; }
exit "$code"
