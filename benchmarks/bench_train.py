"""Training end to end: agent steps per second with everything on, beside stable-baselines3's DQN on the same work.

The same work: same game, network, batch size, replay with uint8 frames, one update for every 4 agent steps, target
network, exploration 0.1, same device, same cores. Each run is a process of its own, ours and the peer's in turns,
timed after its replay is warm and its kernels are chosen. A peer (see peers.py) may use as many environments as make it
fastest (`--peer-envs`); its frames come through its own wrappers, as its users have them.

    python benchmarks/bench_train.py --vs sb3 one_file envpool [--game breakout] [--device cpu] [--out FILE]

The ceiling is what the emulators alone can give (bench_envs.py) and what the learner alone can (bench_update.py).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from measuring import finish, in_turns, median_ratio, print_speeds
from peers import BATCH_SIZE, CAPACITY, PEERS, wait

from atari_dqn import host
from atari_dqn.config import Config
from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.envs import make_envs
from atari_dqn.presets import PRESETS
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.folder import RunFolder
from atari_dqn.runs.logger import RunLogger
from atari_dqn.runs.machine import flushed_denormals, resolve, settle_compile
from atari_dqn.runs.pace import counted
from atari_dqn.runs.terminal import messages_shown
from atari_dqn.runs.train import replay_layout
from atari_dqn.types import Step, VecEnv


def run_ours(options: argparse.Namespace) -> dict[str, Any]:
    """Our trainer with the numbers of a preset, on the clock after the warm-up."""
    with (
        flushed_denormals(not options.keep_denormals),
        busy_neighbour(next(iter(options.neighbour), None)) as neighbour_seconds,
        warm_trainer(settings(options)) as trainer,
    ):
        config = trainer.config
        idle, taken = watch_idle_time(trainer.envs), neighbour_seconds()
        began, first, updates = time.perf_counter(), trainer.step, trainer.learner.updates
        go_on(trainer, options.steps)
        seconds = time.perf_counter() - began
        taken = neighbour_seconds() - taken
    return {
        "steps_per_second": (trainer.step - first) / seconds,
        "updates_per_step": (trainer.learner.updates - updates) / (trainer.step - first),
        "emulators_idle": sum(idle) / seconds,
        "neighbour_took": taken / seconds / host.cores(),
        "precision": config.machine.precision,
        "backend": config.env.backend,
        "resize": config.machine.resize,
        "compile": config.machine.compile,
        "torch_threads": config.machine.torch_threads,
        "env_threads": config.machine.env_threads,
        "peak_gpu_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
    }


def settings(options: argparse.Namespace) -> Config:
    """A preset on the work that is measured, until the warm-up ends."""
    return PRESETS[options.preset](options.game).replace(
        num_envs=options.num_envs,
        env_groups=options.env_groups,
        device=options.device,
        replay_device=options.device,
        precision=options.precision,
        backend=options.backend,
        resize=options.resize,
        torch_threads=options.torch_threads,
        env_threads=options.env_threads,
        compile=options.compile,
        own_kernels=not options.torch_kernels,
        cuda_graph=not options.eager,
        overlap=not options.serial,
        **warm_up(options.warm_up),
    )


def warm_up(steps: int) -> dict[str, Any]:
    """Settings of a run that does nothing but play and learn, until its warm-up of so many agent steps ends."""
    return {
        "total_steps": steps,
        "learning_starts": steps // 2,
        "capacity": CAPACITY,
        "epsilon_decay_steps": 1,
        "eval_period": 0,
        "eval_early_steps": (),
        "checkpoint_period": 0,
    }


@contextmanager
def warm_trainer(config: Config) -> Iterator[Trainer]:
    """A trainer that has played to the end of a config: the warm-up."""
    with messages_shown(), tempfile.TemporaryDirectory() as folder:
        config = settle_compile(resolve(config))
        run_folder = RunFolder.create(Path(folder) / "run", config, [])
        with closing(make_envs(config)) as envs:
            replay = FrameReplay(
                replay_layout(config, envs.spec), device=config.machine.device, frames_on=config.machine.replay_device
            )
            length = {"total_steps": config.total_steps, "frames_per_step": config.frames_per_step}
            with closing(RunLogger(run_folder.path, **length, settings=config.flat())) as logger:
                agent = make_agent(config, envs.spec)
                trainer = Trainer(config, envs=envs, agent=agent, replay=replay, logger=logger)  # without checkpoints
                go_on(trainer, 0)
                yield trainer


def go_on(trainer: Trainer, steps: int) -> None:
    """Play and learn for some more agent steps, and wait until the device has done it."""
    trainer.config = trainer.config.replace(total_steps=max(trainer.step + steps, trainer.config.total_steps))
    trainer.run()
    wait(trainer.config.machine.device)


@contextmanager
def busy_neighbour(nice: int | None) -> Iterator[Callable[[], float]]:
    """A process of this priority that keeps one of our cores busy, None: none; yields its CPU seconds so far."""
    if nice is None:
        yield lambda: 0.0
        return
    core = max(os.sched_getaffinity(0))
    spin = f"import os\nos.nice({nice})\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", spin]) as process:
        try:
            yield lambda: float(psutil.Process(process.pid).cpu_times().user)
        finally:
            process.kill()


def watch_idle_time(envs: VecEnv) -> list[float]:
    """Collects the seconds between a `recv` and the next `send` in which no emulator plays: none with groups in turns.

    More groups can save no more than that.
    """
    idle: list[float] = []
    send, recv = envs.send, envs.recv
    playing = len(getattr(envs, "playing", ()))
    came_back = time.perf_counter()

    def timed_send(action: np.ndarray) -> None:
        nonlocal playing
        if playing == 0:
            idle.append(time.perf_counter() - came_back)
        playing += 1
        send(action)

    def timed_recv() -> Step:
        nonlocal playing, came_back
        step = recv()
        playing -= 1
        came_back = time.perf_counter()
        return step

    envs.send, envs.recv = timed_send, timed_recv  # type: ignore[method-assign]
    return idle


WORKERS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"ours": run_ours} | PEERS


def in_its_own_process(worker: str, seen: dict[str, Any], arguments: list[str]) -> Callable[[], float]:
    """A contestant: its speed, with the rest of what it reports left in `seen`."""

    def run() -> float:
        command = [sys.executable, __file__, "--worker", worker, *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        seen.update(json.loads(done.stdout.splitlines()[-1]))
        return float(seen["steps_per_second"])

    return run


def parse() -> argparse.Namespace:
    """Command line, of the whole and of one worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--game", default="breakout")
    parser.add_argument("--preset", default="nature", choices=[name for name in PRESETS if name != "cartpole"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--env-groups", type=int, default=1, help="of our environments, in turns")
    parser.add_argument("--precision", nargs="+", default=["fp32", "auto"])
    parser.add_argument("--backend", default="native", choices=["native", "workers"], help="of our environments")
    parser.add_argument("--resize", default="auto", choices=["auto", "games", "replay"], help="see `Config.resize`")
    parser.add_argument("--steps", type=int, default=8_000, help="agent steps on the clock, each run of ours")
    parser.add_argument("--warm-up", type=int, default=4_000, help="agent steps before the clock; half without updates")
    parser.add_argument(
        "--vs", nargs="+", choices=PEERS, default=[], help="peers to run in turns with ours ([bench] extra; envpool)"
    )
    parser.add_argument("--peer-envs", type=int, nargs="+", default=[1, 8], help="environments of sb3; 1 is its zoo's")
    parser.add_argument("--peer-steps", type=int, default=4_000, help="agent steps on the clock, each run of a peer")
    parser.add_argument("--subprocesses", action="store_true", help="sb3's environments in processes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--torch-threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--env-threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--compile", default="auto", choices=["auto", "on", "off"], help="of the optimizer")
    parser.add_argument("--torch-kernels", action="store_true", help="of ours, without the package's own kernels")
    parser.add_argument("--eager", action="store_true", help="without CUDA graphs")
    parser.add_argument(
        "--keep-denormals", action="store_true", help="ours as well with the processor's slow arithmetic near 0"
    )
    parser.add_argument(
        "--neighbour",
        nargs="+",
        default=[],
        type=int,
        metavar="NICE",
        help="ours as well beside a process that keeps a core busy",
    )
    parser.add_argument("--serial", action="store_true", help="emulators and learner one after the other")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", choices=list(WORKERS), help=argparse.SUPPRESS)
    return parser.parse_args()


def contestants(options: argparse.Namespace, seen: dict[str, dict[str, Any]]) -> dict[str, Callable[[], float]]:
    """Ours in each precision, then each peer with its numbers of environments; `seen` gets an entry for each."""
    shared = ["--game", options.game, "--device", options.device, "--torch-threads", str(options.torch_threads)]
    shared += ["--warm-up", str(options.warm_up)]
    ours = [*shared, "--preset", options.preset, "--num-envs", str(options.num_envs), "--steps", str(options.steps)]
    ours += ["--compile", options.compile, "--env-groups", str(options.env_groups)]
    ours += ["--backend", options.backend, "--resize", options.resize]
    ours += ["--env-threads", str(options.env_threads), *["--eager"] * options.eager, *["--serial"] * options.serial]
    ours += ["--torch-kernels"] * options.torch_kernels
    found = {}
    variants: dict[str, list[str]] = {"": []}
    if options.keep_denormals:
        variants[", denormals kept"] = ["--keep-denormals"]
    for nice, (name, flags) in itertools.product(options.neighbour, list(variants.items())):
        variants[f"{name}, busy neighbour (nice {nice})"] = [*flags, "--neighbour", str(nice)]
    for precision, (variant, flags) in itertools.product(options.precision, variants.items()):
        name = f"ours {precision}{variant}"
        words = [*ours, "--precision", precision, *flags]
        found[name] = in_its_own_process("ours", seen.setdefault(name, {}), words)
    numbers = {"sb3": options.peer_envs, "one_file": [1], "envpool": [max(options.peer_envs)]}
    for peer, num_envs in [(named, number) for named in options.vs for number in numbers[named]]:
        name = f"{peer}, {counted(num_envs, 'env')}"
        words = [*shared, "--num-envs", str(num_envs), "--steps", str(options.peer_steps)]
        words += ["--subprocesses"] * options.subprocesses
        found[name] = in_its_own_process(peer, seen.setdefault(name, {}), words)
    return found


def row_of(name: str, speeds: dict[str, list[float]], facts: dict[str, Any], peers: list[str]) -> dict[str, Any]:
    """What is kept of one of ours."""
    middle = statistics.median(speeds[name])
    ratios = {peer: round(median_ratio(speeds[name], speeds[peer]), 2) for peer in peers}
    print(f"{name} ({facts['precision']}): " + ", ".join(f"{ratio} times {peer}" for peer, ratio in ratios.items()))
    return {
        "name": name,
        "precision": facts["precision"],
        "backend": facts["backend"],
        "resize": facts["resize"],
        "compile": facts["compile"],
        "steps_per_second": round(middle, 1),
        "frames_per_second": round(4 * middle),
        "updates_per_second": round(middle * facts["updates_per_step"], 1),
        "updates_per_step": facts["updates_per_step"],
        "emulators_idle": round(facts["emulators_idle"], 3),
        "neighbour_took": round(facts["neighbour_took"], 3),
        "ratio": min(ratios.values()) if ratios else None,
        "ratios": ratios,
        "runs": [round(value, 1) for value in speeds[name]],
        "torch_threads": facts["torch_threads"],
        "env_threads": facts["env_threads"],
        "peak_gpu_bytes": facts["peak_gpu_bytes"],
    }


def main() -> None:
    """Run the contestants in turns and compare them."""
    options = parse()
    if options.worker:
        options.precision = options.precision[0]
        print(json.dumps(WORKERS[options.worker](options)))
        return
    seen: dict[str, dict[str, Any]] = {}
    speeds = in_turns(contestants(options, seen), options.repeats)
    print(f"{options.game} on {options.device}, preset {options.preset}, batch {BATCH_SIZE}")
    print_speeds(speeds, "steps/s")
    peers = [name for name in speeds if not name.startswith("ours")]
    rows = [row_of(name, speeds, seen[name], peers) for name in speeds if name not in peers]
    best = max(rows, key=lambda row: row["steps_per_second"])
    told = [
        {
            "name": name,
            "steps_per_second": round(statistics.median(speeds[name]), 1),
            "runs": [round(value, 1) for value in speeds[name]],
            "version": seen[name]["version"],
        }
        for name in peers
    ]
    result = {"bench": "train", "game": options.game, "device": options.device, "preset": options.preset}
    result |= {"num_envs": options.num_envs, "env_groups": options.env_groups}
    result |= {key: value for key, value in best.items() if key not in ("runs", "name")}
    result |= {
        "peer": " ".join(options.vs) or None,
        "peer_steps_per_second": max((p["steps_per_second"] for p in told), default=None),
    }
    result |= {"threads": best["torch_threads"], "rows": rows, "peers": told}
    finish(result, options.out)


if __name__ == "__main__":
    main()
