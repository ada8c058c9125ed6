"""Signals and public names: what a run promises to the shell, and the package to those who import it."""

import gc
import os
import signal
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import atari_dqn
from atari_dqn.dqn.algorithm import DQN
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.presets import quick
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.safety import stopped_by_signals
from atari_dqn.runs.train import train
from atari_dqn.suite.jobs import stop_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops_at_once(number):
    trainer = SimpleNamespace(stop_requested=False)
    before = signal.getsignal(number)
    with stopped_by_signals(trainer) as caught:
        os.kill(os.getpid(), number)
        assert trainer.stop_requested
        assert caught == [number]
        assert signal.getsignal(number) == signal.SIG_DFL  # the system's own: the process ends there and then
    assert signal.getsignal(number) == before


def test_a_terminal_that_is_closed_may_say_so_twice():
    with stopped_by_signals(SimpleNamespace(stop_requested=False)) as caught:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
    assert caught == [signal.SIGHUP]


@pytest.mark.parametrize("handle", [lambda: stopped_by_signals(SimpleNamespace()), stop_signals])
def test_a_signal_that_is_ignored_stays_so(handle):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as by nohup
    try:
        with handle() as caught:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert caught == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_every_public_name_is_there():
    for name in atari_dqn.__all__:
        assert getattr(atari_dqn, name) is not None
    assert atari_dqn.presets.nature().game == "pong"
    with pytest.raises(AttributeError, match="its names are .*Agent"):
        atari_dqn.Agnet  # noqa: B018


def test_a_thread_leaves_the_signals_alone():
    handlers = []

    def enter():
        with stopped_by_signals(SimpleNamespace(stop_requested=False)) as caught:
            handlers.append((signal.getsignal(signal.SIGINT), caught))

    before, thread = signal.getsignal(signal.SIGINT), threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [(before, [])]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_nothing_of_a_run_outlives_it(tmp_path, monkeypatch):
    parts = weakref.WeakSet()

    def note(kind):
        plain = kind.__init__

        def init(self, *arguments, **options):
            parts.add(self)
            plain(self, *arguments, **options)

        monkeypatch.setattr(kind, "__init__", init)

    for kind in (FrameReplay, Trainer, DQN, NatureCNN, torch.optim.Adam):
        note(kind)
    config = quick("pong").replace(
        total_steps=240,
        num_envs=4,
        learning_starts=100,
        capacity=300,
        reset_steps=(),
        batch_size=8,
        eval_period=200,
        eval_steps=20,
        eval_num_envs=2,
        max_episode_steps=20,
        film_seconds=1,
        checkpoint_period=100,
        device="cpu",
        precision="fp32",
        torch_threads=1,
        env_threads=2,
    )
    gc.collect()
    gc.disable()  # memory and threads go with the run, not with a collection some time later
    try:
        before = len(os.listdir("/proc/self/task"))
        assert train(config, tmp_path / "run").exit_code == 0
        assert (list(parts), len(os.listdir("/proc/self/task"))) == ([], before)
    finally:
        gc.enable()
