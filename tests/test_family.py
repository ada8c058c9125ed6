"""Each member of the family as a run: what it is made of, its exact ratio, its resume, its evaluation."""

import numpy as np
import pytest
import torch

from atari_dqn.cli import main
from atari_dqn.config import Config
from atari_dqn.dqn.agent import make_agent
from atari_dqn.errors import UsageError
from atari_dqn.extensions.c51 import CategoricalHead
from atari_dqn.extensions.iqn import ImplicitQuantileNetwork
from atari_dqn.extensions.munchausen import MunchausenTarget
from atari_dqn.extensions.noisy import NoisyLinear
from atari_dqn.extensions.prioritized import ProportionalSampler
from atari_dqn.extensions.quantiles import QuantileHead
from atari_dqn.networks.heads import Dueling
from atari_dqn.presets import PRESETS, nature
from atari_dqn.presets.family import FAMILY
from atari_dqn.types import EnvSpec
from atari_dqn.video.record import _Thinking
from benchmarks.compare_runs import differences
from tests.fakes import make_trainer

PIXELS = EnvSpec("pong", (84, 84), "uint8", ("noop", "right", "left"), 4)
SHORT = (
    "--total-steps 640 --learning-starts 160 --capacity 300 --eval-period 320 --eval-steps 100 --log-period 80 "
    "--checkpoint-period 160 --torch-threads 1 --epsilon-decay-steps 200 --batch-size 8 --hidden-sizes 16"
).split()


def small(name):
    """A member on vectors, for seconds."""
    sizes = {"total_steps": 400, "learning_starts": 60, "capacity": 200, "batch_size": 8, "hidden_sizes": (16,)}
    periods = {"target_update_period": 50, "eval_period": 0, "checkpoint_period": 0, "log_period": 100}
    return FAMILY[name]("cartpole").replace(**sizes, **periods)


def parts(config):
    algorithm = make_agent(config, PIXELS).algorithm
    model = algorithm.model
    linear = {type(layer) for layer in model.modules() if isinstance(layer, torch.nn.Linear)}
    return type(algorithm.head), type(algorithm.target_rule), type(model), linear, type(model.last)


def test_members_are_made_of_what_they_are_named_after():
    on_pixels = {name: parts(FAMILY[name]("pong").replace(device="cpu", compile="off")) for name in FAMILY}
    assert on_pixels["c51"][0] is on_pixels["rainbow"][0] is CategoricalHead
    assert on_pixels["qr_dqn"][0] is QuantileHead
    assert on_pixels["iqn"][2] is on_pixels["munchausen_iqn"][2] is ImplicitQuantileNetwork
    assert on_pixels["munchausen"][1] is on_pixels["munchausen_iqn"][1] is MunchausenTarget
    assert on_pixels["noisy"][3] == on_pixels["rainbow"][3] == {NoisyLinear}
    assert on_pixels["dueling"][4] is on_pixels["rainbow"][4] is Dueling
    assert isinstance(make_trainer(small("prioritized")).learner.sampler, ProportionalSampler)


PLAIN = {"learning_starts": 50_000, "batch_size": 32, "gamma": 0.99, "update_period": 4, "capacity": 1_000_000}
TUNED = {"double_q": True, "target_update_period": 30_000, "epsilon_end": 0.01, "eval_epsilon": 0.001}
ADAM = {"optimizer": "adam", "optimizer_eps": 0.01 / 32, "loss_reduction": "mean", "epsilon_end": 0.01}
ADAM |= {"eval_epsilon": 0.001, "target_update_period": 10_000, "double_q": False, "n_step": 1}
VIEILLARD = ADAM | {"learning_starts": 20_000, "target_update_period": 8_000, "epsilon_decay_steps": 250_000}
VIEILLARD |= {"learning_rate": 5e-5, "munchausen_alpha": 0.9, "munchausen_temperature": 0.03}
PER = {"priority_sampler": "exact", "priority_beta": 0.4, "priority_beta_end": 1.0}
NO_EPSILON = {"noisy_sigma": 0.5, "epsilon_start": 0.0, "epsilon_end": 0.0, "eval_epsilon": 0.0}
CATEGORICAL = {"distribution": "c51", "atoms": 51, "value_support": 10.0}
BY_PAPER = {
    "double": {"double_q": True, "target_update_period": 10_000, "epsilon_end": 0.1, "eval_epsilon": 0.05},
    "dueling": TUNED | {"hidden_sizes": (1_024,), "max_grad_norm": 10.0, "learning_rate": 6.25e-5},
    "prioritized": TUNED | PER | {"priority_alpha": 0.6, "learning_rate": 0.00025 / 4, "optimizer": "rmsprop"},
    "c51": ADAM | CATEGORICAL | {"learning_rate": 2.5e-4},
    "qr_dqn": ADAM | {"distribution": "quantiles", "atoms": 200, "learning_rate": 5e-5},
    "iqn": ADAM | {"distribution": "iqn", "learning_rate": 5e-5},
    "munchausen": VIEILLARD | {"distribution": "none", "loss": "huber"},
    "munchausen_iqn": VIEILLARD | {"distribution": "iqn"},
    "noisy": NO_EPSILON | {"optimizer": "rmsprop", "learning_rate": 2.5e-4, "target_update_period": 10_000},
    "rainbow": NO_EPSILON
    | CATEGORICAL
    | PER
    | {"double_q": True, "dueling": True, "hidden_sizes": (1_024,), "n_step": 3, "priority_alpha": 0.5}
    | {"learning_starts": 20_000, "target_update_period": 8_000, "optimizer": "adam", "loss_reduction": "mean"}
    | {"learning_rate": 6.25e-5, "optimizer_eps": 1.5e-4, "max_grad_norm": None},
}


