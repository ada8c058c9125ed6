"""Protocols, and games that do not depend on how many are played side by side."""

import numpy as np
import pytest
import torch

from atari_dqn.dqn.agent import make_agent
from atari_dqn.envs import make_envs
from atari_dqn.evaluation import protocols
from atari_dqn.evaluation.play import greedy_actions, play, weights_cast_once
from atari_dqn.evaluation.protocols import EvalProtocol
from atari_dqn.presets import cartpole, nature
from atari_dqn.runs.monitor import Monitor
from atari_dqn.types import EnvSpec

BREAKOUT = nature("breakout").replace(device="cpu", env_threads=2)


class MovingPolicy:
    """A deterministic policy of the observation alone."""

    def predict(self, obs):
        return obs.flatten(1).long().sum(dim=1).remainder(4).numpy()


def play_breakout(num_envs, *, episodes=None, steps=None, first_episode=0):
    protocol = EvalProtocol("test", episodes, steps, 120, epsilon=0.2, noop_max=30, sticky_probability=0.0,
                            first_episode=first_episode)  # fmt: skip
    return play(MovingPolicy(), BREAKOUT, protocol, num_envs=num_envs, seed=np.random.SeedSequence(5))


@pytest.mark.parametrize("settings", [{"episodes": 4}, {"steps": 480}])
def test_the_same_games_come_out_however_many_are_played_side_by_side(settings):
    alone = play_breakout(1, **settings)
    assert alone == play_breakout(3, **settings) == play_breakout(5, **settings)
    assert [score.number for score in alone] == list(range(len(alone)))


@pytest.mark.parametrize(("game", "num_actions", "many"), [("breakout", 4, 12), ("cartpole", 2, 64)])
def test_the_same_games_come_out_of_a_network_at_1_8_and_many_side_by_side(game, num_actions, many):
    preset = nature if game == "breakout" else cartpole
    config = preset(game).replace(device="cpu", compile="off", max_episode_steps=10, env_threads=2)
    protocol = EvalProtocol("test", 9, None, 10, epsilon=0.05, noop_max=config.env.noop_max, sticky_probability=0.0)
    probe = make_envs(config.replace(num_envs=1))
    agent = make_agent(config, probe.spec)
    probe.close()
    seen = set()

    class Watched:
        """The network's policy on Q-values that are centred, so that its actions differ from frame to frame."""

        def predict(self, obs):
            q = agent.algorithm.predict(obs)
            centre = reference.setdefault("q", q[0].clone())
            action = (q - centre).argmax(dim=1).numpy()
            seen.update(action.tolist())
            return action

    reference, rows = {}, {}
    for num_envs in (1, 8, many):
        rows[num_envs] = play(Watched(), config, protocol, num_envs=num_envs, seed=np.random.SeedSequence(2))
    assert rows[1] == rows[8] == rows[many]
    assert [row.number for row in rows[1]] == list(range(9))
    assert len({row.seed for row in rows[1]}) == 9
    assert len(seen) == num_actions


def test_a_policy_is_always_asked_for_eight_games():
    # how a network rounds depends on the size of the batch, so that must not depend on the number of games
    shapes = []

    class Watched:
        def predict(self, obs):
            shapes.append(tuple(obs.shape))
            return obs[:, 0].long().numpy()

    for count in (1, 8, 19):
        obs = torch.arange(count)[:, None]
        assert greedy_actions(Watched(), obs).tolist() == list(range(count))
    assert shapes == [(8, 1)] * (1 + 1 + 3)


def test_weights_that_are_cast_once_say_the_same():
    config = nature("pong").replace(device="cpu", precision="bf16", compile="off")
    agent = make_agent(config, EnvSpec("pong", (36, 36), "uint8", ("noop", "left"), 4))
    obs = torch.randint(0, 256, (3, 4, 36, 36), dtype=torch.uint8)
    expected = agent.algorithm.predict(obs)
    with weights_cast_once(config):
        assert torch.equal(agent.algorithm.predict(obs), expected)
        agent.algorithm.model.hidden[0].weight.data.zero_()
        assert torch.equal(agent.algorithm.predict(obs), expected)  # so they must not change meanwhile
    assert not torch.equal(agent.algorithm.predict(obs), expected)
    assert not torch.is_autocast_enabled("cpu")


def test_the_first_evaluation_of_a_run_asks_for_its_one_game():
    asked = []

    class Counted:
        def predict(self, obs):
            asked.append(len(obs))
            return np.zeros(len(obs), np.int64)

    config = nature("pong").replace(device="cpu", precision="fp32", max_episode_steps=5, eval_steps=10, film_seconds=0)
    for step in (0, 1):
        assert Monitor(config, Counted()).play(step, lambda: False)
    assert asked[:5] == [1] * 5 and set(asked[5:]) == {8}


def test_one_game_is_played_again_by_its_number():
    many = play_breakout(4, episodes=6)
    assert play_breakout(1, episodes=1, first_episode=4) == [many[4]]
    assert play_breakout(3, steps=100, first_episode=2)[0] == many[2]


def test_the_limit_of_five_minutes_is_counted_in_frames():
    assert protocols.nature(frame_skip=6).max_episode_steps == 3_000
    assert protocols.sticky(frame_skip=2).max_episode_steps == 54_000


def test_steps_count_the_games_that_fit_one_after_the_other():
    many, few = play_breakout(4, steps=600), play_breakout(4, steps=300)
    assert few == many[: len(few)]
    assert sum(score.episode_length for score in many) <= 600 < 600 + 120
    assert len(few) < len(many)


def test_the_first_game_counts_even_if_it_does_not_fit():
    assert len(play_breakout(2, steps=1)) == 1


def test_an_evaluation_can_be_given_up():
    seed = np.random.SeedSequence(1)
    assert play(MovingPolicy(), BREAKOUT, protocols.nature(), num_envs=1, seed=seed, should_stop=lambda: True) is None


def test_the_protocols_are_the_published_ones():
    protocol = protocols.nature()
    assert (protocol.episodes, protocol.epsilon, protocol.noop_max, protocol.sticky_probability) == (30, 0.05, 30, 0.0)
    assert protocol.max_episode_steps * 4 == 5 * 60 * 60  # frames in five minutes
    protocol = protocols.sticky()
    assert (protocol.episodes, protocol.epsilon, protocol.noop_max, protocol.sticky_probability) == (100, 0.01, 0, 0.25)
    protocol = protocols.monitor(nature())
    assert (protocol.steps, protocol.max_episode_steps * 4, protocol.epsilon) == (125_000, 108_000, 0.05)
    assert not protocol.env_config(nature(), 8).env.terminal_on_life_loss
