"""Final weights of tiny runs as hashes, and whether two commits compute the same ones.

    python benchmarks/golden_weights.py                  hashes of the code in this folder
    python benchmarks/golden_weights.py --against main   and of that commit; exit code 1 if any differs

A hash is of the learner's tensors, on the CPU with one thread. Processors round differently, so none is kept: the
commit to compare with is checked out and run here. A change that must not alter what runs compute keeps all equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ATARI = dict(
    total_steps=400, learning_starts=100, capacity=1_000, num_envs=4, batch_size=4, hidden_sizes=(16,),
    target_update_period=100, epsilon_decay_steps=200, env_threads=1,
)  # fmt: skip
CARTPOLE = dict(capacity=2_000, batch_size=8, target_update_period=200, epsilon_decay_steps=500)
RESET = dict(reset_steps=(200,), reset_updates=40, precision="fp32", n_step_decay_steps=100)
QUIET = dict(eval_period=0, checkpoint_period=0, log_period=100, device="cpu", torch_threads=1)
RUNS: dict[str, tuple[str, str, dict[str, object]]] = {
    "nature": ("nature", "breakout", ATARI),
    "nature_serial": ("nature", "breakout", ATARI | dict(num_envs=1, total_steps=200, overlap=False)),
    "quick": ("quick", "breakout", ATARI | RESET),
    "cartpole": ("cartpole", "cartpole", CARTPOLE | dict(total_steps=1_500, learning_starts=200)),
    "cartpole_tf2": ("cartpole_tf2", "cartpole", dict(capacity=2_000, batch_size=8, total_episodes=40)),
    "cartpole_parl": ("cartpole_parl", "cartpole", CARTPOLE | dict(total_episodes=40)),
}
"""Preset, game and settings of each; only names that every commit to compare with knows."""


def hash_of_run(name: str, folder: Path) -> str:
    """Train, and digest every tensor of the agent's last checkpoint (network, target network, optimizer)."""

    import dataclasses

    from safetensors.numpy import load_file

    from atari_dqn import presets, train

    preset, game, settings = RUNS[name]
    config, changed = presets.PRESETS[preset](game), QUIET | settings
    papers = presets.nature()
    changed["eval_period_episodes"] = getattr(papers, "evaluation", papers).eval_period_episodes  # off: it was 0 once
    old = not hasattr(config, "replace")  # a commit from before the settings stood in groups
    config = dataclasses.replace(config, **changed) if old else config.replace(**changed)
    run = train(config, folder / name)
    if getattr(run, "exit_code", run):  # an earlier train handed back the code alone
        raise SystemExit(f"the run {name} was interrupted")
    tensors = load_file(max((folder / name / "checkpoints").glob("step_*/tensors.safetensors")))
    digest = hashlib.sha256()
    learned = sorted(key for key in tensors if key.startswith("/agent/"))
    for key in learned:
        digest.update(tensors[key].tobytes())
    if not learned:
        raise SystemExit(f"the checkpoint of {name} holds no tensors of the agent")
    return digest.hexdigest()[:16]


def hashes(root: Path, names: list[str]) -> dict[str, str]:
    """Hashes of the code at `root`, each run in a process of its own."""
    found = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
            command = [sys.executable, __file__, "--worker", folder, "--only", name]
            done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{name} at {root} failed:\n{done.stderr}")
            found[name] = done.stdout.split()[-1]
    return found


def hashes_of_commit(commit: str, names: list[str]) -> dict[str, str]:
    """Hashes of the code of another commit."""
    from measuring import checked_out  # here: workers run old code, which `measuring` does not fit

    with checked_out(commit) as tree:
        return hashes(tree, names)


def main() -> int:
    """Print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", help="commit to compare with")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), help="some of the runs")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(hash_of_run(options.only[0], options.worker))
        return 0
    here = hashes(ROOT, options.only)
    there = hashes_of_commit(options.against, options.only) if options.against else here
    differing = [name for name in here if here[name] != there[name]]
    for name in here:
        print(f"{name:<16}{here[name]}" + (f"  {options.against} has {there[name]}" if name in differing else ""))
    print(json.dumps({"bench": "golden_weights", "against": options.against, "hashes": here, "differing": differing}))
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
