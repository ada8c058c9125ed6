"""The native path where it is clever: ends, cuts, seeds and states, against the bare emulator."""

import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv

from atari_dqn.envs import atari_games, make_envs
from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.envs.reference import ReferenceEnvs
from atari_dqn.errors import UsageError
from atari_dqn.presets import nature
from tests.played import assert_resumed_as_undisturbed, assert_same, play


def native(game="breakout", num_envs=2, reseed_after=0, **rules):
    return NativeEnvs(AtariRules(game, **rules), num_envs, num_threads=2, reseed_after=reseed_after)


def reference(game="breakout", num_envs=2, **rules):
    return ReferenceEnvs(AtariRules(game, **rules), num_envs)


def act(envs, *actions):
    envs.send(np.array(actions))
    return envs.recv()


# --- ends


@pytest.mark.parametrize("game", ["breakout", "qbert", "ms_pacman"])
def test_lost_lives_and_ends_are_those_that_ale_py_reports(game):
    """Ours come from lives and game over apart; its `life_loss_info` is one flag for both."""
    ours = native(game, 4, noop_max=0)
    theirs = AtariVectorEnv(
        game,
        4,
        stack_num=1,
        noop_max=0,
        reward_clipping=False,
        use_fire_reset=False,
        life_loss_info=True,
        num_threads=2,
    )
    ours.reset(np.arange(4))
    theirs.reset(seed=np.arange(4))
    rng = np.random.default_rng(0)
    lost = 0
    for _ in range(350):
        action = rng.integers(ours.spec.num_actions, size=4)
        step = act(ours, *action)
        frame, reward, terminated, _, info = theirs.step(action)
        assert (step.frame == frame[:, 0]).all()
        assert (step.reward == reward).all()
        assert (step.terminated == terminated).all()
        assert (step.finished == (terminated & (info["lives"] == 0))).all()
        lost += terminated.sum()
    assert lost > 0
    ours.close()
    theirs.close()


@pytest.mark.parametrize("game", ["atlantis", "bank_heist", "wizard_of_wor"])
def test_a_game_that_goes_on_at_lives_zero_is_not_finished(game):
    """In these the count reaches zero before the end: `terminated and lives == 0` is no game over."""
    envs = native(game, 4)
    envs.reset(np.arange(4) + 50)
    clock, expected = envs.clock, np.zeros(4, bool)
    went_on = ends = 0
    for step in play(envs, 2_000, seed=1):
        assert ((envs.clock < clock) == expected).all()
        clock, expected = envs.clock, step.finished
        went_on += (step.terminated & ~step.finished & (envs.lives == 0)).sum()
        ends += step.finished.sum()
        if went_on and ends:
            break
    assert went_on > 0 and ends > 0
    envs.close()


class Liar:
    """A bare environment that never admits a game over."""

    def __init__(self, env):
        self.env, self.ale, self.reset, self.close = env, env.ale, env.reset, env.close

    def recv(self):
        frame, reward, over, truncated, info = self.env.recv()
        return frame, reward, np.zeros_like(over), truncated, info


def test_an_end_that_was_not_reported_shows_by_the_clock_one_step_late():
    envs, honest = native(num_envs=1, life_loss=False), native(num_envs=1, life_loss=False)
    envs.emulators = Liar(envs.emulators)
    envs.reset(np.array([1]))
    honest.reset(np.array([1]))
    ends = 0
    for mine, truth in zip(play(envs, 700), play(honest, 700), strict=True):
        assert (mine.frame == truth.frame).all()
        assert mine.started == truth.started  # the opening is where it was ...
        assert mine.finished == truth.started  # ... and says there that a game has ended
        assert not mine.terminated
        ends += mine.finished.sum()
    assert ends > 0
    envs.close()
    honest.close()


def length_of_a_game(**settings):
    envs = native(num_envs=1, **settings)
    envs.reset(np.array([3]))
    for length, step in enumerate(play(envs, 2_000), start=1):
        if step.finished[0]:
            envs.close()
            return length
    raise AssertionError("this game should be over by now")


