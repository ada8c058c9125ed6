"""Every game of the paper's 49: does it start, play, and end where we say it ends?

The rule: a game is over (`finished`) exactly where the emulator's episode frame counter falls back on the next frame.
A fall-back without `finished` would be a game that ends with lives left; `finished` without one, a wrong score.

    python benchmarks/sweep_games.py [--min-steps 500] [--max-steps 6000] [--num-envs 4] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from measuring import command

from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.published.scores import nature_49
from atari_dqn.runs.provenance import hardware

ENDS_WANTED = 2  # games that end, for each game


def sweep(game: str, num_envs: int, min_steps: int, max_steps: int) -> dict[str, object]:
    """Random play until enough games have ended (or `max_steps` vector steps), checking every step."""
    envs = NativeEnvs(AtariRules(game), num_envs)
    rng = np.random.default_rng(0)
    envs.reset(rng.integers(2**31, size=num_envs))
    clock, expected = envs.clock.copy(), np.zeros(num_envs, bool)
    ends = lost_lives = surprises = steps = 0
    while steps < min_steps or (ends < ENDS_WANTED and steps < max_steps):
        envs.send(rng.integers(envs.spec.num_actions, size=num_envs))
        step = envs.recv()
        surprises += int(((envs.clock < clock) != expected).sum())
        clock, expected = envs.clock.copy(), step.finished
        ends += int(step.finished.sum())
        lost_lives += int((step.terminated & ~step.finished).sum())
        steps += 1
    envs.close()
    return {
        "game": game,
        "actions": envs.spec.num_actions,
        "steps": steps * num_envs,
        "games_ended": ends,
        "lives_lost": lost_lives,
        "surprises": surprises,
    }


def main() -> int:
    """Sweep, print, write; exit code 1 if a game broke the rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--min-steps", type=int, default=500, help="vector steps for each game, at least")
    parser.add_argument("--max-steps", type=int, default=6_000, help="vector steps for each game, at most")
    parser.add_argument("--num-envs", type=int, default=4)
    parser.add_argument("--out", type=Path, help="folder for sweep_games.json and sweep_games.md")
    options = parser.parse_args()
    began, rows = time.monotonic(), []
    table = ["| game | actions | agent steps | games ended | lives lost | surprises |", "|---|---|---|---|---|---|"]
    for game in nature_49():
        rows.append(sweep(game, options.num_envs, options.min_steps, options.max_steps))
        table.append("| " + " | ".join(str(value) for value in rows[-1].values()) + " |")
        print(table[-1], flush=True)
    result = {
        "bench": "sweep_games",
        "games": len(rows),
        "without_an_end": [row["game"] for row in rows if not row["games_ended"]],
        "surprises": sum(int(str(row["surprises"])) for row in rows),
        "seconds": round(time.monotonic() - began, 1),
        "command": command(),
        **hardware(),
        "rows": rows,
    }
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "sweep_games.json").write_text(json.dumps(result, indent=2) + "\n")
        (options.out / "sweep_games.md").write_text("\n".join(table) + "\n")
    print(json.dumps({name: value for name, value in result.items() if name != "rows"}))
    return 1 if result["surprises"] else 0


if __name__ == "__main__":
    sys.exit(main())
