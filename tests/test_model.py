"""Networks: the paper's shapes, the law of the initial weights, and the rearranged convolution."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from atari_dqn.errors import UsageError
from atari_dqn.extensions.hl_gauss import HLGauss
from atari_dqn.networks import initialize, make_model
from atari_dqn.networks.convolutions import space_to_depth, space_to_depth_kernel
from atari_dqn.networks.heads import Ending, dueling_values
from atari_dqn.networks.nature_cnn import NatureCNN
from atari_dqn.networks.vector import MLP
from atari_dqn.settings.learning import NetworkConfig
from atari_dqn.types import EnvSpec

ATARI = EnvSpec("pong", (84, 84), "uint8", tuple("abcdef"), 4)
CARTPOLE = EnvSpec("cartpole", (4,), "float32", ("left", "right"), 1)


def nature_cnn(seed=0):
    return make_model(ATARI, NetworkConfig("nature_cnn", hidden_sizes=(512,)), frame_stack=4, seed=seed)


def random_obs(batch=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, 4, 84, 84), dtype=torch.uint8, generator=generator)


def plain_forward(model, obs):
    """The paper's network as everyone writes it."""
    x = obs.float() / 255.0
    x = F.relu(F.conv2d(x, model.conv1.weight, model.conv1.bias, stride=4))
    x = F.relu(F.conv2d(x, model.conv2.weight, model.conv2.bias, stride=2))
    x = F.relu(F.conv2d(x, model.conv3.weight, model.conv3.bias))
    return model.last(model.hidden(x.flatten(1)))


def test_parameters_are_the_papers():
    shapes = [tuple(param.shape) for param in nature_cnn().parameters()]
    assert shapes == [
        (32, 4, 8, 8), (32,), (64, 32, 4, 4), (64,), (64, 64, 3, 3), (64,), (512, 3136), (512,), (6, 512), (6,),
    ]  # fmt: skip


@pytest.fixture(
    params=[(False, False), (True, False), (True, True)],
    ids=["as it is", "as it is compiled", "as it is compiled for the same bits every time"],
)
def compiling(request, monkeypatch):
    """Some layers are computed otherwise where a compiler can fuse them; here that runs without one."""
    compiled, same_bits = request.param
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiled)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", same_bits)


def test_space_to_depth_equals_the_plain_convolution(compiling):
    model, obs = nature_cnn(), random_obs()
    torch.testing.assert_close(model(obs), plain_forward(model, obs), rtol=1e-4, atol=1e-6)


def test_space_to_depth_has_the_plain_gradients(compiling):
    model, obs = nature_cnn(), random_obs()
    model(obs).square().sum().backward()
    fast = [param.grad.clone() for param in model.parameters()]
    model.zero_grad()
    plain_forward(model, obs).square().sum().backward()
    for ours, plain in zip(fast, (param.grad for param in model.parameters()), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-6)


def test_in_bf16_the_compiled_form_has_the_plain_gradients(monkeypatch):
    model, obs, grads = nature_cnn(), random_obs(), []
    for compiling in (False, True):
        monkeypatch.setattr(torch.compiler, "is_compiling", lambda answer=compiling: answer)
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            model(obs).square().sum().backward()
        grads.append([param.grad.clone() for param in model.parameters()])
    for plain, ours in zip(*grads, strict=True):
        assert (ours - plain).norm() < 0.02 * plain.norm()


def test_word_moves_equal_pixel_moves():
    obs = random_obs()
    assert torch.equal(space_to_depth(obs).float(), space_to_depth(obs.float()))


def test_kernel_and_image_are_rearranged_alike():
    obs, weight = (
        random_obs(1).float(),
        torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1)),
    )
    left = F.conv2d(obs, weight, stride=4)
    right = F.conv2d(space_to_depth(obs), space_to_depth_kernel(weight))
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-2)


def test_input_is_scaled_exactly_once(monkeypatch):
    """A white image must count as ones: each filter's output is then the sum of its weights, and its bias."""
    model, seen, conv2d = NatureCNN(4, (84, 84), 6), [], F.conv2d
    monkeypatch.setattr(F, "conv2d", lambda x, *rest: (seen.append(x), conv2d(x, *rest))[1])
    with torch.no_grad():
        model(torch.full((1, 4, 84, 84), 255, dtype=torch.uint8))
        sums = F.relu(model.conv1.weight.sum(dim=(1, 2, 3)) + model.conv1.bias)
    torch.testing.assert_close(seen[1], sums[None, :, None, None].expand_as(seen[1]), rtol=1e-4, atol=1e-5)


