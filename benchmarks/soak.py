"""Disturb one run again and again at random moments, resume it each time, and compare its end with an undisturbed run.

    python benchmarks/soak.py --kills 500 --out FOLDER [--game pong]

Each life of the run ends after a random time of work, counted from its first step of play, from its start, or from the
next evaluation. Most are killed (SIGKILL); some are asked to save and end (SIGTERM), some of these are killed while
they do; some are stopped and go on (SIGSTOP, SIGCONT) before. What a life was about is read from two bytes that it
keeps in a file: one of the loop, one of the thread that writes checkpoints. Half-way the run is taken to its end, the
next full thousand of steps, through lives that are disturbed, too; then it is made longer, and goes on like this. The
quiet run has the same two ends, and both must agree bit for bit.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import ale_py.vector_env  # noqa: F401  # these four take seconds to load, which all lives share
import torch._dynamo  # noqa: F401
import torch.utils.tensorboard  # noqa: F401
from compare_runs import differences
from measuring import finish

from atari_dqn import cli, envs
from atari_dqn.commands import train  # noqa: F401
from atari_dqn.dqn import trainer
from atari_dqn.runs import monitor
from atari_dqn.runs import train as run
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments
from atari_dqn.storage.steps import list_steps

RESEED_AFTER = 400  # steps of a game, instead of 100,000: what a life plays again stays short, and it happens often
SETTINGS = {
    "cartpole": (
        "--learning-starts 200 --capacity 1500 --eval-period 1000 --eval-steps 200 --log-period 200 "
        "--checkpoint-period 200 --epsilon-decay-steps 2000 --batch-size 32 --torch-threads 1"
    ),
    "pong": (
        "--preset quick --num-envs 4 --learning-starts 200 --capacity 600 --eval-period 1000 --eval-steps 60 "
        "--eval-num-envs 2 --max-episode-steps 60 --film-seconds 0 --log-period 100 --checkpoint-period 100 "
        "--torch-threads 1 --env-threads 1 --precision fp32 --batch-size 8 --update-period 8 --hidden-sizes 32 "
        "--learning-rate-end-ratio 1"
    ),
}
NEVER = 100_000_000  # agent steps, more than any soak has
LOOP = {b"i": "starting", b"r": "resuming", b"p": "playing and learning", b"e": "evaluating", b"c": "copying a save"}
ENDS = ("killed", "killed", "killed", "saved", "saved, killed meanwhile", "stopped, then killed")
SAVER = {b"-": "not writing", b"f": "writing frames", b"w": "writing the checkpoint", b"d": "deleting old ones"}


class Chain:
    """A run that is killed and resumed in a folder of its own. Its lives are forked from here: torch is loaded once."""

    def __init__(self, game: str, folder: Path, marks: Path) -> None:
        self.game, self.folder, self.marks = game, folder, marks
        self.log = folder.with_name(folder.name + ".log")  # of the newest life

    def start(self, *more: str) -> int:
        """Begin the next life; returns its process."""
        self.marks.write_bytes(b"i-")
        words = ["train", self.game, *SETTINGS[self.game].split(), "--run-dir", str(self.folder), *more]
        if (self.folder / "config.json").exists():
            words.append("--resume")
        if (process := os.fork()) == 0:
            code = 1
            try:
                with self.log.open("w") as log:
                    os.dup2(log.fileno(), 1)
                    os.dup2(log.fileno(), 2)
                prepare_life(self.marks)
                code = cli.main(words)
            finally:
                os._exit(code)
        return process

    def live(self, total_steps: int, moments: random.Random, longest: float) -> tuple[str, str, str] | None:
        """One life; returns how it ended and what both threads were about, None if it reached `total_steps`."""
        process = self.start("--total-steps", str(total_steps))
        end = moments.choice(ENDS)
        begin = moments.choice([b"", b"ir", b"ir", b"irpc"])  # what is not counted yet: nothing, the start, all but "e"
        until = _worked(process) + 5 * longest
        while self._loop() in begin and _worked(process) < until and not _ended(process):
            time.sleep(0.002)
        until = _worked(process) + longest * moments.random() * (0.1 if begin == b"irpc" else 1.0)
        while _worked(process) < until and not _ended(process):
            time.sleep(0.002)
        marks = self.marks.read_bytes()
        if not _ended(process):
            self._disturb(process, end, moments)
        _, status = os.waitpid(process, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return None
        if code not in (-signal.SIGKILL, 128 + signal.SIGTERM):
            raise SystemExit(f"the run ended by itself:\n{self.log.read_text()}")
        return end, LOOP[marks[:1]], SAVER[marks[1:]]

    def _loop(self) -> bytes:
        return self.marks.read_bytes()[:1]

    def _disturb(self, process: int, end: str, moments: random.Random) -> None:
        if end == "stopped, then killed":
            os.kill(process, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(process, signal.SIGCONT)
            time.sleep(0.3 * moments.random())
        if end.startswith("saved") and self._loop() not in b"ir":  # before it plays, SIGTERM is an end like any other
            os.kill(process, signal.SIGTERM)
            until = time.monotonic() + (0.2 * moments.random() if end == "saved, killed meanwhile" else 60.0)
            while time.monotonic() < until and not _ended(process):
                time.sleep(0.002)
        os.kill(process, signal.SIGKILL)  # nothing to one that has ended

    def finish(self, total_steps: int) -> None:
        """The last life: to `total_steps`."""
        _, status = os.waitpid(self.start("--total-steps", str(total_steps)), 0)
        if status:
            raise SystemExit(f"the last life failed:\n{self.log.read_text()}")


def _worked(process: int) -> float:
    """Seconds of processor time that a child has had, in all its threads: a busy machine does not shorten its life."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system time