def test_a_limit_in_the_very_step_of_a_game_over_opens_one_new_game():
    length = length_of_a_game()
    envs, plain = native(num_envs=1, max_episode_steps=length), native(num_envs=1)
    envs.reset(np.array([3]))
    plain.reset(np.array([3]))
    *_, cut = play(envs, length)
    *_, whole = play(plain, length)
    assert cut.terminated[0] and cut.truncated[0] and cut.finished[0]
    assert whole.finished[0] and not whole.truncated[0]
    for _ in range(40):  # the emulator has reset itself; ours must not have reset it once more
        cut, whole = act(envs, 1), act(plain, 1)
        assert_same(cut, whole)
    envs.close()
    plain.close()


@pytest.mark.parametrize("end", ["game over", "limit", "both"])
def test_a_game_with_a_seed_of_its_own_opens_after_every_kind_of_end(end):
    length = length_of_a_game()
    limit = {"game over": 27_000, "limit": length - 1, "both": length}[end]
    envs, fresh = native(num_envs=1, max_episode_steps=limit), native(num_envs=1)
    envs.reset(np.array([3]))
    *_, last = play(envs, min(length, limit))
    assert last.finished[0]
    envs.seed_next_episode(0, 1234)
    opening = act(envs, 2)
    expected = fresh.reset(np.array([1234]))
    assert_same(opening, expected)
    for mine, theirs in zip(play(envs, 60, 5), play(fresh, 60, 5), strict=True):
        assert_same(mine, theirs)
    envs.close()
    fresh.close()


@pytest.mark.parametrize("make", [native, reference])
def test_the_action_after_an_end_leaves_no_trace(make):
    """Also in the emulator's random numbers, which sticky actions draw from."""
    envs, other = (make("breakout", 1, max_episode_steps=25, sticky_probability=0.25) for _ in range(2))
    for each in (envs, other):
        each.reset(np.array([8]))
        *_, last = play(each, 25)
        assert last.truncated[0]
    assert_same(act(envs, 0), act(other, 3))
    for mine, theirs in zip(play(envs, 60, 5), play(other, 60, 5), strict=True):
        assert_same(mine, theirs)
    envs.close()
    other.close()


def test_rewards_are_the_games_own():
    envs = native("ms_pacman", 1)
    envs.reset(np.array([0]))
    assert max(step.reward[0] for step in play(envs, 150)) >= 10  # a dot; clipped it would be 1
    envs.close()


@pytest.mark.parametrize("game", ["pong", "seaquest"])
def test_opening_frames_are_those_of_a_game_after_so_many_noops(game):
    """The draws of the two paths differ, so the plain path is told what the native one drew."""
    envs, plain = native(game, 4), reference(game, 1, frame_skip=1, noop_max=0)
    frames = envs.reset(np.arange(4)).frame
    plain_frames = [plain.reset(np.array([0])).frame[0]]
    plain_frames += [act(plain, 0).frame[0] for _ in range(30)]
    for frame, noops in zip(frames, envs.clock, strict=True):
        # one raw screen only: with frame_skip=1 there is nothing to take the maximum with
        difference = np.abs(frame.astype(int) - plain_frames[noops])
        assert (difference > 0).sum() <= 25 and difference.max() <= 2
    envs.close()
    plain.close()


# --- seeds and states


def test_games_depend_on_their_own_seed_only():
    """`seed=7` would give sub-environment i the seed 7 + i; an array gives each its own."""
    settings = {"sticky_probability": 0.25, "max_episode_steps": 30}
    among, alone = native("seaquest", 3, **settings), native("seaquest", 1, **settings)
    frames = [among.reset(np.array([900, 17, 40])).frame[1]]
    frames += [act(among, 1, step % 5, 2).frame[1] for step in range(70)]
    assert (alone.reset(np.array([17])).frame[0] == frames[0]).all()
    for step, frame in enumerate(frames[1:]):
        assert (act(alone, step % 5).frame[0] == frame).all()
    among.close()
    alone.close()


