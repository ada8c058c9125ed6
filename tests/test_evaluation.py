"""Protocols, and games that do not depend on how many are played side by side."""

import numpy as np
import pytest

from atari_dqn import evaluation
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.evaluation import EvalProtocol, evaluate
from atari_dqn.presets import nature


class MovingPolicy:
    """A deterministic policy of the observation alone."""

    def predict(self, obs):
        return obs.flatten(1).long().sum(dim=1).remainder(4).numpy()


def play(num_envs, **settings):
    protocol = EvalProtocol("test", **{"episodes": None, "steps": None, **settings}, max_episode_steps=120,
                            epsilon=0.2, noop_max=30, sticky_probability=0.0)  # fmt: skip
    envs = NativeEnvs("breakout", num_envs, num_threads=2, life_loss=False, max_episode_steps=120)
    scores = evaluate(MovingPolicy(), envs, protocol, seed=np.random.SeedSequence(5), frame_stack=4)
    envs.close()
    return scores


@pytest.mark.parametrize("settings", [{"episodes": 7}, {"steps": 600}])
def test_the_same_games_come_out_however_many_are_played_side_by_side(settings):
    alone = play(1, **settings)
    assert alone == play(3, **settings) == play(8, **settings)
    assert [score.number for score in alone] == list(range(len(alone)))


def test_steps_count_the_games_that_fit_one_after_the_other():
    many, few = play(4, steps=600), play(4, steps=300)
    assert few == many[: len(few)]
    assert sum(score.episode_length for score in many) <= 600 < 600 + 120
    assert len(few) < len(many)


def test_the_first_game_counts_even_if_it_does_not_fit():
    assert len(play(2, steps=1)) == 1


def test_an_evaluation_can_be_given_up():
    envs = NativeEnvs("breakout", 1, num_threads=1)
    given_up = evaluate(MovingPolicy(), envs, evaluation.nature(), seed=np.random.SeedSequence(1), frame_stack=4,
                        should_stop=lambda: True)  # fmt: skip
    assert given_up is None
    envs.close()


def test_the_protocols_are_the_published_ones():
    protocol = evaluation.nature()
    assert (protocol.episodes, protocol.epsilon, protocol.noop_max, protocol.sticky_probability) == (30, 0.05, 30, 0.0)
    assert protocol.max_episode_steps * 4 == 5 * 60 * 60  # frames in five minutes
    protocol = evaluation.sticky()
    assert (protocol.episodes, protocol.epsilon, protocol.noop_max, protocol.sticky_probability) == (100, 0.01, 0, 0.25)
    protocol = evaluation.monitor(nature())
    assert (protocol.steps, protocol.max_episode_steps * 4, protocol.epsilon) == (125_000, 108_000, 0.05)
    assert not protocol.env_config(nature(), 8).terminal_on_life_loss
