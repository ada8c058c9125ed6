"""One launch for many kernels changes nothing: the order of calls on any machine, the numbers on a GPU."""

import contextlib
import types

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from atari_dqn import cuda_graph
from atari_dqn.cuda_graph import Upload, captured
from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.ports import NullLogger
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.envs.in_turns import EnvsInTurns
from atari_dqn.presets import nature, quick
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.train import replay_layout
from atari_dqn.types import EnvSpec
from tests.fakes import ScriptedEnvs, tiny_config

gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
]


def neither(game="pong"):
    """The paper's DQN without its two ideas: another way to draw, another bootstrap, the same captured body."""
    return nature(game).replace(replay=False, target=False)


def in_turns(game="pong"):
    """Two groups of environments, so halves of the observations and of the updates at once."""
    return nature(game).replace(env_groups=2)


def compiled(game="pong"):
    """The captured body made of fewer, larger kernels."""
    return nature(game).replace(compile="on", own_kernels=False)


def short_quick(game="pong"):
    """Transitions by priority, a dueling end of histograms, and drawn anew after 200 steps."""
    return quick(game).replace(num_envs=8, learning_starts=96, reset_steps=(200,), reset_updates=150)


def uniform(game="pong"):
    """The same without priorities, which need the replay beside the learner."""
    return short_quick(game).replace(priority_alpha=0.0)


def atari_trainer(preset=nature, **settings):
    """The paper's network on scripted screens, about to run."""
    settings = {
        "num_envs": 8,
        "total_steps": 400,
        "learning_starts": 96,
        "capacity": 240,
        "target_update_period": 64,
        "eval_period": 0,
        "log_period": 100,
        "checkpoint_period": 0,
        "device": "cpu",
        "replay_device": settings.get("device", "cpu"),
        "precision": "fp32",
    } | settings
    config = preset().with_idle(**settings)  # `neither` has no target network to copy
    size = config.envs_at_once
    envs = EnvsInTurns([ScriptedEnvs(size, seed=k, frame_shape=(84, 84)) for k in range(config.env.env_groups)])
    replay = FrameReplay(
        replay_layout(config, envs.spec), device=config.machine.device, frames_on=config.machine.replay_device
    )
    return Trainer(config, envs=envs, agent=make_agent(config, envs.spec), replay=replay, logger=NullLogger())


# --- on any machine: the order of calls


@pytest.fixture
def tape(monkeypatch):
    """A stand-in for CUDA's streams and graphs that writes down what is asked of it."""
    calls = []

    class Stream:
        def wait_stream(self, other):
            pass

    class Graph:
        def replay(self):
            calls.append("replay")

    @contextlib.contextmanager
    def record(graph, capture_error_mode):
        assert capture_error_mode == "thread_local"  # the saver's thread may use the device meanwhile
        calls.append("record")
        yield

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", record)
    plan = cuda_graph._Plan
    on_cpu = lambda fn, inputs, device, **options: plan(fn, inputs, torch.device("cpu"), **options)  # noqa: E731
    monkeypatch.setattr(cuda_graph, "_Plan", on_cpu)
    return calls


def test_first_plainly_then_recorded_then_replayed(tape):
    step = captured(lambda x: tape.append(f"body of {len(x)}"), "cuda")
    for size in (3, 3, 3, 5, 3, 5, 5):
        step(torch.zeros(size))
    assert tape == [
        "body of 3",  # as it is
        *("record", "body of 3", "replay"),
        "replay",
        "body of 5",  # another shape: a graph of its own
        "replay",  # that of 3
        *("record", "body of 5", "replay"),
        "replay",
    ]


def test_every_call_sees_its_own_inputs(tape):
    seen = []
    step = captured(lambda x: seen.append(x.clone()), "cuda")
    plan_inputs = []
    for value in (1.0, 2.0, 3.0):
        step(torch.full((2,), value))
        plan_inputs.append(next(iter(step.plans.values())).inputs[0].tolist())
    assert [x.tolist() for x in seen] == [[1.0, 1.0], [2.0, 2.0]]  # the third call was replayed ...
    assert plan_inputs[2] == [3.0, 3.0]  # ... on the third input


def test_nothing_is_recorded_when_told_not_to(tape):
    step = captured(lambda x: tape.append("body"), "cuda", record=False)
    for _ in range(3):
        step(torch.zeros(2))
    assert tape == ["body"] * 3


def test_on_a_cpu_both_are_the_plain_thing():
    out = torch.zeros(3)
    Upload("cpu")(torch.ones(3), out)
    assert out.tolist() == [1, 1, 1]
    assert captured(lambda x: x + 1, "cpu")(out).tolist() == [2, 2, 2]


