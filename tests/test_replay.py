"""FrameReplay against a naive twin that keeps every stack, and its laws."""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from atari_dqn import host
from atari_dqn.errors import MachineRefused, UsageError
from atari_dqn.replay import pages, tiles
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.frames import FrameRing
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.replay.recent import continue_from, newest_frames
from atari_dqn.replay.tiles import TiledFrames, TilePool
from atari_dqn.types import Step
from tests.fakes import ScriptedEnvs, make_step


def resident():
    """Bytes of this process that have pages."""
    return psutil.Process().memory_info().rss


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux provides")
def test_memory_of_frames_is_touched_while_it_is_written_to():
    before = resident()
    pixels = pages.blank((100, 1000, 1000), torch.uint8)
    pixels[::7] = 3
    for thread in threading.enumerate():
        if thread.name == "pages":
            thread.join()
    assert resident() - before > 0.9 * pixels.nbytes
    assert pixels[::7].eq(3).all()
    assert pixels.sum(dtype=torch.int64) == 3 * len(pixels[::7]) * 1000 * 1000  # blank elsewhere


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a thread touches it on Linux")
def test_memory_is_touched_in_small_pieces_with_pauses_and_no_longer_than_it_is_held(monkeypatch):
    """Else the start of a run stands still: the kernel lets nobody else have memory while it provides a piece."""
    begun, pauses = [], []
    monkeypatch.setattr(pages, "Thread", lambda **named: begun.append(named) or SimpleNamespace(start=lambda: None))
    held = [pages.blank((pages.SMALL,), torch.uint8)]
    monkeypatch.setattr(pages.time, "sleep", lambda seconds: pauses.append(seconds) or len(pauses) < 5 or held.clear())
    begun[0]["target"](*begun[0]["args"])
    assert pages.PIECE <= 2**20
    assert pauses == [pages.PAUSE] * 5, "of 16 pieces"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="addresses are limited on Linux")
def test_memory_that_has_no_addresses_is_refused():
    with pytest.raises(MemoryError, match="bytes"):
        pages.blank((2**50,), torch.uint8)


def test_the_mean_frame_is_of_what_is_in_the_ring():
    replay = FrameReplay(ReplayLayout(capacity=12, num_envs=2, frame_shape=(2, 2), frame_dtype="uint8", frame_stack=2))
    envs = ScriptedEnvs(2)
    first = envs.reset(np.arange(2))
    replay.start(first)
    shown = [first.frame]
    for _ in range(40):
        envs.send(np.zeros(2, np.int64))
        step = envs.recv()
        replay.add(np.zeros(2, np.int64), step)
        shown.append(step.frame)
        kept = np.concatenate(shown[-replay.ring.num_times :])
        np.testing.assert_allclose(replay.ring.mean_frame(), kept.mean(axis=0), rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), num_envs=st.integers(1, 4), usable=st.integers(1, 9), frame_stack=st.integers(1, 5))
def test_a_window_is_what_lies_around_a_row(data, num_envs, usable, frame_stack):
    """Every place of the ring, also where the window reaches over its seam."""
    ring = make_replay(usable * num_envs, num_envs, frame_stack, n_step=3).ring
    rows = np.array(data.draw(st.lists(st.integers(0, ring.num_rows - 1), min_size=1, max_size=5)))
    back = frame_stack - 1
    expected = [[(row + step * num_envs) % ring.num_rows for step in range(-back, 4)] for row in rows]
    assert ring.window(rows, back, 3).tolist() == expected


