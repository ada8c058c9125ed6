"""What is decided at the start, and what is said when it cannot be had."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from atari_dqn import host
from atari_dqn.cli import main
from atari_dqn.config import GROUP_OF
from atari_dqn.dqn.agent import make_agent, uses_own_kernels
from atari_dqn.envs import spec_of
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, nature, preset_named, quick
from atari_dqn.runs import machine, memory, refusals
from atari_dqn.runs.evaluate import Selection, evaluate_run
from atari_dqn.runs.folder import RunFolder
from atari_dqn.runs.machine import flushed_denormals, settle_compile
from atari_dqn.runs.train import train
from benchmarks.compare_runs import differences
from tests.fakes import make_run


def on_cpu(config, **settings):
    return config.replace(device="cpu", precision="fp32", **settings)


@pytest.fixture
def no_compiler(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no C++ compiler\nand a page about it")

    monkeypatch.setattr(machine, "time_update", fail)


def test_without_a_compiler_the_optimizer_stays_plain_and_says_so(no_compiler, caplog):
    assert settle_compile(on_cpu(nature())).machine.compile == "off"
    on_gpu = quick().replace(device="cuda")  # there it is more than the optimizer, whichever that is
    assert settle_compile(on_gpu).machine.compile == "off"
    assert caplog.messages == ["optimizer: not compiled, no C++ compiler", "update: not compiled, no C++ compiler"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_beside_a_gpu_the_cores_are_the_emulators(device, monkeypatch):
    monkeypatch.setattr(machine, "settle_device", lambda name: name)
    before = torch.get_num_threads()
    try:
        config = machine.resolve(nature().replace(device=device))
    finally:
        torch.set_num_threads(before)
    cores = host.cores()
    assert (config.machine.torch_threads, config.machine.env_threads) == (cores if device == "cpu" else 1, cores)


@pytest.mark.parametrize(("threads", "learns", "torchs"), [(1, True, 1), (2, True, 1), (2, False, 2), (3, True, 3)])
def test_two_threads_that_learn_are_not_torchs(threads, learns, torchs):
    before = torch.get_num_threads()
    try:
        machine.resolve(on_cpu(nature().replace(torch_threads=threads)), learns=learns)
        assert torch.get_num_threads() == torchs
    finally:
        torch.set_num_threads(before)


def test_where_our_own_kernels_fail_the_compiler_is_tried(monkeypatch, caplog):
    tried = []

    def fail_at_first(config, *_, **__):
        tried.append(uses_own_kernels(config))
        if len(tried) == 1:
            raise RuntimeError("no Triton")
        return 1.0

    monkeypatch.setattr(machine, "time_update", fail_at_first)
    config = settle_compile(nature().replace(device="cuda", precision="bf16"))
    assert (config.machine.compile, config.machine.own_kernels, tried) == ("on", False, [True, False])
    assert caplog.messages[0] == "update: not by our own kernels, no Triton"


@pytest.mark.parametrize(
    "changed",
    [
        {"own_kernels": False},
        {"compile": "off"},
        {"device": "cpu"},
        {"precision": "fp32"},
        {"optimizer": "adam"},
        {"loss": "mse"},
        {"target": False},
        {"own_loss": True},
        {"double_q": True},
        {"priority_alpha": 0.5},
        {"max_grad_norm": 10.0},
        {"munchausen_alpha": 0.9},
        {"noisy_sigma": 0.5},
        {"distribution": "c51"},
        {"learning_rate_end_ratio": 0.5},
        {"network": "mlp"},
        {"batch_size": 33},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_our_own_kernels_update_the_papers_dqn_and_nothing_else(changed):
    papers = nature().replace(device="cuda", precision="bf16", compile="on")
    assert uses_own_kernels(papers)
    assert not uses_own_kernels(papers.replace(**changed))


# Every setting of learning, by what makes it right with our own kernels. A new one belongs to one of these lines.
REFUSED = (
    "optimizer loss own_loss target double_q priority_alpha max_grad_norm learning_rate_end_ratio network batch_size"
    " munchausen_alpha munchausen_temperature noisy_sigma distribution atoms"
)
SEEN_IN_THE_NETWORK = """hidden_sizes layer_norm categorical_bins value_support dueling subtract_mean_frame
    polynomial_degree table_bins"""
GIVEN_TO_THEM = "learning_rate rmsprop_decay optimizer_eps loss_reduction"
DONE_AROUND_THEM = """gamma n_step n_step_end n_step_decay_steps reward_scale clip_reward replay capacity
    replay_window_fraction replay_window_growth_steps replay_window_min priority_decay_steps priority_beta
    priority_beta_end priority_sampler update_period target_update_period game_end_updates reset_steps reset_updates
    learning_starts whole_game_warm_up initializer"""
PLAYED = """total_steps total_episodes epsilon_start epsilon_end epsilon_decay_steps epsilon_decay_factor epsilon_ladder
    ez_greedy_warm_up random_warm_up epsilon_from_zero"""


def test_every_setting_of_learning_is_one_that_our_own_kernels_know():
    known = " ".join([REFUSED, SEEN_IN_THE_NETWORK, GIVEN_TO_THEM, DONE_AROUND_THEM, PLAYED]).split()
    played_or_learned = ("replay", "algorithm", "exploration", "network", "optimizer", "extensions")
    assert {name for name, group in GROUP_OF.items() if group in played_or_learned} <= set(known)


def test_a_second_gpu_becomes_the_current_one(monkeypatch):
    """A graph is recorded on the current device: of work on another one it would hold nothing, and replay nothing."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for name in ("cuda", "cuda:1", "cpu"):
        assert machine.settle_device(name) == name
    assert chosen == [torch.device("cuda:1")]


