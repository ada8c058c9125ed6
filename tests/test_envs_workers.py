"""Worker processes: the native environment's games, the same whatever the split, states that continue, deaths told."""

import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from atari_dqn.envs import board, make_envs, pool
from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.emulator import EmulatorSettings, Game, make_emulator, make_openings
from atari_dqn.envs.frame_maker import FrameMaker
from atari_dqn.envs.native import NativeEnvs
from atari_dqn.envs.palette import luminance_table
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import monitor
from atari_dqn.presets import nature
from atari_dqn.replay.screens import Shrinker
from atari_dqn.types import Screens
from tests.played import assert_resumed_as_undisturbed, assert_same, play

CONFIG = nature("breakout").replace(backend="workers", num_envs=4, env_threads=2, max_episode_steps=45)


def make(game="breakout", **settings):
    return make_envs(CONFIG.replace(game=game, **settings))


def act(envs, actions):
    envs.send(actions)
    return envs.recv()


# --- the games


def settings_of(game, **changes):
    settings = EmulatorSettings(
        game=game,
        actions=tuple(int(action.value) for action in make_emulator(game).getMinimalActionSet()),
        frame_skip=4,
        noop_max=0,
        sticky_probability=0.0,
        life_loss=True,
        max_episode_steps=10_000,
        colours=False,
    )
    return dataclasses.replace(settings, **changes)


def open_game(settings, openings):
    game, screens = Game(settings, make_emulator(settings.game), openings), np.empty((2, 210, 160), np.uint8)
    game.next_seed = 0
    game.open(screens)
    return game, screens