class NaiveReplay:
    """Everything that ever happened in one environment, as lists. No ring, no index arithmetic."""

    def __init__(self, frame_stack, repeat_first_frame=False):
        self.frame_stack, self.repeat_first_frame = frame_stack, repeat_first_frame
        self.frames, self.started, self.actions, self.steps = [], [], [], []

    def show(self, frame, started):
        self.frames.append(frame)
        self.started.append(started)

    def stack(self, time):
        planes = []
        while len(planes) < self.frame_stack and time >= 0:
            planes.insert(0, self.frames[time])
            if self.started[time]:
                break
            time -= 1
        missing = planes[0] if self.repeat_first_frame else np.zeros_like(planes[0])
        blank = [missing] * (self.frame_stack - len(planes))
        return np.stack(blank + planes)

    def transition(self, time, n_step):
        """(obs, action, rewards, number of steps, terminated, next_obs), or None if nothing true can be said."""
        rewards = []
        for now in range(time, time + n_step):
            reward, terminated = self.steps[now]
            if self.started[now + 1] and not terminated:  # `now` shows a last frame: what it answered was ignored
                if now == time:
                    return None
                break
            rewards.append(reward)
            if terminated:
                break
        end = time + len(rewards)
        padded = rewards + [0.0] * (n_step - len(rewards))
        return (
            self.stack(time),
            self.actions[time],
            padded,
            len(rewards),
            self.steps[end - 1][1],
            self.stack(end),
        )


def play(replay, envs, times, seed=0):
    """Random play into the replay, group by group, and into one naive twin for each environment."""
    rng = np.random.default_rng(seed)
    twins = [NaiveReplay(replay.frame_stack, replay.repeat_first_frame) for _ in range(envs.num_envs)]
    step = envs.reset(None)
    replay.start(step)
    for env, twin in enumerate(twins):
        twin.show(step.frame[env], True)
    groups = np.split(np.arange(envs.num_envs), replay.groups)
    for time in range(times):
        if time % replay.groups == 0:
            action = rng.integers(envs.spec.num_actions, size=envs.num_envs)
            envs.send(action)
            step = envs.recv()
        group = groups[time % replay.groups]
        replay.add(action[group], Step(*(array[group] for array in step)))
        for env in group:
            twins[env].actions.append(action[env])
            twins[env].steps.append((step.reward[env], step.terminated[env]))
            twins[env].show(step.frame[env], step.started[env])
    return twins


def make_replay(capacity=64, num_envs=2, frame_stack=4, n_step=1, frame_shape=(2, 2), groups=1, repeat=False):
    return FrameReplay(
        ReplayLayout(
            capacity=capacity,
            num_envs=num_envs,
            frame_shape=frame_shape,
            frame_dtype="uint8",
            frame_stack=frame_stack,
            n_step=n_step,
            groups=groups,
            repeat_first_frame=repeat,
        )
    )


def transitions_at(replay, rows):
    return replay.gather(*replay.index_batch(rows))


def expected_transitions(replay, twins):
    """Every transition that must be learnable now, oldest first, as the twins remember them."""
    groups = np.split(np.array(twins, object), replay.groups)
    newest = sum(len(group[0].frames) for group in groups) - 1
    oldest = max(0, newest + 1 - (replay.max_n_step + replay.usable_per_env) * replay.groups)
    for time in range(oldest, newest + 1 - replay.max_n_step * replay.groups):
        for twin in groups[time % replay.groups]:
            transition = twin.transition(time // replay.groups, replay.n_step)
            if transition is not None:
                yield transition


def assert_same_as_twins(replay, twins):
    expected = list(expected_transitions(replay, twins))
    assert len(replay) == len(expected)
    if not expected:
        return
    batch = transitions_at(replay, replay.learnable.all())
    for index, (obs, action, rewards, num_steps, terminated, next_obs) in enumerate(expected):
        assert (batch.obs[index].numpy() == obs).all()
        assert batch.action[index] == action
        assert batch.reward[index].tolist() == rewards + [0.0] * (replay.max_n_step - len(rewards))
        assert batch.num_steps[index] == num_steps
        assert batch.terminated[index] == terminated
        if not terminated:  # else nothing uses it
            assert (batch.next_obs[index].numpy() == next_obs).all()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    times=st.integers(0, 80),
    capacity=st.integers(1, 60),
    at_once=st.integers(1, 3),
    groups=st.integers(1, 3),
    frame_stack=st.integers(1, 5),
    n_step=st.integers(1, 5),
    fewer=st.integers(0, 4),
    end_rate=st.sampled_from([0.0, 0.05, 0.3, 0.9]),
    repeat=st.booleans(),
)
def test_every_learnable_transition_is_the_naive_twins(
    seed, times, capacity, at_once, groups, frame_stack, n_step, fewer, end_rate, repeat
):
    """Wrap-around, short games, odd capacities, ends at the write head, fewer rewards than n, groups in turns."""
    envs = ScriptedEnvs(at_once * groups, seed=seed, end_rate=end_rate)
    replay = make_replay(capacity, at_once * groups, frame_stack, n_step, groups=groups, repeat=repeat)
    replay.n_step = max(1, n_step - fewer)
    twins = play(replay, envs, times, seed)
    assert_same_as_twins(replay, twins)
    for back in range(groups):
        group = (times - 1 - back) % groups
        for obs, twin in zip(replay.latest_obs(back), twins[group * at_once :], strict=False):
            assert (obs.numpy() == twin.stack(len(twin.frames) - 1)).all()


