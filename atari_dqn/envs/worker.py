"""A worker process: plays its share of the games whenever the run says so, and ends with the run.

It is started by `workers.py` as a fresh interpreter, without torch. Its standard input is its bell: a byte means that
there is something to do, the end of the file that the run is gone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Sequence

import numpy as np

from atari_dqn.envs.board import (
    FINISHED,
    LOAD,
    PLAY,
    RESET,
    SAVE,
    STARTED,
    TERMINATED,
    TRUNCATED,
    Board,
    BoardLayout,
    fence,
    spin_until,
)
from atari_dqn.envs.emulator import EmulatorSettings, Game, Opening, emulator_of, make_openings
from atari_dqn.envs.frame_maker import FrameMaker

LOOK_SECONDS = 0.1  # between looks at whether the run still lives, besides its bell


class Share:
    """The games of one group that a worker plays.

    Args:
      settings: of the games.
      board:    shared with the run.
      envs:     numbers of these games' environments.
      openings: see `make_openings`.
    """

    def __init__(self, settings: EmulatorSettings, board: Board, envs: range, openings: Sequence[Opening]) -> None:
        self.board, self.envs = board, envs
        self.mine = slice(envs.start, envs.stop, envs.step)
        self.games = [Game(settings, emulator_of(settings), openings) for _ in envs]
        self.maker: FrameMaker | None = None
        if not board.layout.raw:
            height, width = openings[0].screen.shape
            self.maker = FrameMaker(len(envs), height, width, colours=settings.colours)

    def carry_out(self, order: int, buffer: int) -> None:
        """Do what the run wants with these games; pictures go to a buffer of the board."""
        pictures = self.board.pictures[buffer, self.mine]
        screens = self.maker.screens if self.maker else pictures
        for index, (env, game) in enumerate(zip(self.envs, self.games, strict=True)):
            if (seed := int(self.board.seed[env])) >= 0:
                game.next_seed = seed
                self.board.seed[env] = -1
            if order == PLAY:
                self._play(env, game, screens[index])
            elif order == RESET:
                game.open(screens[index])
            elif order == SAVE:
                saved = game.save()
                self.board.saved[env, : len(saved)] = np.frombuffer(saved, np.uint8)
                self.board.saved_length[env] = len(saved)
            elif order == LOAD:
                game.load(self.board.saved[env, : self.board.saved_length[env]].tobytes())
        if self.maker and order in (PLAY, RESET):
            self.maker.finish(pictures)

    def _play(self, env: int, game: Game, screens: np.ndarray) -> None:
        outcome = game.play(int(self.board.action[env]), screens)
        self.board.reward[env] = outcome.reward
        self.board.flags[env] = (
            TERMINATED * outcome.terminated
            + TRUNCATED * outcome.truncated
            + STARTED * outcome.started
            + FINISHED * outcome.finished
        )


class Worker:
    """The games of one process.

    Args:
      number:   of this worker.
      settings: of the games.
      board:    shared with the run.
      bell:     the run's, to be rung when it waits.
    """

    def __init__(self, number: int, settings: EmulatorSettings, board: Board, bell: int) -> None:
        self.number, self.board, self.bell, self.parent = number, board, bell, os.getppid()
        self.groups = board.layout.groups
        self.done = [0] * self.groups
        openings = make_openings(emulator_of(settings), settings.noop_max, colours=settings.colours)
        self.shares = [Share(settings, board, board.games_of(number, group), openings) for group in range(self.groups)]

    def run(self) -> None:
        """Carry out orders until the run ends; those of one group in turn with the others'."""
        turn = 0
        while self._wait():
            for group in (*range(turn, self.groups), *range(turn)):
                if self.board.orders[group] > self.done[group]:
                    fence()
                    self._carry_out(group)
                    turn = (group + 1) % self.groups
                    break

    def _has_orders(self) -> bool:
        orders, done = self.board.orders, self.done
        return any(orders[group] > done[group] for group in range(self.groups))

    def _wait(self) -> bool:
        """Return when there are orders; no: the run is gone."""
        while not spin_until(self._has_orders, self.board.layout.spin_seconds):
            self.board.asleep[self.number] = 1
            fence()
            if not self._has_orders():
                rung = select.select([0], [], [], LOOK_SECONDS)[0]
                if (rung and not os.read(0, 4096)) or os.getppid() != self.parent:
                    return False
            self.board.asleep[self.number] = 0
        return True

    def _carry_out(self, group: int) -> None:
        board = self.board
        self.shares[group].carry_out(board.order[group], board.buffer[group])
        self.done[group] += 1
        fence()
        board.done[self.number * self.groups + group] = self.done[group]
        fence()
        if board.waited[0] == group + 1 and board.all_done(group):
            os.write(self.bell, b"1")


def main() -> None:
    """Read the job from the command line and do it. Interruptions are the run's affair: it saves, then ends us."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    job = json.loads(sys.argv[1])
    layout = BoardLayout(**job["layout"] | {"picture_shape": tuple(job["layout"]["picture_shape"])})
    settings = EmulatorSettings(**job["settings"])
    Worker(job["number"], settings, Board(layout, job["memory"]), job["bell"]).run()


if __name__ == "__main__":
    main()
