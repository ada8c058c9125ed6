"""The Triton kernels: each in the interpreter, all compiled for the H100, their order, and on a GPU the whole."""

import copy
import functools
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from atari_dqn.dqn.algorithm import DQN, Computation
from atari_dqn.dqn.losses import clipped_loss
from atari_dqn.dqn.optim import CenteredRMSProp
from atari_dqn.networks import frozen_copy, initialize
from atari_dqn.networks.heads import Ending
from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.types import Transitions

triton = pytest.importorskip("triton")

ACTIONS = 6
BATCH = 32


def make_model(seed=0):
    model = NatureCNN(4, (84, 84), ACTIONS)
    initialize(model, torch.Generator().manual_seed(seed), "torch7")
    return model.to(memory_format=torch.channels_last)


def random_batch(updates=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = updates * BATCH
    obs, next_obs = torch.randint(0, 256, (2, count, 4, 84, 84), dtype=torch.uint8, generator=generator)
    return Transitions(
        obs=obs,
        action=torch.randint(0, ACTIONS, (count,), generator=generator),
        reward=torch.randint(-1, 2, (count, 1), generator=generator).float(),
        num_steps=torch.ones(count, dtype=torch.int64),
        terminated=torch.rand(count, generator=generator) < 0.1,
        next_obs=next_obs,
    )


def test_each_kernel_in_the_interpreter():
    """In a process of its own: Triton decides when it is imported whether it interprets."""
    file = Path(__file__).parent / "kernels_interpreted.py"
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
        env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True, cwd=file.parent.parent,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-1000:]


