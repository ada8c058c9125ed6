"""The VecEnv protocol on every backend: ends, openings, time limits, seeds, state."""

import gymnasium
import numpy as np
import pytest

from atari_dqn.envs import make_envs
from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.envs.reference import ReferenceEnvs, Resize
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole, nature
from atari_dqn.seeding import first_seeds
from tests.played import play

SIX_GAMES = ("pong", "breakout", "seaquest", "space_invaders", "ms_pacman", "freeway")


def native(game="breakout", num_envs=2, **rules):
    return NativeEnvs(AtariRules(game, **rules), num_envs, num_threads=2)


def make(backend, num_envs=2, max_episode_steps=40):
    config = cartpole() if backend == "classic" else nature("breakout")
    return make_envs(config.replace(backend=backend, num_envs=num_envs, max_episode_steps=max_episode_steps))


BACKENDS = ("native", "workers", "reference", "classic")
REPLAYED = ("native", "reference", "classic")  # whose state is a log of actions


@pytest.fixture(scope="module", params=BACKENDS)
def opened(request):
    """Two games of each backend, for tests that begin with a reset and leave no step under way."""
    envs = make(request.param)
    yield envs
    envs.close()


def test_shapes_and_types_are_those_of_the_protocol(opened):
    steps = [opened.reset(np.array([1, 2])), *play(opened, 3)]
    for step in steps:
        assert step.frame.shape == (2, *opened.spec.frame_shape)
        assert step.frame.dtype == opened.spec.frame_dtype
        assert step.reward.dtype == np.float32
        for flag in step[2:]:
            assert flag.shape == (2,)
            assert flag.dtype == bool
    assert steps[0].started.all()
    assert not any(step.started.any() for step in steps[1:])