def test_compilation_asked_for_and_not_to_be_had_is_an_error(no_compiler):
    with pytest.raises(UsageError, match="compile is 'on'.*no C.. compiler.*use off"):
        settle_compile(on_cpu(nature(), compile="on"))


@pytest.mark.parametrize(
    "config",
    [
        on_cpu(quick()),  # Adam is one pass already
        on_cpu(nature(), compile="off"),
        on_cpu(cartpole(), optimizer="rmsprop"),  # too small to gain
        cartpole().replace(device="cuda"),  # too small to gain
        nature().replace(device="cuda", own_loss=True),  # unknown
    ],
)
def test_nothing_is_compiled_where_it_brings_nothing(config, no_compiler, caplog):
    assert settle_compile(config).machine.compile == "off"
    assert caplog.messages == []


def test_what_is_nearly_zero_is_zero_in_a_run_and_not_after_it(tmp_path, monkeypatch):
    tiny = torch.full((8,), 1e-40)  # a moment of a weight without a gradient, after a thousand updates
    seen = []
    small = on_cpu(cartpole(), total_steps=208, learning_starts=200, capacity=1000, eval_period=0)
    monkeypatch.setattr(machine.log, "info", lambda line: seen.append((tiny * 0.9).any().item()))
    assert train(small, tmp_path / "run").exit_code == 0
    assert seen and not any(seen)
    assert (tiny * 0.9).all()
    with flushed_denormals(), flushed_denormals(flush=False):
        assert (tiny * 0.9).all()


@pytest.mark.parametrize("entry", ["evaluate", "video", "resume"])
def test_a_run_made_with_tf32_goes_on_where_there_is_no_gpu(entry, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = nature("pong").replace(
        device="cpu",
        precision="tf32",
        compile="off",
        num_envs=1,
        total_steps=8,
        learning_starts=4,
        capacity=40,
        batch_size=2,
        eval_period=0,
        max_episode_steps=5,
        torch_threads=1,
        env_threads=1,
    )
    with pytest.raises(UsageError, match="'tf32', which only CUDA GPUs have"):
        train(config, tmp_path / "new")
    run = make_run(tmp_path / "run", config)
    words = {
        "evaluate": ["evaluate", str(run), "--protocol", "monitor", "--episodes", "1", "--device", "cpu"],
        "video": ["video", str(run), "--protocol", "monitor", "--device", "cpu", "--out", str(tmp_path / "film.gif")],
    }
    if entry == "resume":
        shutil.rmtree(run / "checkpoints")
        assert train(config, run, resume=True).exit_code == 0
    else:
        assert main(words[entry]) == 0
    assert "precision: tf32 is fp32 here" in caplog.text
    assert RunFolder.open(run).config.machine.precision == "tf32"  # as it began: on a GPU it goes on so


def test_what_the_callers_program_made_of_torch_changes_nothing(tmp_path):
    small = on_cpu(cartpole(), total_steps=240, learning_starts=100, capacity=1000, eval_period=0, torch_threads=1)
    assert train(small, tmp_path / "plain").exit_code == 0
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")  # tensors without numbers
    torch.set_grad_enabled(False)
    try:
        assert train(small, tmp_path / "other").exit_code == 0
        selection = Selection(episodes=2)
        scores = [evaluate_run(tmp_path / name, selection, device="cpu").result.scores for name in ("plain", "other")]
        after = torch.get_default_dtype(), torch.get_default_device().type, torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
        torch.set_grad_enabled(True)
    assert after == (torch.float64, "meta", False)
    assert scores[0] == scores[1]
    assert differences(tmp_path / "plain", tmp_path / "other") == []


def test_a_network_of_other_numbers_is_refused():
    config, spec = on_cpu(cartpole()), spec_of(cartpole())
    with pytest.raises(UsageError, match=r"Sequential has weights of torch.float64; make it float32"):
        make_agent(config, spec, model=torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2).double()))


def test_torchs_cache_goes_elsewhere_where_it_cannot_be_written(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(machine.TORCH_CACHE, str(tmp_path / "file" / "cache"))
    machine.resolve(on_cpu(cartpole(), torch_threads=1, env_threads=1))
    place = Path(os.environ[machine.TORCH_CACHE])
    assert place.is_dir()
    assert "cannot be written" in caplog.text
    machine.resolve(on_cpu(cartpole(), torch_threads=1, env_threads=1))
    assert Path(os.environ[machine.TORCH_CACHE]) == place


def test_no_place_for_temporary_files_is_told(monkeypatch):
    def fail():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(machine.tempfile, "gettempdir", fail)
    with pytest.raises(UsageError, match=r"No usable temporary directory found.*TMPDIR"):
        machine.resolve(on_cpu(cartpole(), torch_threads=1, env_threads=1))


def test_apples_gpu_is_taken_where_torch_has_it_and_marked_as_not_measured(monkeypatch, tmp_path, caplog):
    wanted = nature().replace(device="mps", torch_threads=1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match="sees no GPU of Apple's; use --device cpu"):
        machine.resolve(wanted)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    config = machine.resolve(wanted)
    assert (config.machine.device, config.machine.torch_threads) == ("mps", 1)
    assert settle_compile(config).machine.compile == "off"
    assert "mps (never measured" in caplog.text
    assert memory.place_replay("auto", "mps", 2**20) == "mps"
    laptop = machine.resolve(quick().replace(device="mps", torch_threads=1))
    refusals.refuse_what_mps_lacks(laptop)
    assert laptop.machine.precision == "fp32", "nothing is measured there"
    with pytest.raises(UsageError, match=r"needs float64, and the device mps has none; use --device cpu"):
        train(preset_named("rainbow")().replace(device="mps", torch_threads=1), tmp_path / "run")
    assert not (tmp_path / "run").exists()
