"""What a command does not need is not loaded: torch takes a second, its compiler another, scipy one more."""

import subprocess
import sys

import pytest

# Modules that take long, and words of commands that do without them.
TORCH = ("torch", "scipy", "tensorboard", "ale_py")
WITHOUT = {
    "--help": (*TORCH, "gymnasium", "numpy", "rich"),
    "trian": (*TORCH, "gymnasium", "numpy"),
    "train --help": (*TORCH, "gymnasium"),
    "train pong --nonsense": (*TORCH, "gymnasium"),
    "train pong --total-steps 0": (*TORCH, "gymnasium"),
    "train nosuchgame": ("torch", "scipy", "tensorboard"),
    "presets quick": TORCH,
    "games": ("torch", "scipy", "tensorboard"),
    "completion bash": ("torch", "scipy", "tensorboard"),
    "evaluate --nonsense": TORCH,
    "evaluate nosuchrun": ("torch", "scipy", "tensorboard"),
    "video --nonsense": TORCH,
    "report nosuchrun": TORCH,
    "doctor --nonsense": TORCH,
    "suite --nonsense": TORCH,
    # plays with a network, and learns nothing
    "evaluate pretrained:pong --episodes 1 --max-episode-steps 1": ("torch._dynamo", "sympy", "scipy", "tensorboard"),
}
TELL = """
import sys
from atari_dqn.cli import main
try:
    main(sys.argv[1:])
except SystemExit:
    pass
print(*(name for name in {names} if name in sys.modules))
"""


@pytest.mark.parametrize("words", WITHOUT)
def test_a_command_loads_no_more_than_it_needs(words, tmp_path):
    code = TELL.format(names=WITHOUT[words])
    done = subprocess.run([sys.executable, "-c", code, *words.split()], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "", done.stderr
