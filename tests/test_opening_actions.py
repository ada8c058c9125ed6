"""Actions that wrappers press for the player: when an episode opens, and after a lost life."""

import numpy as np
import pytest

from atari_dqn.dqn.opening_actions import OpeningActions, opening_actions
from atari_dqn.errors import UsageError
from atari_dqn.presets import nature, nnabla, rl_zoo
from atari_dqn.types import EnvSpec
from tests.fakes import make_step, make_trainer, tiny_config

FRAME = np.zeros((1, 2, 2), np.uint8)
BREAKOUT = EnvSpec("breakout", (84, 84), "uint8", ("noop", "fire", "right", "left"), 4)
FREEWAY = EnvSpec("freeway", (84, 84), "uint8", ("noop", "up", "down"), 4)


def played(openings, *steps):
    """What is played instead of action 9, before and after each of these steps."""
    answers = [int(openings.impose(np.array([9]))[0])]
    for step in steps:
        openings.follow(step)
        answers.append(int(openings.impose(np.array([9]))[0]))
    return answers


def step_of(name):
    true = np.array([True])
    return {
        "goes on": make_step(FRAME),
        "life lost": make_step(FRAME, terminated=true)._replace(finished=~true),
        "over": make_step(FRAME, terminated=true),
        "opened": make_step(FRAME, started=true),
    }[name]


def test_an_opening_and_a_lost_life_are_answered_as_the_wrappers_do():
    openings = OpeningActions(1, after_opening=(1, 2), after_life_loss=(0, 1, 2))
    course = ["goes on", "goes on", "goes on", "life lost", "goes on", "goes on", "goes on"]
    assert played(openings, *map(step_of, course)) == [1, 2, 9, 9, 0, 1, 2, 9]


def test_an_end_forgets_what_was_pending_and_the_next_opening_begins_anew():
    openings = OpeningActions(1, after_opening=(1, 2), after_life_loss=(0, 1, 2))
    course = ["goes on", "goes on", "life lost", "over", "opened", "goes on", "goes on"]
    assert played(openings, *map(step_of, course)) == [1, 2, 9, 0, 9, 1, 2, 9]  # after "over" the action is ignored


def test_each_environment_has_its_own_and_groups_are_told_apart():
    openings = OpeningActions(4, after_opening=(5,))
    both = make_step(np.zeros((2, 2, 2), np.uint8))
    openings.follow(both, first=2)
    assert openings.impose(np.array([9, 9]), first=0).tolist() == [5, 5]
    assert openings.impose(np.array([9, 9]), first=2).tolist() == [9, 9]


def test_what_is_pending_comes_back():
    one, two = (OpeningActions(1, after_opening=(1, 2)) for _ in range(2))
    one.follow(step_of("goes on"))
    two.load_state_dict(one.state_dict())
    assert played(two) == played(one) == [2]


@pytest.mark.parametrize(
    ("preset", "spec", "training", "expected"),
    [
        (nature, BREAKOUT, True, ((), ())),
        (nnabla, BREAKOUT, True, ((), (0,))),
        (nnabla, BREAKOUT, False, ((), ())),
        (rl_zoo, BREAKOUT, True, ((1, 2), (0, 1, 2))),
        (rl_zoo, BREAKOUT, False, ((1, 2), (1, 2))),
        (rl_zoo, FREEWAY, True, ((), (0,))),  # no fire
    ],
)
def test_what_each_preset_asks_for(preset, spec, training, expected):
    openings = opening_actions(preset(spec.game), spec, 1, training=training)
    assert (openings.after_opening, openings.after_life_loss) == expected


def test_the_replay_holds_what_was_played():
    config = tiny_config(num_envs=2, total_steps=40, learning_starts=20, batch_size=2)
    trainer = make_trainer(config)
    trainer.turns.openings = OpeningActions(2, after_opening=(2,), after_life_loss=(1, 1))
    sent, send, pending = [], trainer.envs.send, []
    trainer.envs.send = lambda action: (
        [sent.append(action.copy()), pending.append(trainer.turns.openings.pending[:, 0].copy())] and send(action)
    )
    add, stored = trainer.replay.add, []
    trainer.replay.add = lambda action, step: [stored.append(np.array(action))] and add(action, step)
    trainer.run()
    assert (np.array(sent) == np.array(stored)).all()
    forced = np.array(pending) >= 0
    assert forced.any()
    assert (np.array(sent)[forced] == np.array(pending)[forced]).all()


@pytest.mark.parametrize("name", ["fire_on_reset", "noop_after_life_loss"])
def test_what_needs_lost_lives_is_refused_without_them(name):
    with pytest.raises(UsageError, match=name):
        nature("breakout").replace(terminal_on_life_loss=False, **{name: True})
