"""The first episodes of a run open beside other work, where the games allow it."""

import threading

import numpy as np
import pytest

from atari_dqn.presets import cartpole, nature
from atari_dqn.runs.opening import Opening
from atari_dqn.seeding import first_seeds


class Games:
    """Notes the thread in which they are reset."""

    def __init__(self, error=None):
        self.error, self.opened_by, self.seeds = error, [], []

    def reset(self, seeds):
        self.opened_by.append(threading.current_thread().name)
        self.seeds.append(seeds)
        if self.error:
            raise self.error
        return "opened"

    def close(self):
        self.opened_by.append("closed")


def test_native_games_open_at_once_in_a_thread():
    games, config = Games(), nature("pong").replace(num_envs=3, seed=5)
    opening = Opening(games, config)
    assert opening() == opening() == "opened"
    opening.close()
    assert games.opened_by == ["opening", "closed"]
    np.testing.assert_array_equal(games.seeds, [first_seeds(5, 3)])


def test_games_are_closed_after_they_have_opened():
    games = Games()
    Opening(games, nature("pong")).close()
    assert games.opened_by == ["opening", "closed"]


@pytest.mark.parametrize(("config", "resumed"), [(cartpole("cartpole"), False), (nature("pong"), True)])
def test_others_open_where_they_are_asked(config, resumed):
    games = Games()
    opening = Opening(games, config, resumed=resumed)
    assert games.opened_by == []
    assert opening() == opening() == "opened"
    assert games.opened_by == [threading.current_thread().name]


@pytest.mark.parametrize("preset", [nature("pong"), cartpole("cartpole")])
def test_what_broke_is_told_to_who_asks(preset):
    opening = Opening(Games(OSError("no such game")), preset)
    with pytest.raises(OSError, match="no such game"):
        opening()
