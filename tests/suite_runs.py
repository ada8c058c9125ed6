"""Jobs of a suite that take some seconds, for the tests of its engines."""

import time
from types import SimpleNamespace

from atari_dqn.cli import main
from atari_dqn.presets import cartpole
from atari_dqn.suite.jobs import JobRun, Settings, make_jobs

FLAGS = tuple(
    (f"--{name}", value)
    for name, value in {
        "learning-starts": "200", "eval-period": "6000", "eval-steps": "50",
        "checkpoint-period": "500", "log-period": "500", "batch-size": "32", "epsilon-decay-steps": "300",
    }.items()
)  # fmt: skip


def runs_in(folder, seeds, steps=12_000, **settings):
    config = cartpole().replace(
        total_steps=steps, learning_starts=200, eval_period=6_000, eval_steps=50, checkpoint_period=500,
        log_period=500, batch_size=32, epsilon_decay_steps=300,
    )  # fmt: skip
    jobs = make_jobs([config.replace(seed=seed) for seed in seeds], folder)
    flags = (("--total-steps", str(steps)), *FLAGS)
    return [JobRun(job, Settings(flags=flags, **settings)) for job in jobs]


def wait_for_checkpoint(run):
    until = time.monotonic() + 200
    while not list(run.job.folder.glob("checkpoints/step_??????????")):
        assert time.monotonic() < until, "no checkpoint"
        time.sleep(0.1)


def in_this_process(words, folder, environment):
    """In place of `suite.jobs.start_process`: `atari-dqn ...`, without the seconds that a process takes to start."""
    code = main(words)
    return SimpleNamespace(poll=lambda: code)