class NaiveTiles:
    """Frames as they are; the tiles that they show, counted one by one."""

    def __init__(self, rows, shape):
        self.frames = np.zeros((rows, *shape), np.uint8)

    def different(self):
        """Tiles that are there, the blank one among them."""
        rows, height, width = self.frames.shape
        cut = self.frames.reshape(rows, height // 12, 12, width // 12, 12).swapaxes(2, 3)
        return {tile.tobytes() for tile in cut.reshape(-1, 12, 12)} | {bytes(144)}


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    times=st.integers(1, 60),
    rows_per_env=st.integers(2, 9),
    at_once=st.integers(1, 3),
    groups=st.integers(1, 2),
    kinds=st.sampled_from([2, 20, 10_000]),
    small_table=st.booleans(),
)
def test_tiles_are_the_frames_and_no_tile_is_kept_twice_or_too_long(
    seed, times, rows_per_env, at_once, groups, kinds, small_table
):
    rng = np.random.default_rng(seed)
    num_envs = at_once * groups
    num_rows = rows_per_env * num_envs
    tiled = TiledFrames(num_rows + 1, (24, 36), num_envs=num_envs, num_rows=num_rows, at_once=at_once)
    if small_table:  # two places in three would be taken: many collisions, and rebuilds
        tiled.pool = TilePool(len(tiled.pool.shown), places=8)
    naive = NaiveTiles(num_rows + 1, (24, 36))
    for time in range(times):
        first = time * at_once % num_rows
        before = (first + np.arange(at_once) - num_envs) % num_rows
        frames = naive.frames[before].copy()  # a game stands still but for some tiles
        for frame in frames:
            row, column = rng.integers(2) * 12, rng.integers(3) * 12
            frame[row : row + 12, column : column + 12] = rng.integers(kinds) % 251
            frame[row, column] = rng.integers(kinds) % 256
        tiled.put(first, torch.from_numpy(frames))
        naive.frames[first : first + at_once] = frames
        assert len(tiled.pool) == len(naive.different())
    assert (tiled.span(0, num_rows + 1).numpy() == naive.frames).all()
    rows = rng.integers(num_rows + 1, size=7)
    assert (tiled.gather(torch.from_numpy(rows)).numpy() == naive.frames[rows]).all()