def test_what_was_returned_is_never_written_again(opened):
    first = opened.reset(np.array([1, 2]))
    held = [array.copy() for array in first]
    for _ in play(opened, 30):
        pass
    assert all((mine == kept).all() for mine, kept in zip(first, held, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_end_is_followed_by_one_opening_without_reward(backend):
    """The rule that keeps ignored steps out of learning: finished, then started, then play."""
    envs = make(backend, num_envs=3)
    envs.reset(np.array([1, 2, 3]))
    ended = np.zeros(3, bool)
    ends = 0
    for step in play(envs, 150):
        assert (step.started == ended).all()
        assert not (step.started & (step.terminated | step.truncated | step.finished)).any()
        assert (step.reward[step.started] == 0).all()
        ended = step.finished
        ends += ended.sum()
    assert ends >= 9
    envs.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_time_limit_is_exact_and_counts_agent_steps(backend):
    envs = make(backend, max_episode_steps=7)
    envs.reset(np.array([1, 2]))
    truncated = [bool(step.truncated[0]) for step in play(envs, 16)]
    # 7 steps of play, one that opens, 7 steps of play, one that opens
    assert truncated == [False] * 6 + [True] + [False] * 7 + [True] + [False]
    envs.close()


@pytest.mark.parametrize("backend", ["native", "workers", "reference"])
def test_at_the_time_limit_the_true_last_frame_is_shown(backend):
    """The emulator's own limit shows a stale frame there; ours must show what no limit would show."""
    limited, endless = make(backend, max_episode_steps=7), make(backend, max_episode_steps=10_000)
    for envs in (limited, endless):
        envs.reset(np.array([1, 2]))
    for cut, whole in zip(play(limited, 7), play(endless, 7), strict=True):
        assert (cut.frame == whole.frame).all()
    assert cut.truncated.all()
    limited.close()
    endless.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_continuing_from_a_state_is_bit_for_bit_the_same(backend):
    """Seeds and action logs, across ends, time limits, lost lives and games with seeds of their own."""
    envs = make(backend)
    for steps in (0, 1, 55):
        other = make(backend)
        envs.reset(np.array([5, 6]))
        for number, _ in enumerate(play(envs, steps)):
            if number == 20:
                envs.seed_next_episode(1, 99)
        envs.seed_next_episode(0, 77)
        other.load_state_dict(envs.state_dict())
        for one, two in zip(play(envs, 120, 1), play(other, 120, 1), strict=True):
            assert all((left == right).all() for left, right in zip(one, two, strict=True))
        other.close()
    envs.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_seeded_game_is_the_same_in_any_environment(backend):
    """Game by seed, whichever environment plays it and whatever was played before."""
    alone, among = make(backend, num_envs=1), make(backend, num_envs=3, max_episode_steps=9)
    opening = alone.reset(np.array([42])).frame[0]
    among.reset(np.array([1, 2, 3]))
    among.seed_next_episode(1, 42)
    for step in play(among, 12):
        if step.started[1]:
            break
    assert (step.frame[1] == opening).all()
    for _ in range(5):
        alone.send(np.array([1]))
        among.send(np.array([0, 1, 0]))
        assert (alone.recv().frame[0] == among.recv().frame[1]).all()
    alone.close()
    among.close()


@pytest.mark.parametrize("backend", REPLAYED)
def test_reseeding_keeps_logs_short_and_is_repeated_after_a_resume(backend, monkeypatch):
    monkeypatch.setattr("atari_dqn.envs.RESEED_AFTER", 30)
    envs, other = make(backend, max_episode_steps=20), make(backend, max_episode_steps=20)
    envs.reset(np.array([1, 2]))
    lengths, seeds = [], set()
    for number, _ in enumerate(play(envs, 130)):
        lengths.append(len(envs.state_dict()["log"]))
        seeds |= set(envs.state_dict()["seeds"].tolist())
        if number == 70:
            envs.seed_next_episode(0, 77)  # from here on the two open their logs at different steps
    assert max(lengths) <= 30 + 2 * 21
    assert len(seeds) > 4
    other.load_state_dict(envs.state_dict())
    for one, two in zip(play(envs, 90, 1), play(other, 90, 1), strict=True):
        assert (one.frame == two.frame).all()
    envs.close()
    other.close()


@pytest.mark.parametrize(
    "action",
    [[0, 99], [-1, 0], [0], [[0, 0]], [0.0, 1.0]],
    ids=["large", "negative", "few", "shape", "float"],
)
def test_a_wrong_action_is_refused_before_it_can_hang_a_worker(opened, action):
    opened.reset(np.array([1, 2]))
    with pytest.raises(UsageError, match="action"):
        opened.send(np.array(action))
    opened.send(np.array([0, 0]))  # nothing was begun
    opened.recv()


@pytest.mark.parametrize("backend", BACKENDS)
def test_calls_out_of_turn_say_so(backend):
    envs = make(backend)
    with pytest.raises(RuntimeError, match="reset"):
        envs.send(np.array([0, 0]))
    envs.reset(np.array([1, 2]))
    with pytest.raises(RuntimeError, match="without send"):
        envs.recv()
    envs.send(np.array([0, 0]))
    with pytest.raises(RuntimeError, match="twice"):
        envs.send(np.array([0, 0]))
    with pytest.raises(RuntimeError, match="during a step"):
        envs.reset(np.array([1, 2]))
    with pytest.raises(RuntimeError, match="after reset"):
        envs.state_dict()
    envs.recv()
    envs.close()


def test_runs_with_neighbouring_seeds_share_no_games():
    seeds = [set(first_seeds(seed, 64).tolist()) for seed in (7, 8)]
    assert not seeds[0] & seeds[1]
    assert all(0 <= seed < 2**31 for seed in seeds[0] | seeds[1])


@pytest.mark.parametrize("game", SIX_GAMES)
def test_a_whole_game_ends_exactly_where_the_emulators_clock_falls_back(game):
    envs = native(game, num_envs=4)
    envs.reset(np.arange(4))
    clock, expected, ends = envs.clock.copy(), np.zeros(4, bool), 0
    for step in play(envs, 300 if game == "freeway" else 1_200):
        assert ((envs.clock < clock) == expected).all()
        clock, expected = envs.clock.copy(), step.finished
        ends += expected.sum()
    assert ends > 0 or game == "freeway"  # its games last 2 minutes, whatever happens
    envs.close()


def test_lost_lives_terminate_but_do_not_finish():
    envs = native("breakout", num_envs=4)
    envs.reset(np.arange(4))
    lives = finished = 0
    for step in play(envs, 600):
        lives += (step.terminated & ~step.finished).sum()
        finished += step.finished.sum()
    assert finished > 0
    assert 3 * finished <= lives <= 5 * finished + 20  # five lives a game
    envs.close()


def test_lost_lives_are_silent_where_they_should_not_count():
    envs = native("breakout", num_envs=4, life_loss=False)
    envs.reset(np.arange(4))
    assert all((step.terminated == step.finished).all() for step in play(envs, 600))
    envs.close()


def test_a_game_without_lives_does_not_end_because_of_it():
    envs = native("pong", num_envs=2)
    envs.reset(np.arange(2))
    points = 0
    for step in play(envs, 400):
        points += np.abs(step.reward).sum()
        assert not step.finished.any()
    assert points > 5
    envs.close()


@pytest.mark.parametrize("backend", ["native", "workers", "reference"])
def test_a_limit_in_the_very_step_of_a_lost_life_opens_a_new_game(backend):
    """Find when the first life goes, then put the limit right there."""
    endless = make(backend, num_envs=1, max_episode_steps=10_000)
    endless.reset(np.array([3]))
    lost = next(time for time, step in enumerate(play(endless, 400), start=1) if step.terminated[0])
    endless.close()
    envs = make(backend, num_envs=1, max_episode_steps=lost)
    envs.reset(np.array([3]))
    *_, last = play(envs, lost)
    assert last.terminated[0] and last.truncated[0] and last.finished[0]
    envs.send(np.array([0]))
    assert envs.recv().started[0]
    envs.close()


def test_breakout_that_is_never_fired_ends_at_its_limit():
    envs = native("breakout", num_envs=1, max_episode_steps=200)
    envs.reset(np.array([0]))
    flags = []
    for _ in range(200):
        envs.send(np.array([0]))
        flags.append(envs.recv().finished[0])
    assert flags.index(True) == 199
    envs.close()


def test_noops_are_drawn_from_zero_to_the_maximum():
    for maximum, expected in ((0, {0}), (3, {0, 1, 2, 3})):
        envs = native("pong", num_envs=4, noop_max=maximum)
        seen = set()
        for start in range(0, 16, 4):
            envs.reset(np.arange(start, start + 4))
            seen |= set(envs.clock.tolist())
        assert seen == expected
        envs.close()


@pytest.mark.parametrize(("game", "hint"), [("pongg", "pong"), ("Ms-Pacman", "ms_pacman"), ("zzzz", "names look like")])
def test_an_unknown_game_is_refused_with_the_nearest_names(game, hint):
    with pytest.raises(UsageError, match=hint):
        make_envs(nature(game))


@pytest.mark.parametrize(
    ("game", "why"),
    [
        ("gym:NoSuchGame-v1", "cannot make"),
        ("gym:FrozenLake-v1", "only vectors"),
        ("gym:Pendulum-v1", "numbered actions"),
        ("pong", "none of gymnasium's"),
    ],
)
def test_a_vector_game_that_does_not_fit_is_refused(game, why):
    with pytest.raises(UsageError, match=why):
        make_envs(cartpole().replace(game=game))


def test_any_vector_game_of_gymnasium_can_be_made():
    envs = make_envs(cartpole().replace(game="gym:Acrobot-v1"))
    assert envs.spec.frame_shape == (6,)
    assert envs.spec.num_actions == 3
    envs.close()


def area_averages(line, length):
    """What Torch's `image.scale` makes of a line of pixels that shrinks: the mean over each new pixel's area."""
    scale = len(line) / length
    edges = np.arange(length + 1) * scale
    pixels = np.arange(len(line))
    covered = np.minimum.outer(edges[1:], pixels + 1) - np.maximum.outer(edges[:-1], pixels)  # [length, len(line)]
    return np.clip(covered, 0, 1) @ line / scale


def test_the_area_resize_is_that_of_the_released_code():
    image = np.random.default_rng(0).integers(0, 256, (210, 160)).astype(np.float64)
    exact = area_averages(area_averages(image, 84).T, 84).T
    error = {}
    for name in ("area", "bilinear"):
        env = Resize(gymnasium.Env(), name)
        error[name] = np.abs(env.observation(image.astype(np.uint8)) - exact).max()
    assert error["area"] < 0.51  # rounded
    assert error["bilinear"] > 50  # so it is not what the paper's networks saw


def test_the_reference_resizes_both_ways():
    frames = [
        ReferenceEnvs(AtariRules("pong", noop_max=0), 1, interpolation=method).reset(np.array([1])).frame
        for method in ("area", "bilinear")
    ]
    assert frames[0].shape == frames[1].shape
    assert (frames[0] != frames[1]).any()