def _ended(process: int) -> bool:
    """Has a child ended? It stays there to be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def prepare_life(marks: Path) -> None:
    """Make this process write into a file what it is about: byte 0 its loop, byte 1 its saver; seed games often."""
    place = os.open(marks, os.O_RDWR)

    def mark(owner: Any, name: str, offset: int, sign: bytes, after: bytes | None = None) -> None:
        function = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            before = os.pread(place, 1, offset)
            os.pwrite(place, sign, offset)
            try:
                return function(*arguments, **named)
            finally:
                os.pwrite(place, after or before, offset)

        setattr(owner, name, call)

    envs.RESEED_AFTER = RESEED_AFTER
    mark(run, "read_newest", 0, b"r", after=b"r")
    mark(trainer.Trainer, "run", 0, b"p")
    mark(monitor.Monitor, "evaluate", 0, b"e")
    mark(trainer.Trainer, "save", 0, b"c")
    mark(FrameSegments, "write", 1, b"f")
    mark(checkpoint, "write", 1, b"w")
    mark(checkpoint, "prune", 1, b"d")
    mark(FrameSegments, "prune", 1, b"d")


def main() -> None:
    """Disturb, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--game", choices=list(SETTINGS), default="cartpole")
    parser.add_argument("--longest", type=float, default=2.0, help="seconds of processor time")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, required=True, help="where both runs go; must not exist")
    parser.add_argument("--out", type=Path, help="file for the result")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    moments = random.Random(options.seed)
    chain = Chain(options.game, options.folder / "killed", options.folder / "marks")
    counts = [collections.Counter[str](), collections.Counter[str](), collections.Counter[str]()]
    goal, totals = NEVER, []  # agent step at which the lives end by themselves, and where they did
    for number in range(options.kills):
        if number == options.kills // 2:
            goal = (_step(chain.folder) // 1000 + 1) * 1000
        if (lived := chain.live(goal, moments, options.longest)) is None:
            totals.append(goal)
            goal = NEVER
            continue
        for count, what in zip(counts, lived, strict=True):
            count[what] += 1
        print(f"life {number + 1}: {', '.join(lived)}; {_step(chain.folder):,} steps", file=sys.stderr, flush=True)
    if goal != NEVER:
        totals.append(goal)
        chain.finish(goal)
    totals.append((_step(chain.folder) // 1000 + 1) * 1000)
    chain.finish(totals[-1])
    quiet = Chain(options.game, options.folder / "quiet", options.folder / "marks")
    for total in totals:
        quiet.finish(total)
    found = differences(chain.folder, quiet.folder)
    ends, loop, saver = map(dict, counts)
    result = {"bench": "soak", "game": options.game, "lives": options.kills, "ends_at": totals, "ended": ends}
    result |= {"in_the_loop": loop, "in_the_saver": saver, "differences": found, "equal": not found}
    finish(result, options.out)
    sys.exit(bool(found))


def _step(folder: Path) -> int:
    """Agent step of the newest checkpoint, 0 before the first."""
    steps = list_steps(folder / "checkpoints")
    return int(steps[-1].name.removeprefix("step_")) if steps else 0


if __name__ == "__main__":
    main()
