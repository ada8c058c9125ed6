"""Network resets in the middle of a run: what is forgotten, which updates are pending, that a run can stop there."""

import numpy as np
import pytest
import torch

from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.ports import NullLogger
from atari_dqn.errors import UsageError
from atari_dqn.extensions.network_reset import PIECE, redraw
from tests.fakes import ScriptedEnvs, make_trainer, tiny_config

RESETS = {"reset_steps": (200,), "reset_updates": 3 * PIECE}


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_new_network_is_a_fresh_one_in_the_same_place(optimizer):
    config = tiny_config(layer_norm=True, optimizer=optimizer)
    trainer = make_trainer(config)
    trainer.run()
    algorithm = trainer.agent.algorithm
    places = [parameter.data_ptr() for parameter in algorithm.model.parameters()]
    learned, moments = weights(algorithm.model), list(algorithm.optimizer.state.values())
    assert all(value.any() for values in moments for value in values.values())

    redraw(algorithm, torch.Generator().manual_seed(5), config.network.initializer)
    assert [parameter.data_ptr() for parameter in algorithm.model.parameters()] == places
    assert not any(value.any() for values in moments for value in values.values())
    drawn = weights(algorithm.model)
    assert all(not torch.equal(drawn[name], value) for name, value in learned.items())
    assert (drawn["hidden.1.weight"] == 1).all() and (drawn["hidden.1.bias"] == 0).all()
    bound = 1 / drawn["hidden.0.weight"].shape[1] ** 0.5
    assert 0.9 * bound < drawn["hidden.0.weight"].abs().max() <= bound
    for name, value in weights(algorithm.target).items():
        assert torch.equal(value, drawn[name])


def test_networks_of_a_run_are_all_different_and_repeat_with_its_seed():
    def drawn(seed):
        trainer = make_trainer(tiny_config(seed=seed, reset_steps=(100, 104), reset_updates=0))
        first = weights(trainer.agent.algorithm.model)
        networks = [first]
        for number in (0, 1):
            trainer.learner.reset.reset(number)
            networks.append(weights(trainer.agent.algorithm.model))
        return [network["hidden.0.weight"] for network in networks]

    mine, again, other = drawn(0), drawn(0), drawn(1)
    assert all(torch.equal(a, b) for a, b in zip(mine, again, strict=True))
    everything = [*mine, *other]
    assert not any(torch.equal(a, b) for i, a in enumerate(everything) for b in everything[:i])


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("overlap", [True, False])
def test_nothing_is_played_until_the_new_network_has_caught_up(groups, overlap):
    config = tiny_config(num_envs=4, env_groups=groups, overlap=overlap, **RESETS)
    trainer, plain = make_trainer(config), make_trainer(config.replace(reset_steps=()))
    seen, learn, syncs, plain_syncs = [], trainer.learner.learn_after_reset, [], []

    def spy(step):
        seen.append((step, trainer.learner.reset.pending_updates))
        learn(step)

    trainer.learner.learn_after_reset = spy
    sync = trainer.agent.sync_target
    trainer.agent.sync_target = lambda: (syncs.append(trainer.step), sync())
    plain_sync = plain.agent.sync_target
    plain.agent.sync_target = lambda: (plain_syncs.append(plain.step), plain_sync())
    trainer.run(), plain.run()
    assert seen == [(200, 3 * PIECE), (200, 2 * PIECE), (200, PIECE)]
    assert trainer.learner.updates == plain.learner.updates + 3 * PIECE
    assert syncs.count(200) >= 3
    assert len(syncs) - len(plain_syncs) == 3 * PIECE * 4 // 50, "a copy every 50 agent steps, an update every 4"
    assert trainer.step == plain.step == 400


def test_a_run_may_stop_while_updates_are_pending():
    config = tiny_config(num_envs=4, optimizer="adam", learning_rate_end_ratio=0.1, n_step=3, **RESETS)
    config = config.replace(n_step_end=1, n_step_decay_steps=300)
    whole = make_trainer(config)
    whole.run()

    first = make_trainer(config)
    learn = first.learner.learn_after_reset

    def stop_after_two(step):
        learn(step)
        first.stop_requested = first.learner.reset.pending_updates == PIECE

    first.learner.learn_after_reset = stop_after_two
    first.run()
    assert first.step == 200 and first.learner.reset.pending_updates == PIECE
    second = make_trainer(config, first.envs)
    second.replay.load_state_dict(first.replay.state_dict())
    second.replay.ring.frames.pixels.copy_(first.replay.ring.frames.pixels)
    second.load_state_dict(first.state_dict())
    second.run()
    assert second.learner.reset.pending_updates == 0
    for name, value in whole.agent.get_weights().items():
        np.testing.assert_array_equal(second.agent.get_weights()[name], value)


def test_with_an_empty_replay_what_is_pending_waits_for_the_warm_up():
    config = tiny_config(num_envs=4, **RESETS)
    first = make_trainer(config)
    first.learner.learn_after_reset = lambda step: setattr(first, "stop_requested", True)
    first.run()
    assert first.learner.reset.pending_updates == 3 * PIECE
    second = make_trainer(config)
    second.load_state_dict(first.state_dict())
    seen, learn = [], second.learner.learn_after_reset
    second.learner.learn_after_reset = lambda step: (seen.append(step), learn(step))
    second.run()
    assert seen == [260] * 3, "60 agent steps of warm-up again"


def test_the_user_is_told_once_what_happens():
    lines = []

    class Listener(NullLogger):
        def message(self, text):
            lines.append(text)

    make_trainer(tiny_config(num_envs=4, **RESETS), logger=Listener()).run()
    assert lines == [f"step 200: a new network; {3 * PIECE:,} updates before play goes on"]


def test_the_mean_frame_stays():
    config = tiny_config(network="nature_cnn", subtract_mean_frame=True, layer_norm=True)
    envs = ScriptedEnvs(4, frame_shape=(84, 84))
    agent = make_agent(config, envs.spec)
    agent.algorithm.model.set_mean_frame(torch.full((84, 84), 7.0))
    agent.sync_target()
    redraw(agent.algorithm, torch.Generator().manual_seed(1), config.network.initializer)
    for network in (agent.algorithm.model, agent.algorithm.target):
        assert (network.mean_frame == 7).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reset_steps": (60, 200)}, "reset_steps holds 60, and learning_starts is 60"),
        ({"reset_steps": (200,), "network": "linear"}, "network 'linear' cannot be drawn again"),
        ({"reset_steps": (200,), "replay": False}, "replay is off: a new network"),
        ({"reset_steps": (200,), "game_end_updates": 3}, "set game_end_updates to none"),
        ({"reset_updates": -1}, "reset_updates is -1"),
    ],
)
def test_what_cannot_work_is_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        tiny_config(**settings)
