"""Worker processes against ale-py's vector environment on the paper's 49 games: the same course, the same pixels?

Both open alike (the first reset of an emulator with the same seed, after as many no-ops) and play the same random
actions. Three ways to a frame are held against ale-py's own: the worker's, and screens that become frames beside the
replay, as colours. Every 100 steps the game goes on in another emulator, from its saved state.

    python benchmarks/sweep_workers.py [--steps 1000] [--games pong breakout] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from measuring import finish

from atari_dqn.envs.emulator import EmulatorSettings, Game, make_emulator, make_openings
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.envs.palette import has_ntsc_colours, luminance_table
from atari_dqn.published.scores import nature_49
from atari_dqn.replay.screens import Shrinker
from atari_dqn.types import Screens

SAVED_EVERY = 100  # agent steps


def game_like(native: NativeEnvs, game: str, seed: int, picture: str) -> tuple[Game, np.ndarray]:
    """A game that opens as the native one has just done, and its first picture."""
    noops = int(native._clock[0])
    probe = make_emulator(game, seed)
    openings = make_openings(probe, noops, colours=picture == "colours", variants=1)
    names = {action.name.lower(): int(action.value) for action in probe.getMinimalActionSet()}
    settings = EmulatorSettings(
        game=game,
        actions=tuple(names[name] for name in native.spec.action_names),
        frame_skip=4,
        noop_max=noops,
        sticky_probability=0.0,
        life_loss=True,
        max_episode_steps=27_000,
        picture=picture,
    )
    mine = Game(settings, make_emulator(game), openings[noops:])
    mine.next_seed = 0
    shape = (84, 84) if picture == "frame" else (2, *probe.getScreenDims())
    out = np.empty(shape, np.uint8)
    mine.open(out)
    return mine, out


def sweep(game: str, steps: int) -> dict[str, object]:
    """Compare the courses of a game; one that ends opens again from another seed."""
    native = NativeEnvs(game, 1, num_threads=1)
    height, width = make_emulator(game).getScreenDims()
    shrink = Shrinker(Screens(height, width, tuple(luminance_table().tolist())), (84, 84), "cpu")
    rng = np.random.default_rng(0)
    played = games = pixels = surprises = 0
    while played < steps:
        seed, games = games, games + 1
        frame = native.reset(np.array([seed])).frame[0]
        contestants = [game_like(native, game, seed, picture) for picture in ("frame", "colours")]
        while True:
            shown = contestants[0][1], shrink(torch.from_numpy(contestants[1][1][None]))[0].numpy()
            pixels += sum(int((picture != frame).sum()) for picture in shown)
            if played >= steps:
                break
            action = int(rng.integers(native.spec.num_actions))
            native.send(np.array([action]))
            step = native.recv()
            played += 1
            for number, (one, picture) in enumerate(contestants):
                outcome = one.play(action, picture)
                surprises += outcome != tuple(field[0] for field in step[1:])
                if played % SAVED_EVERY == 0:
                    other = Game(one.settings, make_emulator(game), one.openings)
                    other.load(one.save())
                    contestants[number] = other, picture
            if step.finished[0]:
                break  # ale-py shows the screen before the last one there
            frame = step.frame[0]
    native.close()
    return {
        "game": game,
        "steps": played,
        "games": games,
        "pixels_that_differ": pixels,
        "surprises": surprises,
        "ntsc": has_ntsc_colours(make_emulator(game)),
    }


def main() -> int:
    """Sweep and print; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1_000, help="agent steps for each game")
    parser.add_argument("--games", nargs="+", default=list(nature_49()))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for game in options.games:
        rows.append(sweep(game, options.steps))
        print(*rows[-1].values(), flush=True)
    bad = [row["game"] for row in rows if row["pixels_that_differ"] or row["surprises"] or not row["ntsc"]]
    finish({"bench": "sweep_workers", "games": len(rows), "differ": bad, "rows": rows}, options.out)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
