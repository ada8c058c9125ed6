"""Signals and public names: what a run promises to the shell, and the package to those who import it."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest

import atari_dqn
from atari_dqn.runs.safety import stopped_by_signals


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