# one with variants of its start, one that hides sprites in every second frame, one whose lives go
@pytest.mark.parametrize("colours", [True, False])
@pytest.mark.parametrize("game", ["seaquest", "space_invaders", "breakout"])
def test_the_course_of_a_game_is_that_of_the_native_environment(game, colours):
    """From the same opening: the first reset of an emulator with the same seed, after as many no-ops."""
    native = NativeEnvs(AtariRules(game), 1, num_threads=1)
    frame = native.reset(np.array([7])).frame[0]
    noops = int(native.clock[0])
    openings = make_openings(make_emulator(game, seed=7), noops, colours=colours, variants=1)
    mine, screens = open_game(settings_of(game, colours=colours), openings[noops:])
    maker, made = FrameMaker(1, 210, 160, colours=colours), np.empty((1, 84, 84), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(600):
        maker.screens[:] = screens
        maker.finish(made)
        assert (made[0] == frame).all()
        action = rng.integers(native.spec.num_actions, size=1)
        outcome, step = mine.play(int(action[0]), screens), act(native, action)
        assert outcome == tuple(field[0] for field in step[1:])
        if outcome.finished:
            break  # the native environment shows the frame before the last one there
        frame = step.frame[0]
    native.close()


@pytest.mark.parametrize("game", ["qbert", "amidar"])
def test_what_an_emulator_has_played_before_leaves_no_trace(game):
    """The first screen of a restored state shows old lines, and a new emulator would lose the first frame of Q*bert."""
    openings = make_openings(make_emulator(game), 2, colours=True)
    settings = settings_of(game, colours=True)
    fresh, screens = open_game(settings, openings)
    used, seen = open_game(settings, openings)
    for seed in range(6):
        for _ in range(seed * 7):
            used.play(seed % 5, seen)
        for each, out in ((fresh, screens), (used, seen)):
            each.next_seed = seed
            each.open(out)
        assert (screens == seen).all()
        for number in range(8):
            assert fresh.play(number % 5, screens) == used.play(number % 5, seen)
            assert (screens == seen).all()
            assert (fresh.emulator.getRAM() == used.emulator.getRAM()).all()


def test_at_the_end_of_a_game_its_true_last_screen_is_shown():
    openings = make_openings(make_emulator("breakout"), 0, colours=False)
    game, screens = open_game(settings_of("breakout"), openings)
    rng, lost = np.random.default_rng(0), 0
    while not (outcome := game.play(int(rng.integers(4)), screens)).finished:
        lost += outcome.terminated
    assert outcome.terminated and lost == 4  # five lives
    assert (screens[1] == game.emulator.getScreenGrayscale()).all()
    after = screens.copy()
    assert game.play(1, screens).started and (screens != after).any()


def test_the_frames_of_many_games_are_made_anew_only_where_screens_changed():
    """Random changes in random games, against the resize of whole screens; also of heights without bands."""
    rng = np.random.default_rng(0)
    for height in (210, 214, 250):
        maker, made = FrameMaker(3, height, 160, colours=True), np.empty((3, 84, 84), np.uint8)
        shrink = Shrinker(Screens(height, 160, tuple(luminance_table().tolist())), (84, 84), "cpu")
        screens = (2 * rng.integers(128, size=(3, 2, height, 160))).astype(np.uint8)
        for number in range(40):
            line, game, which = rng.integers(height - 8), rng.integers(3), rng.integers(2)
            if number % 5:  # in every fifth step nothing changes
                screens[game, which, line : line + rng.integers(8), 5:9] = 2 * rng.integers(128)
            maker.screens[:] = screens
            maker.finish(made)
            assert (made == shrink(torch.from_numpy(screens)).numpy()).all()


@pytest.mark.parametrize("frame_skip", [3, 5])
def test_other_frame_skips_show_the_last_two_frames_of_each_step(frame_skip):
    openings = make_openings(make_emulator("pong"), 0, colours=False)
    game, screens = open_game(settings_of("pong", frame_skip=frame_skip), openings)
    plain = make_emulator("pong")
    plain.reset_game()
    for _ in range(30):
        seen = []
        for _ in range(frame_skip):
            plain.act(game.settings.actions[2])
            seen.append(plain.getScreenGrayscale())
        game.play(2, screens)
        assert (screens == np.stack(seen[-2:])).all()


def test_frames_repeat_the_action_before_as_often_as_asked_and_by_the_games_own_stream():
    """With sticky actions: the chance per frame, the same course for the same seed, another for another."""

    class Tape:
        """An emulator that notes what is done to it."""

        def __init__(self):
            self.acts = []

        def reset_game(self):
            pass

        def act(self, action):
            self.acts.append(action)
            return 0

        def game_over(self):
            return False

        def lives(self):
            return 0

        def restoreState(self, state):  # noqa: N802
            pass

        def getScreenGrayscale(self, out):  # noqa: N802
            pass

    def acts(seed):
        tape = Tape()
        opening = make_openings(make_emulator("pong"), 0, colours=False, variants=1)
        game = Game(settings_of("pong", sticky_probability=0.25, actions=(3, 4)), tape, opening)
        game.next_seed = seed
        picture = np.empty((2, 210, 160), np.uint8)
        game.open(picture)
        for number in range(1_000):
            game.play(number % 2, picture)
        return tape.acts[1:]  # the first makes a new emulator ready

    first = acts(1)
    assert first == acts(1) != acts(2)
    assert len(first) == 4_000
    late = np.mean([first[4 * number] != 3 + number % 2 for number in range(1, 1_000)])
    assert late == pytest.approx(0.25, abs=0.06)  # four standard deviations
    # an action that is not taken at the first frame is taken at the second, third or fourth, with a chance of 0.75 each
    never = np.mean([3 + number % 2 not in first[4 * number : 4 * number + 4] for number in range(1_000)])
    assert never == pytest.approx(0.25**4, abs=0.01)


def test_an_agent_step_that_would_show_a_stale_screen_is_refused():
    with pytest.raises(UsageError, match=r"frame_skip is 2, and backend 'workers' needs 3 or more"):
        make(frame_skip=2)


# --- openings


def test_openings_are_those_of_fresh_resets():
    """A start of seaquest depends on a timer byte: in each byte of memory ours lie among those of fresh resets."""
    emulator = make_emulator("seaquest", seed=5)
    fresh = []
    for _ in range(200):
        emulator.reset_game()
        fresh.append(emulator.getRAM())
    openings = make_openings(make_emulator("seaquest"), 0, colours=False)
    ours = []
    for opening in openings:
        emulator.restoreState(opening.state)
        ours.append(emulator.getRAM())
    fresh, ours = np.array(fresh), np.array(ours)
    assert len({tuple(memory) for memory in ours}) > 1  # variants, not one start eight times
    assert all(set(ours[:, byte]) <= set(fresh[:, byte]) for byte in range(128))


def test_openings_are_drawn_evenly_and_after_every_number_of_noops():
    """248 kinds of a start; that 2,000 games miss one has a chance of 248 * exp(-8) = 8 %, more than 4 one of 1e-8."""
    openings = make_openings(make_emulator("pong"), 30, colours=False)
    assert len(openings) == 8 * 31
    emulator = make_emulator("pong")
    game = Game(settings_of("pong", noop_max=30), emulator, openings)
    drawn, screens = [], np.empty((2, 210, 160), np.uint8)
    emulator_restore = {id(opening.state): number for number, opening in enumerate(openings)}

    class Watched:
        def restoreState(self, state):  # noqa: N802
            drawn.append(emulator_restore[id(state)])

        def lives(self):
            return 0

    game.emulator = Watched()
    game.next_seed = 3
    for _ in range(2_000):
        game.open(screens)
    assert len(set(drawn)) >= 244
    noops = np.bincount(np.array(drawn) % 31, minlength=31)
    assert (np.abs(noops - 2_000 / 31) < 4.5 * np.sqrt(2_000 / 31)).all()
    variants = np.bincount(np.array(drawn) // 31, minlength=8)
    assert (np.abs(variants - 250) < 4.5 * np.sqrt(250)).all()


# --- the split


def test_any_split_over_processes_plays_the_same_games():
    splits = [make("seaquest", sticky_probability=0.25, env_threads=threads) for threads in (2, 1, 3, 9)]
    first, *others = (envs.reset(np.arange(4)) for envs in splits)
    for other in others:
        assert_same(first, other)
    for first, *others in zip(*(play(envs, 120) for envs in splits), strict=True):
        for other in others:
            assert_same(first, other)
    for envs in splits:
        envs.close()


@pytest.mark.parametrize("many_cores", [1, 10_000])
def test_groups_in_turns_play_the_games_of_environments_apart(many_cores, monkeypatch):
    """Whether who waits looks on or sleeps at once."""
    monkeypatch.setattr(pool, "MANY_CORES", many_cores)
    together, apart = make(env_groups=2), [make(num_envs=2, env_threads=1) for _ in range(2)]
    together.reset(np.arange(4))
    for index, envs in enumerate(apart):
        envs.reset(np.arange(2) + 2 * index)
    rng = np.random.default_rng(0)
    actions = rng.integers(4, size=(101, 2))
    together.send(actions[0])
    for number in range(1, 101):
        together.send(actions[number])
        assert_same(together.recv(), act(apart[(number - 1) % 2], actions[number - 1]))
    for envs in (together, *apart):
        envs.close()


def test_the_games_are_dealt_out_evenly_in_each_group_and_in_all():
    layout = board.BoardLayout(12, 3, 5, (84, 84), 1, 10_000)
    shared = board.Board(layout)
    shares = [[list(shared.games_of(worker, group)) for group in range(3)] for worker in range(5)]
    assert sorted(sum((sum(share, []) for share in shares), [])) == list(range(12))
    assert {len(sum(share, [])) for share in shares} == {2, 3}
    assert all(4 * group <= env < 4 * group + 4 for share in shares for group in range(3) for env in share[group])


# --- screens


@pytest.mark.parametrize("game", ["breakout", "pooyan", "adventure"])
def test_screens_shrunk_beside_the_replay_are_the_frames_of_the_workers(game):
    """210, 220 and 250 lines; the last with European colours, which are handed out as luminance."""
    frames, screens = make(game, num_envs=2), make(game, num_envs=2, resize="replay")
    assert frames.spec == dataclasses.replace(screens.spec, screens=None)
    shrink = Shrinker(screens.spec.screens, (84, 84), "cpu")
    mine, theirs = [frames.reset(np.arange(2)), *play(frames, 60)], []
    for step in itertools.chain([screens.reset(np.arange(2))], play(screens, 60)):
        assert step.frame.shape[:2] == (2, 2)
        theirs.append(step._replace(frame=shrink(torch.from_numpy(step.frame)).numpy()))
    for one, two in zip(mine, theirs, strict=True):
        assert_same(one, two)
    frames.close()
    screens.close()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_reads_screens_where_they_lie_and_makes_the_same_frames():
    frames, screens = make(env_groups=2), make(env_groups=2, resize="replay")
    shrink = Shrinker(screens.spec.screens, (84, 84), "cuda")
    mine, theirs = frames.reset(np.arange(4)), screens.reset(np.arange(4))
    assert (shrink(torch.from_numpy(theirs.frame)).cpu().numpy() == mine.frame).all()
    actions = np.random.default_rng(0).integers(screens.spec.num_actions, size=(400, 2))
    for number in range(400):
        for envs in (frames, screens):
            envs.send(actions[number])
        if number:
            one, two = frames.recv(), screens.recv()
            assert torch.from_numpy(two.frame).is_pinned()
            assert (shrink(torch.from_numpy(two.frame)).cpu().numpy() == one.frame).all()
            assert all((left == right).all() for left, right in zip(one[1:], two[1:], strict=True))
    frames.close()
    screens.close()


def test_screens_stay_as_they_are_while_the_next_step_is_played_and_a_state_taken():
    envs = make(resize="replay")
    envs.reset(np.arange(4))
    (step,) = play(envs, 1)
    kept = step.frame.copy()
    envs.state_dict()
    act(envs, np.zeros(4, np.int64))
    assert (step.frame == kept).all()
    act(envs, np.zeros(4, np.int64))
    assert (step.frame != kept).any()  # there are two buffers
    envs.close()


# --- states


def test_a_resumed_run_is_an_uninterrupted_one(tmp_path):
    """On another number of processes; sticky actions, limits, lives, own seeds."""
    envs, other = make(sticky_probability=0.25), make(sticky_probability=0.25, env_threads=3)
    assert_resumed_as_undisturbed(envs, other, tmp_path, 100)
    envs.close()
    other.close()


def test_a_state_that_does_not_fit_is_refused():
    envs, fewer = make(num_envs=2), make(num_envs=1)
    envs.reset(np.arange(2))
    state = envs.state_dict()
    with pytest.raises(UsageError, match="of 2 games, .* has 1"):
        fewer.load_state_dict(state)
    with pytest.raises(UsageError, match=r"ale-py 0\.1"):
        envs.load_state_dict(state | {"ale_py": "0.1"})
    envs.close()
    fewer.close()


# --- processes


def test_a_dead_worker_ends_the_run_in_one_message():
    envs = make()
    envs.reset(np.arange(4))
    os.kill(envs.pool.workers[1].pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"worker 1 of 2, which plays breakout, has died \(signal 9\).*--resume"):
        for _ in play(envs, 3):
            pass
    assert time.monotonic() - began < 10
    envs.close()


def test_what_a_worker_dies_of_is_in_the_message():
    envs = make(num_envs=1)
    envs.reset(np.arange(1))
    envs.pool.board.saved[0, :5] = list(b"{}\n??")
    envs.pool.board.saved_length[0] = 5
    envs.pool.order(0, board.LOAD)
    with pytest.raises(UsageError, match="has died .*Error"):
        envs.pool.wait(0)
    envs.close()


def test_a_worker_that_hangs_is_told_of(monkeypatch):
    envs = make()
    envs.reset(np.arange(4))
    monkeypatch.setattr(pool, "HANG_LOOKS", 3)
    monkeypatch.setattr(pool, "END_SECONDS", 0.1)
    os.kill(envs.pool.workers[0].pid, signal.SIGSTOP)
    with pytest.raises(UsageError, match="has not answered"):
        for _ in play(envs, 2):
            pass
    envs.close()


def test_interruptions_do_not_reach_the_workers():
    envs = make()
    envs.reset(np.arange(4))
    for worker in envs.pool.workers:
        assert os.getpgid(worker.pid) != os.getpgid(0)
        os.kill(worker.pid, signal.SIGINT)
        os.kill(worker.pid, signal.SIGTERM)
    time.sleep(0.2)
    assert len(list(play(envs, 5))) == 5
    envs.close()


PARENT = """
import dataclasses, os, signal, sys
import numpy as np
from atari_dqn.envs import make_envs
from atari_dqn.presets import nature
envs = make_envs(nature("pong").replace(backend="workers", num_envs=2, env_threads=2))
envs.reset(np.arange(2))
print(*(worker.pid for worker in envs.pool.workers), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_their_run_however_it_ends():
    """Also from a script without `if __name__ == "__main__"`, which they do not import."""
    run = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=120)
    assert run.returncode == -signal.SIGKILL
    pids = [int(word) for word in run.stdout.split()]
    assert len(pids) == 2
    end = time.monotonic() + 20
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < end, "workers outlive their run"
        time.sleep(0.05)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_do_without_torch():
    """It takes seconds and 300 MB a process."""
    loaded = "import sys, atari_dqn.envs.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded]).returncode == 0


def test_evaluations_open_every_game_with_a_reset_of_its_own():
    assert monitor(CONFIG).env_config(CONFIG, 2).env.backend == "native"
