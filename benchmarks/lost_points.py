"""Where a policy loses points: how many agent steps after the last random action of an evaluation.

    python benchmarks/lost_points.py RUN [--epsilon 0.05] [--num-envs 30]

Points that are lost soon after a random action could hardly be saved; those lost as often as chance would have it, long
after one, are states that the network knows badly. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import defaultdict

import numpy as np
from measuring import parse_with_player

from atari_dqn.evaluation.play import EvalStep, play
from atari_dqn.evaluation.protocols import protocol_named
from atari_dqn.seeding import stream

EDGES = (0, 3, 6, 9, 12, 16, 20, 30, 10**9)  # agent steps since the last random action


class Watch:
    """Notes, of every game, which actions were random and what each step brought."""

    def __init__(self) -> None:
        self.games: dict[int, list[tuple[bool, float]]] = defaultdict(list)

    def __call__(self, moment: EvalStep) -> None:
        played = zip(moment.playing, moment.explored, moment.step.reward, moment.step.started, strict=True)
        for game, explored, reward, started in played:
            if not started:
                self.games[int(game)].append((bool(explored), float(reward)))

    def since_random(self, numbers: range) -> tuple[list[int], list[int]]:
        """Steps since the last random action of the game: at every step, and at those that lost a point."""
        always, lost = [], []
        for number in numbers:
            since = EDGES[-2]  # none yet: long ago
            for explored, reward in self.games[number]:
                since = 0 if explored else since + 1
                always.append(since)
                if reward < 0:
                    lost.append(since)
        return always, lost


def main() -> None:
    """Play and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epsilon", type=float, default=0.05)
    parser.add_argument("--num-envs", type=int, default=30)
    options, player = parse_with_player(parser)
    protocol = dataclasses.replace(protocol_named("nature", player.config), epsilon=options.epsilon)
    watch, root = Watch(), stream(0, "eval")
    games = play(player.agent, player.config, protocol, num_envs=options.num_envs, seed=root, watch=watch)
    assert games is not None
    always, lost = watch.since_random(range(len(games)))
    mean = float(np.mean([game.episode_return for game in games]))
    print(f"{player.config.game}, {len(games)} games: mean {mean:.1f}, {len(lost)} points lost")
    print("steps since a random action   points lost   share   share of all steps")
    rows = []
    for low, high in zip(EDGES, EDGES[1:], strict=False):
        inside = [low <= since < high for since in lost]
        base = float(np.mean([low <= since < high for since in always]))
        share = float(np.mean(inside)) if lost else 0.0
        name = f"{low} to {high - 1}" if high < EDGES[-1] else f"{low} or more"
        print(f"{name:<27} {sum(inside):>13} {share:>7.0%} {base:>20.0%}")
        rows.append({"from": low, "lost": sum(inside), "share": round(share, 3), "of_all_steps": round(base, 3)})
    result = {"game": player.config.game, "step": player.step, "epsilon": options.epsilon, "mean": mean, "rows": rows}
    print(json.dumps(result | {"games": len(games), "lost": len(lost)}))


if __name__ == "__main__":
    main()