def test_minibatches_of_tiles_are_those_of_frames():
    shapes = {"frame_shape": (24, 24), "capacity": 40, "num_envs": 4, "frame_dtype": "uint8", "frame_stack": 3}
    plain, tiled = (FrameReplay(ReplayLayout(**shapes, n_step=2, groups=2, tiles=tiles)) for tiles in (False, True))
    for replay in (plain, tiled):
        play(replay, ScriptedEnvs(4, frame_shape=(24, 24), end_rate=0.1), 150)
    rows = plain.learnable.all()
    for one, two in zip(plain.gather(*plain.index_batch(rows)), tiled.gather(*tiled.index_batch(rows)), strict=True):
        assert torch.equal(one, two)
    assert torch.equal(plain.latest_obs(), tiled.latest_obs())
    assert torch.equal(plain.ring.mean_frame(), tiled.ring.mean_frame())
    oldest, newest = plain.ring.times
    for time in range(oldest, newest + 1):
        assert torch.equal(plain.ring.read(time, 1), tiled.ring.read(time, 1))
    copy = FrameRing(ReplayLayout(**shapes, n_step=2, groups=2, tiles=True), "cpu")
    copy.write(oldest, plain.ring.read(oldest, 3))
    assert torch.equal(copy.read(oldest, 3), plain.ring.read(oldest, 3)), "a checkpoint of one is one of the other"


def test_tiles_of_a_damaged_checkpoint_leave_no_trace_in_the_one_before():
    layout = ReplayLayout(6, 1, (12, 12), "uint8", 2, tiles=True)
    replay = FrameReplay(layout)

    def shown(time):  # what a static picture is at its times: 7 was the newest of its row when that was written over
        value = 7 if time in (2, 9, 10) else 50 if time in (11, 12) else 100 + time
        return torch.full((1, 1, 12, 12), value, dtype=torch.uint8)

    assert replay.ring.num_times == 8
    for newest in (12, 9):  # the newest checkpoint turns out to be damaged when its last frames are read
        replay.clear()
        for time in range(newest - 7, newest + 1):
            replay.ring.write(time, shown(time))
    for time in range(2, 10):
        assert torch.equal(replay.ring.read(time, 1), shown(time))
    assert len(replay.ring.frames.pool) == 8, "7 pictures and the blank tile"


def test_tiles_are_refused_for_other_frames_and_where_memory_ends(monkeypatch):
    with pytest.raises(UsageError, match=r"replay_tiles is on, but frames are \(80, 84\) of uint8.*--no-replay-tiles"):
        ReplayLayout(100, 1, (80, 84), "uint8", 4, tiles=True)
    with pytest.raises(UsageError, match="replay_tiles is on, but the replay is on meta; use --replay-device cpu"):
        FrameRing(ReplayLayout(100, 1, (84, 84), "uint8", 4, tiles=True), "meta")
    tiled = TiledFrames(101, (84, 84), num_envs=1, num_rows=100, at_once=1)
    monkeypatch.setattr(host, "free_memory", lambda: 2**20)
    monkeypatch.setattr(tiles, "ASKED_EVERY", 60)
    rng = np.random.default_rng(0)
    with pytest.raises(MachineRefused, match="different tiles of the replay fill the memory.*--resume.*--capacity"):
        for row in range(3):
            tiled.put(row, torch.from_numpy(rng.integers(256, size=(1, 84, 84), dtype=np.uint8)))


@settings(max_examples=40, deadline=None)
@given(steps=st.integers(3, 80), capacity=st.integers(1, 60), count=st.integers(1, 60))
def test_the_newest_rows_are_the_end_of_all(steps, capacity, count):
    replay = make_replay(capacity)
    play(replay, ScriptedEnvs(2, end_rate=0.1), steps)
    everything = replay.learnable.all().tolist()
    # too few: the whole replay, again and again, ending at the newest
    assert replay.learnable.newest(count).tolist() == (everything * count)[-count:]


@settings(max_examples=40, deadline=None)
@given(steps=st.integers(3, 80), capacity=st.integers(1, 60), among=st.integers(1, 60))
def test_a_draw_among_the_newest_leaves_out_the_older(steps, capacity, among):
    replay = make_replay(capacity)
    play(replay, ScriptedEnvs(2, end_rate=0.1), steps)
    drawn = replay.learnable.random(600, np.random.default_rng(0), among=among)
    assert set(drawn) == set(replay.learnable.all()[-among:])


