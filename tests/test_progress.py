"""Scores come from whole games and raw rewards."""

import numpy as np

from atari_dqn.dqn.progress import EpisodeTracker
from atari_dqn.types import Step


def step(reward, *, terminated=False, started=False, finished=False):
    one = np.ones(1, bool)
    return Step(np.zeros((1, 1)), np.array([reward]), one & terminated, one & False, one & started, one & finished)


def test_a_lost_life_does_not_end_a_score():
    tracker = EpisodeTracker(1)
    assert tracker.update(step(200.0)) == []
    assert tracker.update(step(0.0, terminated=True)) == []
    assert tracker.update(step(300.0, terminated=True, finished=True)) == [(0, None, 500.0, 3)]


def test_the_next_game_starts_at_zero():
    tracker = EpisodeTracker(1)
    tracker.update(step(5.0, finished=True))
    tracker.update(step(0.0, started=True))
    assert tracker.update(step(1.0, finished=True)) == [(0, None, 1.0, 1)]


def test_an_end_seen_late_reports_the_old_game():
    tracker = EpisodeTracker(1)
    tracker.update(step(5.0))
    assert tracker.update(step(0.0, started=True, finished=True)) == [(0, None, 5.0, 1)]