def test_an_answer_is_under_way_before_anything_else_is_launched(tape, monkeypatch):
    """Asked, the device gets the network and the copy back at once; only the answer waits, and for that copy alone."""

    class Event:
        def record(self):
            tape.append("copy back")

        def synchronize(self):
            tape.append("wait for the copy")

    on_device = types.SimpleNamespace(device=torch.device("cuda"), shape=(2,))
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch, "empty_like", lambda tensor, **_: Staging())

    class Staging:
        shape = (2,)

        def copy_(self, source, non_blocking):
            assert non_blocking

        def numpy(self):
            return np.array([1, 2])

    agent = make_agent(tiny_config().replace(num_envs=2), EnvSpec("x", (3,), "float32", ("a", "b", "c"), 1))
    actor = agent.actor(lambda seen: seen)
    actor.in_training = lambda seen: tape.append("network") or on_device
    actor.ask(torch.zeros(2, 4, 3), agent.exploration.draw(0.0, first=0, count=2, hold=False))
    tape.append("updates")
    assert actor.answer().tolist() == [1, 2]
    assert tape == ["network", "copy back", "updates", "wait for the copy"]


class NothingFromTheHost(TorchDispatchMode):
    """Refuses `x[rows] = 0.0` and whatever else makes a tensor of a number: on a GPU that is a copy from the host."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function is not torch.ops.aten.lift_fresh.default, "a number became a tensor"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("preset", "precision"),
    [
        (nature, "fp32"),
        (nature, "bf16"),
        (short_quick, "bf16"),
        (uniform, "bf16"),
        (neither, "fp32"),
        (in_turns, "fp32"),
    ],
)
def test_the_learner_exchanges_nothing_with_the_host(preset, precision):
    """Tensors without values cannot be read: `.item()`, `.cpu()` or a branch on them would raise."""
    trainer = atari_trainer(preset, precision=precision, total_steps=120)
    trainer.run()
    (inputs,) = trainer.learner.sampler.draw(3, trainer.step)
    lines = inputs[0]
    with NothingFromTheHost():
        trainer.learner.learn_from(*inputs)
        with pytest.raises(AssertionError, match="a number became"):  # the check can fail
            lines[:1, 0] = 0
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        trainer.learner.learn_from(*map(mode.from_tensor, inputs))
        with pytest.raises(DataDependentOutputException):  # the check can fail
            mode.from_tensor(lines).sum().item()


# --- on a GPU: the numbers


class TestOnGpu:
    pytestmark = [*gpu, pytest.mark.filterwarnings("ignore")]  # the compiler's: fp32 could be faster as tf32

    @pytest.fixture(autouse=True)
    def same_kernels_every_time(self):
        """cuDNN may otherwise add up gradients in any order."""
        was = torch.backends.cudnn.deterministic
        torch.backends.cudnn.deterministic = True
        yield
        torch.backends.cudnn.deterministic = was

    @pytest.mark.parametrize("preset", [nature, uniform, neither, in_turns, short_quick, compiled])
    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_captured_training_equals_eager_training(self, preset, precision):
        eager, replayed = (
            trained(preset, device="cuda", precision=precision, cuda_graph=graph) for graph in (False, True)
        )
        assert any(plan.graph for plan in replayed.learner.learn_from.plans.values())  # some of it was replayed
        assert not any(plan.graph for plan in eager.learner.learn_from.plans.values())
        assert_same(eager, replayed)

    @pytest.mark.parametrize("preset", [nature, uniform, in_turns])
    def test_replay_on_the_gpu_equals_replay_on_the_host(self, preset):
        assert_same(*(trained(preset, device="cuda", replay_device=place) for place in ("cuda", "cpu")))

    @pytest.mark.parametrize(("preset", "same_bits"), [(nature, True), (compiled, True), (compiled, False)])
    def test_a_few_updates_on_the_gpu_are_those_on_the_cpu(self, preset, same_bits):
        torch.backends.cudnn.deterministic = same_bits  # without, fp32 is compiled into another form
        fresh = atari_trainer(nature)
        on_cpu, on_gpu = trained(nature, total_steps=128), trained(preset, device="cuda", total_steps=128)
        began, one, two = (all_weights(trainer) for trainer in (fresh, on_cpu, on_gpu))
        assert (one - two).norm() < 0.02 * (one - began).norm()  # sums in another order

    def test_a_resumed_run_records_its_graph_anew(self):
        half = trained(nature, device="cuda", total_steps=200)
        again = atari_trainer(nature, device="cuda", total_steps=400)
        again.load_state_dict(half.state_dict())
        again.run()
        assert again.learner.updates > half.learner.updates
        assert all(torch.isfinite(weights).all() for weights in again.agent.algorithm.model.parameters())


def trained(preset, **settings):
    trainer = atari_trainer(preset, **settings)
    trainer.run()
    return trainer


def all_weights(trainer):
    """Of the online network, as one vector on the CPU."""
    return torch.cat([weights.detach().flatten().cpu() for weights in trainer.agent.algorithm.model.parameters()])


def assert_same(one, two):
    """Equal bit for bit: weights, target, moments, counters."""
    assert one.learner.updates == two.learner.updates > 0
    first, second = (each.agent.algorithm for each in (one, two))
    for name in ("model", "target"):
        for (key, mine), theirs in zip(
            getattr(first, name).state_dict().items(), getattr(second, name).state_dict().values(), strict=True
        ):
            assert torch.equal(mine, theirs), f"{name} {key}: {(mine - theirs).abs().max()} apart"
    assert torch.equal(one.learner.stats_sum, two.learner.stats_sum)
