"""Worker processes against ale-py's vector environment on the paper's 49 games: the same course, the same pixels?

Both open alike (the first reset of an emulator with the same seed, after as many no-ops) and play the same random
actions. Both ways to a frame are held against ale-py's own: the worker's, and screens that become frames beside the
replay. Every 100 steps the game goes on from its saved state in another emulator, which has played something else.

    python benchmarks/sweep_workers.py [--steps 1000] [--games pong breakout] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from measuring import finish

from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.emulator import EmulatorSettings, Game, make_emulator, make_openings
from atari_dqn.envs.frame_maker import FrameMaker
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.envs.palette import has_ntsc_colours, luminance_table
from atari_dqn.published.scores import nature_49
from atari_dqn.replay.screens import Shrinker
from atari_dqn.types import Screens

SAVED_EVERY = 100  # agent steps


def game_like(native: NativeEnvs, game: str, seed: int) -> Game:
    """A game that will open as the native one has just done."""
    probe = make_emulator(game, seed)
    probe.reset_game()
    noops = int(native.clock[0]) - probe.getEpisodeFrameNumber()
    probe = make_emulator(game, seed)
    openings = make_openings(probe, noops, colours=True, variants=1)
    names = {action.name.lower(): int(action.value) for action in probe.getMinimalActionSet()}
    settings = EmulatorSettings(
        game=game,
        actions=tuple(names[name] for name in native.spec.action_names),
        frame_skip=4,
        noop_max=noops,
        sticky_probability=0.0,
        life_loss=True,
        max_episode_steps=27_000,
        colours=True,
    )
    mine = Game(settings, make_emulator(game), openings[noops:])
    mine.next_seed = 0
    return mine


def sweep(game: str, steps: int) -> dict[str, object]:
    """Compare the courses of a game; one that ends opens again from another seed."""
    native = NativeEnvs(AtariRules(game), 1, num_threads=1)
    height, width = make_emulator(game).getScreenDims()
    shrink = Shrinker(Screens(height, width, tuple(luminance_table().tolist())), (84, 84), "cpu")
    maker, made = FrameMaker(1, height, width, colours=True), np.empty((1, 84, 84), np.uint8)
    rng = np.random.default_rng(0)
    played = games = pixels = surprises = 0

    def differing(screens: np.ndarray, frame: np.ndarray) -> int:
        maker.screens[:] = screens
        maker.finish(made)
        return int((made[0] != frame).sum() + (shrink(torch.from_numpy(screens[None]))[0].numpy() != frame).sum())

    while played < steps:
        frame = native.reset(np.array([games])).frame[0]
        mine, screens = game_like(native, game, games), np.empty((2, height, width), np.uint8)
        mine.open(screens)
        games += 1
        pixels += differing(screens, frame)
        finished = False
        while played < steps and not finished:
            action = int(rng.integers(native.spec.num_actions))
            native.send(np.array([action]))
            step = native.recv()
            surprises += mine.play(action, screens) != tuple(field[0] for field in step[1:])
            played += 1
            finished = bool(step.finished[0])
            if not finished:  # ale-py shows the screen before the last one there
                pixels += differing(screens, step.frame[0])
            if played % SAVED_EVERY == 0:
                other = Game(mine.settings, make_emulator(game), mine.openings)
                for _ in range(rng.integers(100)):
                    other.emulator.act(int(rng.choice(mine.settings.actions)))
                other.load(mine.save())
                mine = other
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
