"""Parts of the family as the learner uses them: no word to the host, one graph, and on a GPU the same numbers."""

import copy

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from atari_dqn.cuda_graph import captured
from atari_dqn.extensions.c51 import CategoricalHead
from atari_dqn.extensions.iqn import ImplicitQuantileNetwork
from atari_dqn.extensions.munchausen import bonus, soft_weights
from atari_dqn.extensions.noisy import NoisyLinear
from atari_dqn.extensions.prioritized import ProportionalPriorities
from atari_dqn.extensions.quantiles import QuantileHead
from atari_dqn.extensions.random_buffers import draw_noise
from atari_dqn.networks import initialize
from atari_dqn.networks.vector import MLP
from atari_dqn.presets.family import FAMILY
from tests.test_capture_agrees import NothingFromTheHost, assert_same, atari_trainer, trained

BATCH, ACTIONS = 8, 3


def network_of(part):
    """The last layer of a small network for each part, with weights from a seed."""
    if part == "iqn":
        network = ImplicitQuantileNetwork(MLP(4, ACTIONS, (16,)), rows=BATCH)
    else:
        network = NoisyLinear(4, ACTIONS * {"c51": 51, "quantiles": 200}[part])
    initialize(network, torch.Generator().manual_seed(0))
    return network


class Update:
    """One minibatch from the sampler, its losses and their gradients, as the learner puts them together."""

    def __init__(self, part, device):
        self.network = network_of(part).to(device)
        self.target = copy.deepcopy(self.network)
        head = {"c51": CategoricalHead, "quantiles": QuantileHead}.get(part)
        self.head = head().to(device) if head else self.network.head
        self.sampler = ProportionalPriorities(100, device, alpha=0.6)
        self.sampler.beta.fill_(0.4)
        self.sampler.note(torch.arange(0, 100, 2).numpy(), torch.arange(1, 100, 2).numpy())
        self.obs = torch.randn(100, 4, generator=torch.Generator().manual_seed(1)).to(device)
        self.ask = (lambda net, obs: net.outputs(obs)) if part == "iqn" else (lambda net, obs: net(obs))
        self.draw_noise(torch.Generator(device).manual_seed(2))

    def draw_noise(self, generator):
        draw_noise(self.network, generator)
        draw_noise(self.target, generator)

    def losses(self, obs, weights):
        reward, discount, action = obs[:, 0], (obs[:, 1] > 0).float() * 0.99, (obs[:, 2] > 0).long()
        head = self.head
        with torch.no_grad():
            outputs = self.ask(self.target, obs)
            values = head.values(outputs)
            if isinstance(head, QuantileHead):
                reward = reward + bonus(values, action)
                following = head.blend(outputs, *soft_weights(values))
            else:
                following = head.of_actions(outputs, values.argmax(dim=1))
        losses, error = head.losses(self.ask(self.network, obs), action, reward, discount, following)
        return (losses * weights).sum(), error

    def __call__(self, unit):
        leaves, weights = self.sampler.draw(unit)
        loss, error = self.losses(self.obs.index_select(0, leaves), weights)
        grads = torch.autograd.grad(loss, list(self.network.parameters()))
        self.sampler.learned(leaves, error)
        return torch.cat([grad.flatten() for grad in grads])


PARTS = ["c51", "quantiles", "iqn"]


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_exchanged_with_the_host(part):
    update, unit = Update(part, "cpu"), torch.rand(1, BATCH, dtype=torch.float64)
    with NothingFromTheHost():
        assert torch.isfinite(update(unit)).all()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        update(mode.from_tensor(unit))
        with pytest.raises(DataDependentOutputException):  # the check can fail
            mode.from_tensor(unit).sum().item()


@pytest.mark.parametrize("part", PARTS)
def test_the_losses_are_one_graph(part):
    """`fullgraph` raises where a function would be compiled in pieces."""
    update = Update(part, "cpu")
    whole = torch.compile(update.losses, fullgraph=True, backend="eager")
    for seed in range(2):  # noise drawn in between reaches what is compiled
        update.draw_noise(torch.Generator().manual_seed(seed))
        for mine, theirs in zip(
            whole(update.obs[:8], torch.ones(8)), update.losses(update.obs[:8], torch.ones(8)), strict=True
        ):
            torch.testing.assert_close(mine, theirs)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("part", PARTS)
def test_captured_updates_equal_plain_updates(part):
    plain, fast = Update(part, "cuda"), Update(part, "cuda")
    graph = captured(fast, "cuda")
    for seed in range(5):
        unit = torch.rand(1, BATCH, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        for update in (plain, fast):  # drawn outside of the graph, read inside of it
            update.draw_noise(torch.Generator("cuda").manual_seed(seed))
        torch.testing.assert_close(graph(unit), plain(unit.cuda()))
        assert torch.equal(fast.sampler.tree.draw(unit[0].cuda()), plain.sampler.tree.draw(unit[0].cuda()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_sum_tree_on_a_gpu_is_that_of_the_host():
    on_host, on_gpu = (ProportionalPriorities(5_000, device, alpha=0.6) for device in ("cpu", "cuda"))
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        leaves = torch.randint(5_000, (64,), generator=generator)
        unit, value = torch.rand(32, dtype=torch.float64, generator=generator), torch.rand(64, generator=generator)
        on_host.tree.set(leaves, value)
        on_gpu.tree.set(leaves.cuda(), value.cuda())
        assert torch.equal(on_gpu.tree.draw(unit.cuda()).cpu(), on_host.tree.draw(unit))


SMALL = {"hidden_sizes": (32,), "batch_size": 8}


@pytest.mark.parametrize("name", FAMILY)
def test_the_learner_of_a_member_exchanges_nothing_with_the_host(name):
    """What is captured on a GPU, whole: tensors without values cannot be read."""
    trainer = atari_trainer(FAMILY[name], total_steps=112, **SMALL)
    trainer.run()
    inputs = next(trainer.learner.sampler.draw(2, trainer.step))
    with NothingFromTheHost():
        trainer.learner.learn_from(*inputs)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        trainer.learner.learn_from(*map(mode.from_tensor, inputs))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.filterwarnings("ignore")  # the compiler's: fp32 could be faster as tf32
@pytest.mark.parametrize("name", FAMILY)
def test_a_member_trained_by_graphs_is_the_one_trained_eagerly(name, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    eager, replayed = (trained(FAMILY[name], device="cuda", cuda_graph=graph) for graph in (False, True))
    assert any(plan.graph for plan in replayed.learner.learn_from.plans.values())  # some of it was replayed
    assert_same(eager, replayed)
