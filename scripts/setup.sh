# Sourced by train.sh, test.sh and benchmarks/*.sh: makes .venv and installs the package into it, once for each set of requirements.
#
#   ATARI_DQN_PYTHON        interpreter that makes the environment             (default: python3)
#   ATARI_DQN_TORCH_INDEX   package index for torch, beside pip's own          (default: none)
#                           e.g. https://download.pytorch.org/whl/cu128
#   ATARI_DQN_SYSTEM_TORCH  1: use the torch that is installed already         (default: 0)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

setup() { # setup EXTRA...: install the package with these extras
  local python=${ATARI_DQN_PYTHON:-python3} system=${ATARI_DQN_SYSTEM_TORCH:-0} index=${ATARI_DQN_TORCH_INDEX:-}
  local extras
  extras=$(IFS=,; echo "$*")
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $("$python" --version) is too old: 3.11 or newer is needed; set ATARI_DQN_PYTHON" >&2
    exit 2
  }
  local stamp=.venv/installed-${extras:-plain} want
  want=$(cat pyproject.toml constraints.txt scripts/setup.sh; echo "$system $index $PWD")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then return; fi

  echo "setup: installing into .venv (once; a GPU build of torch is large)" >&2
  local options=() constraints=constraints.txt
  if [ "$system" = 1 ]; then
    options=(--system-site-packages)
    constraints=.venv/constraints.txt
  fi
  [ -x .venv/bin/python ] || "$python" -m venv ${options[@]+"${options[@]}"} .venv # bash 3.2, of macOS: an empty list is unset
  if [ "$system" = 1 ]; then grep -v '^torch==' constraints.txt > "$constraints"; fi
  local pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint "$constraints")
  if [ "$system" != 1 ]; then # an index of torch's lacks the pinned versions of what torch needs
    if [ -n "$index" ]; then "${pip[@]}" --extra-index-url "$index" torch; else "${pip[@]}" torch; fi
  fi
  "${pip[@]}" --editable ".${extras:+[$extras]}"
  echo "$want" > "$stamp"
}

interpreter() { # interpreter EXTRA...: into $python, what $PYTHON names, else that of .venv with these extras
  python=${PYTHON:-.venv/bin/python}
  if [ -z "${PYTHON:-}" ]; then setup "$@"; fi
}