def test_nothing_can_be_drawn_from_nothing():
    for draw in (lambda: make_replay().learnable.newest(1), lambda: make_replay().sample(1, np.random.default_rng(0))):
        with pytest.raises(ValueError, match="no transition yet"):
            draw()


def test_truncation_at_the_write_head_bootstraps_from_the_true_last_frame():
    """time   0 1 2 | 3: the game is cut after the answer to 1; frame 2 is its last, 3 opens the next."""
    replay = make_replay(num_envs=1, frame_stack=1)

    def frame(number):
        return np.full((1, 2, 2), number, np.uint8)

    replay.start(make_step(frame(10), started=[True]))
    replay.add(np.array([0]), make_step(frame(11)))
    replay.add(np.array([1]), make_step(frame(12), reward=[5.0], truncated=[True]))
    batch = transitions_at(replay, replay.learnable.all())
    assert batch.next_obs[1].unique().tolist() == [12]
    assert not batch.terminated[1]
    replay.add(np.array([2]), make_step(frame(13), started=[True]))
    batch = transitions_at(replay, replay.learnable.all())
    assert len(replay) == 2  # the answer to the last frame was ignored: no third transition
    assert batch.next_obs[1].unique().tolist() == [12]


def test_n_step_across_a_truncation_uses_fewer_steps():
    replay = make_replay(num_envs=1, frame_stack=1, n_step=3)
    replay.start(make_step(np.full((1, 2, 2), 1, np.uint8), started=[True]))
    script = [  # reward, terminated, truncated, started
        (1.0, False, False, False),
        (2.0, False, True, False),
        (0.0, False, False, True),
        (4.0, False, False, False),
        (8.0, True, False, False),
    ]
    for number, (reward, terminated, truncated, started) in enumerate(script, start=2):
        replay.add(
            np.array([0]),
            make_step(
                np.full((1, 2, 2), number, np.uint8),
                reward=[reward],
                terminated=[terminated],
                truncated=[truncated],
                started=[started],
            ),
        )
    batch = transitions_at(replay, replay.learnable.all())
    # frames 1 2 3 | 4 5 6: from 1 two rewards to frame 3, from 2 one reward to frame 3; frame 3 answers nothing
    assert batch.reward.tolist() == [[1.0, 2.0, 0.0], [2.0, 0.0, 0.0]]
    assert batch.num_steps.tolist() == [2, 1]
    assert batch.terminated.tolist() == [False, False]
    assert [obs.unique().tolist() for obs in batch.next_obs] == [[3], [3]]


def test_a_lost_life_cuts_the_sum_but_not_the_stack():
    replay = make_replay(num_envs=1, frame_stack=2)
    replay.start(make_step(np.full((1, 2, 2), 1, np.uint8), started=[True]))
    replay.add(np.array([0]), make_step(np.full((1, 2, 2), 2, np.uint8), terminated=[True]))
    replay.add(np.array([0]), make_step(np.full((1, 2, 2), 3, np.uint8)))
    batch = transitions_at(replay, replay.learnable.all())
    assert batch.terminated.tolist() == [True, False]
    assert batch.obs[1, :, 0, 0].tolist() == [1, 2]


def test_sampling_is_uniform_over_the_learnable_rows():
    replay = make_replay(capacity=40, num_envs=2)
    play(replay, ScriptedEnvs(2, end_rate=0.3), 90)
    rows, draws = replay.learnable.all(), 60_000
    generator, counts = np.random.default_rng(0), np.zeros(replay.ring.num_rows)
    (lines,) = replay.index_batch(replay.learnable.random(draws, generator))
    np.add.at(counts, lines[:, replay.frame_stack - 1].numpy(), 1)  # the newest plane of obs lies at the row itself
    assert counts.sum() == draws
    assert set(np.flatnonzero(counts)) == set(rows)
    expected = draws / len(rows)
    assert ((counts[rows] - expected) ** 2 / expected).sum() < len(rows) + 6 * (2 * len(rows)) ** 0.5  # chi square


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_sampling_ends_on_a_nearly_empty_and_on_a_just_wrapped_ring(steps):
    replay = make_replay(capacity=38, num_envs=2)
    play(replay, ScriptedEnvs(2, end_rate=0.0), steps)
    assert replay.sample(32, np.random.default_rng(0)).obs.shape == (32, 4, 2, 2)