def test_integers_in_the_batch_are_not_changed():
    obs = random_obs()
    before = obs.clone()
    nature_cnn()(obs)
    assert torch.equal(obs, before)


def test_initial_weights_are_uniform_in_one_over_root_fan_in():
    for layer, fan_in in (
        ("conv1", 256),
        ("conv2", 512),
        ("conv3", 576),
        ("hidden.0", 3136),
        ("last", 512),
    ):
        module = nature_cnn().get_submodule(layer)
        bound = fan_in**-0.5
        for values in (module.weight.detach().flatten(), module.bias.detach()):
            assert values.abs().max() <= bound
        weight = module.weight.detach().flatten().double()
        share = ((weight + bound) / (2 * bound)).sort().values  # uniform on [0, 1] if the law holds
        distance = (share - (torch.arange(len(share)) + 0.5) / len(share)).abs().max()
        assert distance < 2.0 / len(share) ** 0.5  # Kolmogorov-Smirnov: beyond this about once in 1,500 draws


def test_the_law_is_also_torchs_default():
    torch.manual_seed(0)
    for layer, fan_in in ((torch.nn.Conv2d(4, 32, 8), 256), (torch.nn.Linear(3136, 512), 3136)):
        bound = fan_in**-0.5
        assert 0.97 * bound < layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = nature_cnn(seed=7)
    torch.manual_seed(2)
    again, other = nature_cnn(seed=7), nature_cnn(seed=8)
    assert torch.equal(first.hidden[0].weight, again.hidden[0].weight)
    assert not torch.equal(first.hidden[0].weight, other.hidden[0].weight)


@pytest.mark.parametrize(("spec", "network"), [(ATARI, "nature_cnn"), (CARTPOLE, "mlp")])
def test_layer_norm_keeps_units_alive_whatever_the_bias(spec, network):
    """A shift of all sums, which would switch every unit off, changes nothing."""
    shape = (3, 4, *spec.frame_shape)
    obs = random_obs() if spec is ATARI else torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = {}
    for layer_norm in (False, True):
        model = make_model(
            spec, NetworkConfig(network, hidden_sizes=(64,), layer_norm=layer_norm), frame_stack=4, seed=0
        )
        with torch.no_grad():
            before = model(obs)
            model.hidden[0].bias -= 100.0
            values[layer_norm] = before, model(obs)
    torch.testing.assert_close(*values[True], rtol=1e-3, atol=1e-3)
    before, after = values[False]
    assert before.std(dim=0).max() > 0
    assert torch.equal(after, after[:1].expand_as(after)), "without it the values no longer depend on what is seen"


