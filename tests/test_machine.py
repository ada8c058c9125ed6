"""What is decided at the start, and what is said when it cannot be had."""

import dataclasses
import os

import pytest
import torch

from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, nature, quick
from atari_dqn.runs import machine
from atari_dqn.runs.machine import flushed_denormals, settle_compile
from atari_dqn.runs.train import train


def on_cpu(config, **settings):
    return dataclasses.replace(config, device="cpu", precision="fp32", **settings)


@pytest.fixture
def no_compiler(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no C++ compiler\nand a page about it")

    monkeypatch.setattr(machine, "_seconds_per_update", fail)


def test_without_a_compiler_the_optimizer_stays_plain_and_says_so(no_compiler):
    said = []
    assert settle_compile(on_cpu(nature()), said.append).compile == "off"
    on_gpu = dataclasses.replace(quick(), device="cuda")  # there it is more than the optimizer, whichever that is
    assert settle_compile(on_gpu, said.append).compile == "off"
    assert said == ["optimizer: not compiled, no C++ compiler", "update: not compiled, no C++ compiler"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_beside_a_gpu_the_cores_are_the_emulators(device, monkeypatch):
    monkeypatch.setattr(machine, "_device", lambda name, say: name)
    before = torch.get_num_threads()
    try:
        config = machine.resolve(dataclasses.replace(nature(), device=device), print)
    finally:
        torch.set_num_threads(before)
    cores = len(os.sched_getaffinity(0))
    assert (config.torch_threads, config.env_threads) == (cores if device == "cpu" else 1, cores)


def test_compilation_asked_for_and_not_to_be_had_is_an_error(no_compiler):
    with pytest.raises(UsageError, match="compile is 'on'.*no C.. compiler.*use off"):
        settle_compile(on_cpu(nature(), compile="on"), print)


@pytest.mark.parametrize(
    "config",
    [
        on_cpu(quick()),  # Adam is one pass already
        on_cpu(nature(), compile="off"),
        on_cpu(cartpole(), optimizer="rmsprop"),  # too small to gain
        dataclasses.replace(cartpole(), device="cuda"),  # too small to gain
        dataclasses.replace(nature(), device="cuda", own_loss=True),  # unknown
    ],
)
def test_nothing_is_compiled_where_it_brings_nothing(config, no_compiler):
    said = []
    assert settle_compile(config, said.append).compile == "off"
    assert said == []


def test_what_is_nearly_zero_is_zero_in_a_run_and_not_after_it(tmp_path):
    tiny = torch.full((8,), 1e-40)  # a moment of a weight without a gradient, after a thousand updates
    seen = []
    small = on_cpu(cartpole(), total_steps=8, learning_starts=1000, capacity=1000, eval_period=0)
    assert train(small, tmp_path / "run", say=lambda line: seen.append((tiny * 0.9).any().item())) == 0
    assert seen and not any(seen)
    assert (tiny * 0.9).all()
    with flushed_denormals(), flushed_denormals(flush=False):
        assert (tiny * 0.9).all()