def test_a_resumed_run_is_an_uninterrupted_one(tmp_path):
    """With sticky actions, limits, lost lives, own seeds, re-seeding."""
    settings = {"max_episode_steps": 45, "sticky_probability": 0.25, "reseed_after": 60}
    envs, other = native(num_envs=3, **settings), native(num_envs=3, **settings)
    assert_resumed_as_undisturbed(envs, other, tmp_path, 120)
    envs.close()
    other.close()


def test_a_resume_across_a_natural_game_over():
    length = length_of_a_game()
    for stop in (length - 1, length, length + 1):
        envs, other = native(num_envs=1), native(num_envs=1)
        envs.reset(np.array([3]))
        for _ in play(envs, stop):
            pass
        other.load_state_dict(envs.state_dict())
        for mine, theirs in zip(play(envs, 30, 1), play(other, 30, 1), strict=True):
            assert_same(mine, theirs)
        envs.close()
        other.close()


def test_a_state_that_does_not_lead_back_is_refused():
    """A different emulator or config would continue another game without a word."""
    envs, other = native(num_envs=1, noop_max=0), native("space_invaders", 1, noop_max=0)
    envs.reset(np.array([3]))
    for _ in play(envs, 150):
        pass
    with pytest.raises(UsageError, match="another course"):
        other.load_state_dict(envs.state_dict())
    with pytest.raises(UsageError, match="seeds must be 2"):
        native(num_envs=2).load_state_dict(envs.state_dict())
    envs.close()
    other.close()


@pytest.mark.parametrize("seeds", [[-1, 0], [0, 2**31], [1], [0.0, 1.0]])
def test_seeds_that_ale_py_cannot_take_are_refused(seeds):
    envs = native()
    with pytest.raises(UsageError, match="seeds must"):
        envs.reset(np.array(seeds))
    envs.reset(np.array([0, 2**31 - 1]))
    with pytest.raises(UsageError, match="seeds must"):
        envs.seed_next_episode(0, -5)
    envs.close()


# --- names


@pytest.mark.parametrize("game", ["combat", "joust", "maze_craze", "warlords"])
def test_cartridges_for_two_players_are_refused(game):
    """ale-py ships them, but opening one ends the whole process."""
    assert game not in atari_games()
    with pytest.raises(UsageError, match="unknown game"):
        make_envs(nature(game))


@pytest.mark.parametrize(
    ("game", "hint"),
    [
        ("MsPacman", "ms_pacman"),
        ("ALE/Pong-v5", "pong"),
        ("pongg", "atari-dqn games"),  # how to list them all
        ("cartpole", "classic"),
        ("gym:Acrobot-v1", "classic"),
    ],
)
def test_what_is_no_rom_id_is_refused_with_a_remedy(game, hint):
    with pytest.raises(UsageError, match=hint):
        make_envs(nature(game))


def test_action_sets_are_the_minimal_one_or_all_18():
    minimal, full = native("pong", 1), native("pong", 1, action_set="full")
    assert minimal.spec.action_names == (
        "noop",
        "fire",
        "right",
        "left",
        "rightfire",
        "leftfire",
    )
    assert full.spec.num_actions == 18
    assert full.spec.action_names[0] == "noop"  # what fills steps that are thrown away
    minimal.close()
    full.close()


@pytest.mark.parametrize("make", [native, reference])
def test_the_papers_pong_has_three_actions_which_move_as_ale_pys_do(make):
    """Xitari, the paper's emulator, says `actions: {0, 3, 4}` of Pong: none with fire."""
    paper, minimal = make("pong", 1, action_set="paper", noop_max=0), make("pong", 1, noop_max=0)
    assert paper.spec.action_names == ("noop", "right", "left")
    same = {0: 0, 1: 2, 2: 3}  # the paper's number: ale-py's
    paper.reset(np.array([3]))
    minimal.reset(np.array([3]))
    for action in np.random.default_rng(0).integers(3, size=40):
        paper.send(np.array([action]))
        minimal.send(np.array([same[int(action)]]))
        assert (paper.recv().frame == minimal.recv().frame).all()
    paper.close()
    minimal.close()


def test_every_other_game_has_the_papers_actions_anyway():
    paper, minimal = native("breakout", 1, action_set="paper"), native("breakout", 1)
    assert paper.spec == minimal.spec
    paper.close()
    minimal.close()