@pytest.mark.parametrize(
    "changed",
    [
        {"frame_stack": 3},
        {"frame_shape": (36, 36)},
        {"hidden_sizes": (256,)},
        {"hidden_sizes": (512, 512)},
        {"layer_norm": True},
        {"ending": Ending(dueling=True)},
        {"subtract_mean_frame": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_papers_network_fits_and_no_other(changed):
    from atari_dqn.kernels.network import fits

    assert fits(make_model())
    assert not fits(NatureCNN(4, (84, 84), ACTIONS)), "another order of weights in memory"
    papers = {"frame_stack": 4, "frame_shape": (84, 84), "num_actions": ACTIONS}
    assert not fits(NatureCNN(**papers | changed).to(memory_format=torch.channels_last))


# --- all launches of an update


TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.uint8: "*u8", torch.int64: "*i64"}
NUMBERS = {int: "i32", float: "fp32"}
WRITTEN = {
    "pixels": {"out"},
    "forward": {"y"},
    "hidden": {"parts"},
    "best_value": {"best"},
    "head": {"h", "dh", "dq", "error", "q"},
    "features_gradient": {"dx"},
    "input_gradient": {"dx"},
    "weight_gradient": {"parts", "bias_parts"},
    "convolution_step": set("weight average square copy bias bias_average bias_square norms".split()),
    "hidden_step": set("weight average square copy norms".split()),
    "head_step": set("hidden_bias hidden_bias_average hidden_bias_square weight average square bias bias_average "
                     "bias_square norms".split()),
}  # fmt: skip


def launches(monkeypatch, updates=1):
    """(branch, kernel, grid, arguments, constants) of everything an update launches; branch None is the main stream."""
    network, update = (importlib.import_module(f"atari_dqn.kernels.{name}") for name in ("network", "update"))
    model, found, branch = make_model(), [], []

    class Branch:
        def __init__(self, number):
            self.number = number

        def __enter__(self):
            found.append((self.number, "begins"))
            branch.append(self.number)

        def __exit__(self, *_):
            branch.pop()

    def launch(kernel, grid, *arguments, **constants):
        found.append((branch[-1] if branch else None, kernel, grid, arguments, constants))

    monkeypatch.setattr(network, "launch", launch)
    fused = update.FusedUpdates(model, frozen_copy(model, "bf16"), CenteredRMSProp(model.parameters()), mean=False)
    monkeypatch.setattr(fused, "beside", Branch)
    join = fused.update
    monkeypatch.setattr(fused, "update", lambda *parts: (join(*parts), found.append((None, "joins"))))
    batch = random_batch(updates)
    fused(batch.obs, batch.action, fused.best_values(batch.next_obs), updates)
    return found


def test_no_kernel_writes_what_another_uses_at_the_same_time(monkeypatch):
    """Every two launches that touch the same memory, one of them writing, have an order."""
    done, last, everything = (
        [],
        {None: set()},
        set(),
    )  # done: (before, reads and writes); last: what a branch has behind it
    for branch, kernel, *rest in launches(monkeypatch, updates=2):
        if kernel == "begins":
            last[branch] = last.get(branch, set()) | last[None]
        elif kernel == "joins":
            last[None] = everything.copy()
        else:
            _, arguments, _ = rest
            tensors = {
                name: x for name, x in zip(kernel.arg_names, arguments, strict=False) if isinstance(x, torch.Tensor)
            }
            spans = {name: (x.data_ptr(), x.data_ptr() + x.numel() * x.element_size()) for name, x in tensors.items()}
            done.append((last[branch].copy(), kernel.__name__, spans))
            last[branch] = last[branch] | {len(done) - 1}
            everything.add(len(done) - 1)
    assert len(done) == 6 + 1 + 2 * 16
    for later, (before, name, spans) in enumerate(done):
        for earlier in set(range(later)) - before:
            _, other, other_spans = done[earlier]
            for mine, (start, end) in spans.items():
                for theirs, (other_start, other_end) in other_spans.items():
                    if mine == theirs == "norms":  # each has its own part of it
                        continue
                    clash = start < other_end and other_start < end
                    writes = mine in WRITTEN[name] or theirs in WRITTEN[other]
                    assert not (clash and writes), f"{name}'s {mine} and {other}'s {theirs}"


def compiled_for_h100(kernel, arguments, constants):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    options = {f"num_{name}": constants.pop(name, default) for name, default in (("warps", 4), ("stages", 3))}
    signature = {name: "constexpr" for name in kernel.arg_names}
    attributes = {}
    for place, (name, value) in enumerate(zip(kernel.arg_names, arguments, strict=False)):
        signature[name] = TYPES[value.dtype] if isinstance(value, torch.Tensor) else NUMBERS[type(value)]
        if isinstance(value, torch.Tensor):
            attributes[(place,)] = [["tt.divisibility", 16]]
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=attributes)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


def test_all_kernels_compile_for_the_h100(monkeypatch, tmp_path):
    """No registers are spilled, two programs fit on one multiprocessor, and numbers are moved 16 bytes at a time."""
    ptxas = Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
    for _, kernel, *rest in launches(monkeypatch):
        if kernel in ("begins", "joins"):
            continue
        _, arguments, constants = rest
        compiled = compiled_for_h100(kernel, arguments, constants)
        assert compiled.metadata.shared <= 96 * 1024, kernel.__name__
        ptx = tmp_path / "kernel.ptx"
        ptx.write_text(compiled.asm["ptx"])
        told = subprocess.run(
            [ptxas, "-v", "--gpu-name=sm_90a", ptx, "-o", tmp_path / "kernel.cubin"], capture_output=True, text=True
        )
        assert told.returncode == 0, told.stderr
        assert re.findall(r"(\d+) bytes spill", told.stderr) == ["0", "0"], f"{kernel.__name__}: {told.stderr}"
        if kernel.__name__ in ("forward", "input_gradient", "weight_gradient", "hidden"):
            assert "ld.global.b16" not in compiled.asm["ptx"], kernel.__name__


# --- on a GPU


def dqn(model, *, fused, precision="bf16", compiled=False):
    from atari_dqn.kernels.update import FusedUpdates

    model = copy.deepcopy(model).cuda()
    optimizer = CenteredRMSProp(model.parameters())
    kernels = functools.partial(FusedUpdates, optimizer=optimizer, mean=False) if fused else None
    return DQN(model, optimizer, computation=Computation(precision, compiled, kernels))


def on_gpu(batch):
    return Transitions(*(tensor.cuda() for tensor in batch))


class RoundBoth(torch.autograd.Function):
    """To bfloat16 and back, as well as its gradient."""

    @staticmethod
    def forward(_, x):
        return x.bfloat16().to(x.dtype)

    @staticmethod
    def backward(_, grad):
        return grad.bfloat16().to(grad.dtype)


class RoundValue(RoundBoth):
    """The weights: their gradient stays as it is."""

    @staticmethod
    def backward(_, grad):
        return grad


class RoundGradient(RoundBoth):
    """The hidden layer's sums, which stay as they are."""

    @staticmethod
    def forward(_, x):
        return x.view_as(x)


def values(twin, obs, *, rounded):
    """Q-values in float64; with `rounded` what the kernels hold in bfloat16 is so here, and nothing else."""
    both, weights, gradient = (RoundBoth.apply, RoundValue.apply, RoundGradient.apply) if rounded else [lambda x: x] * 3
    x = obs.double()
    for number, layer in enumerate(twin.convolutions):
        weight = weights(layer.weight * (1 / 255 if number == 0 else 1))
        x = both(F.conv2d(x, weight, layer.bias, layer.stride).relu())
    hidden = twin.hidden[0]
    return twin.last(gradient(F.linear(x.flatten(1), weights(hidden.weight), hidden.bias)).relu())


def gradients_in_float64(model, batch, target, *, rounded):
    """TD errors and the gradients of the loss of a batch, on the CPU."""
    twin = copy.deepcopy(model).double()
    q = values(twin, batch.obs, rounded=rounded)
    error = target.double() - q.gather(1, batch.action[:, None]).squeeze(1)
    return torch.autograd.grad(clipped_loss(error).sum(), list(twin.parameters())), error.detach()


def relative(mine, exact):
    return ((mine.double().cpu() - exact).norm() / exact.norm()).item()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
class TestOnGpu:
    pytestmark = pytest.mark.filterwarnings("ignore")

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_gradients_are_those_of_float64(self, seed):
        """Close to those with the same roundings, and as near to the exact ones as torch's autocast is."""
        from atari_dqn.kernels.update import FusedUpdates

        model, batch = make_model(seed), random_batch(seed=seed)
        target = torch.randn(BATCH, generator=torch.Generator().manual_seed(seed))
        grads, error = gradients_in_float64(model, batch, target, rounded=True)
        exact, _ = gradients_in_float64(model, batch, target, rounded=False)
        there = copy.deepcopy(model).cuda()
        with torch.autocast("cuda", torch.bfloat16):
            q = there(batch.obs.cuda()).gather(1, batch.action.cuda()[:, None]).squeeze(1)
        autocast = torch.autograd.grad(clipped_loss(target.cuda() - q).sum(), list(there.parameters()))
        optimizer = CenteredRMSProp(there.parameters())
        fused = FusedUpdates(there, frozen_copy(there, "bf16"), optimizer, mean=False)
        errors, _ = fused(batch.obs.cuda(), batch.action.cuda(), target.cuda(), 1)
        assert (errors.cpu() - error).abs().max() < 1e-4
        for (name, weight), near, far, torchs in zip(there.named_parameters(), grads, exact, autocast, strict=True):
            mine = optimizer.state[weight]["gradient_average"] / 0.05  # the first step's, from 0
            print(f"{name}: {relative(mine, near):.1e}, exact {relative(mine, far):.1e}, {relative(torchs, far):.1e}")
            assert relative(mine, near) < 1e-2, name
            assert F.cosine_similarity(mine.double().cpu().flatten(), near.flatten(), dim=0) > 0.999, name
            assert relative(mine, far) < 1.5 * relative(torchs, far) + 1e-3, name
        norm = torch.stack([grad.norm() for grad in grads]).norm()
        assert (fused.grad_norm().cpu() - norm).abs() < 1e-2 * norm

    def test_the_target_network_says_what_it_says_in_float64(self):
        model, batch = make_model(3), random_batch(16)
        fused = dqn(model, fused=True).fused
        twin = copy.deepcopy(model).double()
        with torch.no_grad():
            best = values(twin, batch.next_obs, rounded=True).amax(dim=1)
        assert (fused.best_values(batch.next_obs.cuda()).cpu() - best).abs().max() < 1e-4

    def test_the_same_seed_gives_the_same_bits(self):
        first, second = (dqn(make_model(), fused=True) for _ in range(2))
        for seed in range(10):
            batch = on_gpu(random_batch(20, seed))
            for each in (first, second):
                each.learn(batch, 20)
        for one, two in zip(first.model.parameters(), second.model.parameters(), strict=True):
            assert torch.equal(one, two)
            assert torch.isfinite(one).all()

    def test_many_updates_go_where_those_in_fp32_go(self):
        model, batch = make_model(), on_gpu(random_batch(64))
        weights = {}
        for name, settings in {
            "fp32": {"fused": False, "precision": "fp32"},
            "bf16": {"fused": False},
            "fused": {"fused": True},
        }.items():
            learner = dqn(model, **settings)
            learner.learn(batch, 64)
            weights[name] = torch.cat([weight.detach().flatten() for weight in learner.model.parameters()])
        distance = {name: (weights[name] - weights["fp32"]).norm().item() for name in ("bf16", "fused")}
        print(distance)
        assert distance["fused"] <= 1.5 * distance["bf16"]

    @pytest.mark.parametrize("settings", [{}, {"env_groups": 2}])
    def test_captured_training_equals_eager_training(self, settings, monkeypatch):
        from atari_dqn.presets import nature
        from tests.test_capture_agrees import assert_same, trained

        monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
        preset = lambda: nature("pong").replace(compile="on", **settings)  # noqa: E731
        eager, replayed = (
            trained(preset, device="cuda", precision="bf16", cuda_graph=graph) for graph in (False, True)
        )
        assert eager.agent.algorithm.fused is not None
        assert any(plan.graph for plan in replayed.learner.learn_from.plans.values())
        assert_same(eager, replayed)