@pytest.mark.parametrize("name", FAMILY)
def test_a_member_has_the_numbers_of_its_paper(name):
    config = FAMILY[name]("pong").flat()
    expected = PLAIN | BY_PAPER[name]
    assert {setting: config[setting] for setting in expected} == expected


@pytest.mark.parametrize("name", FAMILY)
def test_the_update_ratio_is_exact_and_a_seed_is_repeated(name):
    config = small(name)
    first, second = make_trainer(config), make_trainer(config)
    for trainer in (first, second):
        trainer.run()
        assert (
            trainer.learner.updates
            == trainer.step // config.algorithm.update_period - 60 // config.algorithm.update_period
        )
    for one, two in zip(
        first.agent.algorithm.model.parameters(), second.agent.algorithm.model.parameters(), strict=True
    ):
        assert torch.equal(one, two)
        assert one.isfinite().all()
    begun = make_agent(config, first.envs.spec).algorithm.model
    assert any(not torch.equal(one, two) for one, two in zip(
        first.agent.algorithm.model.parameters(), begun.parameters(), strict=True))  # fmt: skip


@pytest.mark.parametrize("name", FAMILY)
def test_an_interrupted_run_ends_as_the_quiet_one(name, tmp_path, monkeypatch):
    words = ["train", "cartpole", "--preset", name, *SHORT]
    assert main([*words, "--run-dir", str(tmp_path / "quiet")]) == 0
    from atari_dqn.dqn.trainer import Trainer

    run = Trainer.run

    def stopped(trainer):
        trainer.callbacks.on_step = lambda _: setattr(trainer, "stop_requested", trainer.step == 400)
        run(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run", stopped)
        main([*words, "--run-dir", str(tmp_path / "halves")])
    assert main([*words, "--run-dir", str(tmp_path / "halves"), "--resume"]) == 0
    assert differences(tmp_path / "halves", tmp_path / "quiet") == []


@pytest.mark.parametrize("name", ["iqn", "noisy"])
def test_evaluations_are_played_without_chance(name):
    agent = make_trainer(small(name)).agent
    obs = torch.randn(6, 1, 3)
    q = []
    for _ in range(2):
        agent.sample(obs, epsilon=0.0)  # in training: draws
        agent.predict(obs)
        q.append(agent.algorithm.predict(obs))
    assert torch.equal(*q)


def test_a_film_shows_the_q_values_that_were_acted_by():
    agent, obs = make_trainer(small("noisy")).agent, torch.randn(1, 1, 3)
    agent.sample(obs, epsilon=0.0)  # in training: draws
    policy = _Thinking(agent)
    assert policy.predict(obs)[0] == policy.q.argmax()
    np.testing.assert_array_equal(policy.q, agent.algorithm.predict(obs)[0])


def test_noise_explores_in_training():
    agent = make_trainer(small("noisy")).agent
    obs = torch.randn(200, 1, 3)
    first, second = agent.sample(obs, epsilon=0.0), agent.sample(obs, epsilon=0.0)
    assert 0 < np.mean(first != second) < 0.9
    assert (agent.predict(obs) == agent.predict(obs)).all()


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"distribution": "c51", "categorical_bins": 51}, "set one to none"),
        ({"distribution": "iqn", "subtract_mean_frame": True}, "subtract_mean_frame"),
        ({"munchausen_alpha": 0.9, "distribution": "c51"}, "needs values or quantiles"),
        ({"munchausen_alpha": 0.9, "double_q": True}, "double_q"),
        ({"distribution": "c51", "own_loss": True}, "its own loss"),
        ({"priority_sampler": "exact", "priority_alpha": 0.5, "priority_decay_steps": 9}, "priority_decay_steps"),
        ({"priority_sampler": "exact", "priority_alpha": 0.5, "replay_window_fraction": 0.5}, "replay_window_fraction"),
        ({"munchausen_alpha": 0.9, "target": False}, "comes from the target network"),
        ({"distribution": "quantiles", "atoms": 4_096}, "atoms is 4096 .* all pairs of atoms are compared"),
        ({"distribution": "c51", "atoms": 200, "batch_size": 8_192}, "all pairs of atoms"),
        ({"distribution": "iqn", "batch_size": 2_048}, "lower it to that"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, hint):
    with pytest.raises(UsageError, match=hint):
        nature("pong").replace(**settings)


def test_every_member_is_a_preset_and_a_config_that_json_holds():
    for name, preset in FAMILY.items():
        assert PRESETS[name] is preset
        for game in ("pong", "cartpole", "gym:Acrobot-v1"):
            assert Config.from_json(preset(game).to_json()) == preset(game)
