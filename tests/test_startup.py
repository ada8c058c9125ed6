"""A start takes no longer than it has to: what is not needed is not loaded, and a run soon learns."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from atari_dqn.presets import quick
from atari_dqn.runs import monitor
from atari_dqn.runs.monitor import Monitor

# Modules that take long, and words of commands that do without them.
TORCH = ("torch", "scipy", "tensorboard", "ale_py")
SYMPY = ("sympy",) if int(version("torch").split(".")[1]) >= 11 else ()  # an older torch loads it as it computes
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
    "evaluate pretrained:pong --episodes 1 --max-episode-steps 1": (*SYMPY, "torch._dynamo", "scipy", "tensorboard"),
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


def test_before_it_learns_a_run_is_evaluated_by_one_game(monkeypatch):
    played = []

    def play(agent, config, protocol, *, num_envs, **options):
        played.append((protocol.episodes, protocol.steps, num_envs))

    monkeypatch.setattr(monitor, "play", play)
    for config in (quick(), quick(eval_num_envs=2), quick(eval_episodes=3), quick(eval_episodes=30)):
        for step in (0, 25_000):
            Monitor(config, None).play(step, lambda: False)
    assert played[:2] == [(1, None, 1), (None, 10_000, 8)]
    assert played[2:4] == [(1, None, 1), (None, 10_000, 2)]
    assert played[4:6] == [(1, None, 1), (3, None, 3)]
    assert played[6:] == [(1, None, 1), (30, None, 8)]