def test_layer_norm_is_that_of_its_source():
    """Ba et al. 2016, eq. 3, written out."""
    model = make_model(CARTPOLE, NetworkConfig("mlp", hidden_sizes=(8,), layer_norm=True), frame_stack=1, seed=0)
    obs = torch.randn(5, 1, 4, generator=torch.Generator().manual_seed(0))
    sums = model.hidden[0](obs.flatten(1))
    centered = sums - sums.mean(dim=1, keepdim=True)
    normal = centered / (centered.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(model(obs), model.last(normal.clamp(min=0.0)))


def test_dueling_values_by_hand():
    value, advantage = torch.tensor([[10.0], [-2.0]]), torch.tensor([[[1.0], [2.0], [6.0]], [[0.0], [0.0], [3.0]]])
    # less their means, 3 and 1, the advantages are -2, -1, 3 and -1, -1, 2
    assert dueling_values(value, advantage).squeeze(2).tolist() == [[8.0, 9.0, 13.0], [-3.0, -3.0, 0.0]]


def test_dueling_values_are_equation_9_and_their_mean_is_the_state_s():
    generator = np.random.default_rng(0)
    value, advantage = generator.normal(size=(32, 5)), generator.normal(size=(32, 6, 5))
    expected = np.array([[v + each - a.mean(axis=0) for each in a] for v, a in zip(value, advantage, strict=True)])
    value, advantage = torch.from_numpy(value), torch.from_numpy(advantage)
    q = dueling_values(value, advantage)
    np.testing.assert_allclose(q, expected, atol=1e-12)
    torch.testing.assert_close(q.mean(dim=1), value)
    torch.testing.assert_close(dueling_values(value, advantage + 7.0), q)  # what all actions share is not theirs


@pytest.mark.parametrize("bins", [0, 5])
def test_a_dueling_network_adds_what_actions_differ_by(bins):
    small, head = NetworkConfig("mlp", hidden_sizes=(7,)), HLGauss(bins, 10.0) if bins else None
    model = make_model(CARTPOLE, small, frame_stack=1, seed=0, ending=Ending(head, dueling=True))
    obs = torch.randn(3, 1, 4, generator=torch.Generator().manual_seed(0))
    hidden, each = model.hidden(obs.flatten(1)), bins or 1
    value = (hidden[:, :3] @ model.last.value.weight.T + model.last.value.bias).reshape(3, 1, each)
    advantage = (hidden[:, 3:] @ model.last.advantage.weight.T + model.last.advantage.bias).reshape(3, 2, each)
    expected = value + advantage - advantage.mean(dim=1, keepdim=True)
    torch.testing.assert_close(model.outputs(obs), expected.reshape(3, 2 * each))
    assert model(obs).shape == (3, 2)
    if not bins:
        torch.testing.assert_close(model(obs).mean(dim=1), value.flatten())
    with torch.autocast("cpu", torch.bfloat16):
        assert model(obs).dtype == torch.float32


def test_centered_pixels_are_those_less_the_mean_frame():
    """The mean may as well be taken off the observation first; rounded, so that bfloat16 holds the difference."""
    small, options = NetworkConfig(hidden_sizes=(64,)), {"frame_stack": 4, "seed": 0}
    centered, plain = (make_model(ATARI, small, subtract_mean_frame=yes, **options) for yes in (True, False))
    obs = random_obs()
    torch.testing.assert_close(centered(obs), plain(obs))  # until it has been told
    mean = torch.rand(84, 84, generator=torch.Generator().manual_seed(1)) * 255
    centered.set_mean_frame(mean)
    torch.testing.assert_close(centered(obs), plain(obs.float() - mean.round()))
    assert centered(mean.round().to(torch.uint8).expand(2, 4, 84, 84)).std(dim=0).max() == 0
    with torch.autocast("cpu", torch.bfloat16):
        exact = plain((obs.float() - mean.round()).to(torch.bfloat16))
        torch.testing.assert_close(centered(obs), exact, rtol=0, atol=0)


def test_a_network_without_centered_pixels_has_no_mean_frame_to_store():
    assert "mean_frame" not in nature_cnn(seed=0).state_dict()


def test_mlp_takes_vectors():
    model = make_model(CARTPOLE, NetworkConfig("mlp", hidden_sizes=(128, 128)), frame_stack=1, seed=0)
    assert isinstance(model, MLP)
    assert model(torch.zeros(5, 1, 4)).shape == (5, 2)


@pytest.mark.parametrize(("spec", "network"), [(ATARI, "mlp"), (CARTPOLE, "nature_cnn")])
def test_a_network_of_the_wrong_kind_is_refused(spec, network):
    with pytest.raises(UsageError, match="use '"):
        make_model(spec, NetworkConfig(network, hidden_sizes=(8,)), frame_stack=1, seed=0)


@pytest.mark.parametrize(
    ("law", "variance"),
    [
        ("he_normal", lambda fan_in, fan_out: 2 / fan_in),
        ("lecun_normal", lambda fan_in, fan_out: 1 / fan_in),
        ("glorot_uniform", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("torch7", lambda fan_in, fan_out: 1 / (3 * fan_in)),
    ],
)
def test_each_law_of_initial_weights_has_its_variance(law, variance):
    layers = torch.nn.ModuleList([torch.nn.Conv2d(32, 64, 4, 2), torch.nn.Linear(3136, 512)])
    initialize(layers, torch.Generator().manual_seed(0), law)
    for layer, fan_in, fan_out in zip(layers, (32 * 16, 3136), (64 * 16, 512), strict=True):
        assert layer.weight.var().item() == pytest.approx(variance(fan_in, fan_out), rel=0.03)
        assert layer.weight.mean().item() == pytest.approx(0.0, abs=0.001)
        assert (layer.bias == 0).all() == (law != "torch7")