def test_an_empty_replay_says_so():
    with pytest.raises(ValueError, match="no transition yet"):
        make_replay().sample(1, np.random.default_rng(0))


def test_rewards_stay_raw():
    replay = make_replay(num_envs=1)
    replay.start(make_step(np.ones((1, 2, 2), np.uint8), started=[True]))
    replay.add(np.array([0]), make_step(np.ones((1, 2, 2), np.uint8), reward=[400.0]))
    assert replay.sample(1, np.random.default_rng(0)).reward.tolist() == [[400.0]]


def test_a_million_transitions_fit_in_7_2_gigabytes():
    for num_envs in (1, 16, 64, 256):
        size = ReplayLayout(
            capacity=1_000_000,
            num_envs=num_envs,
            frame_shape=(84, 84),
            frame_dtype="uint8",
            frame_stack=4,
        )
        assert size.frame_bytes + size.host_bytes <= 7.2e9


def test_the_layout_is_what_is_allocated():
    size = ReplayLayout(capacity=100, num_envs=3, frame_shape=(4, 4), frame_dtype="uint8", frame_stack=4, n_step=2)
    replay = make_replay(100, 3, n_step=2, frame_shape=(4, 4))
    host = (replay.action, replay.reward, replay.terminated, replay.age, replay.learnable.ring)
    assert replay.ring.frames.pixels.numel() == size.frame_bytes
    assert sum(array.nbytes for array in host) <= size.host_bytes


def test_state_round_trip_goes_on_the_same():
    envs = ScriptedEnvs(2)
    replay, other = make_replay(capacity=30), make_replay(capacity=30)
    play(replay, envs, 50)
    other.load_state_dict(_copy(replay.state_dict()))
    for _ in range(25):
        step = envs.recv()
        for each in (replay, other):
            each.add(np.array([0, 1]), step)
    for one, two in zip(
        replay.sample(64, np.random.default_rng(1)),
        other.sample(64, np.random.default_rng(1)),
        strict=True,
    ):
        assert torch.equal(one, two)


def _copy(value):
    if isinstance(value, dict):
        return {name: _copy(inner) for name, inner in value.items()}
    return value.clone() if isinstance(value, torch.Tensor) else np.copy(value)


def test_a_stored_replay_of_another_size_is_refused():
    replay = make_replay(capacity=30)
    with pytest.raises(UsageError, match="use the same config"):
        replay.load_state_dict(make_replay(capacity=40).state_dict())


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("times", [1, 2, 49, 50])
def test_newest_frames_let_acting_go_on_with_an_empty_replay(times, groups):
    envs = ScriptedEnvs(4, end_rate=0.3)
    replay, fresh = (make_replay(capacity=30, num_envs=4, groups=groups) for _ in range(2))
    play(replay, envs, times)
    continue_from(fresh, newest_frames(replay))
    assert len(fresh) == 0
    for back in range(groups):
        assert torch.equal(fresh.latest_obs(back), replay.latest_obs(back))
    for time in range(10 * groups):
        if time % groups == 0:
            step = envs.recv()
        group = np.split(np.arange(4), groups)[time % groups]
        for each in (replay, fresh):
            each.add(group % 3, Step(*(array[group] for array in step)))
    one, two = (transitions_at(each, each.learnable.all()[-len(fresh) :]) for each in (replay, fresh))
    assert len(fresh) > 0
    for left, right in zip(one, two, strict=True):
        assert torch.equal(left, right)
