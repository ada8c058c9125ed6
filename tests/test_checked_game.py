"""Games that break gymnasium's contract: each ends in one message that names the game, the step and the value."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control import CartPoleEnv
from gymnasium.spaces import Box, Discrete

from atari_dqn.cli import main
from atari_dqn.envs import make_envs
from atari_dqn.errors import UsageError
from atari_dqn.presets import cartpole
from atari_dqn.runs.monitor import Monitor
from atari_dqn.storage.steps import list_steps
from benchmarks.compare_runs import differences

GOOD = {
    "observation": np.zeros(3, np.float32),
    "reward": 1.0,
    "terminated": False,
    "truncated": False,
    "info": {},
}


class Sly:
    """Fails when it is asked for anything."""

    def __array__(self, *words, **named):
        raise RuntimeError("no array")

    def __repr__(self):
        raise RuntimeError("no words")

    def __eq__(self, other):
        raise RuntimeError("like nothing else")

    __hash__ = None


class Made(gymnasium.Env):
    """A game of three numbers whose step 7 gives what the test asks for."""

    observation_space = Box(-1, 1, (3,), np.float32)
    action_space = Discrete(2)

    def __init__(self, render_mode=None, **seventh):
        self.seventh = seventh

    def reset(self, *, seed=None, options=None):
        self.length = 0
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.length += 1
        assert self.action_space.contains(action)
        return tuple((GOOD | (self.seventh if self.length == 7 else {})).values())


def registered(entry_point, **settings):
    """The name of a game that is made so; `gymnasium.make` wraps it as it does every game."""
    gymnasium.registry.pop("Made-v0", None)
    gymnasium.register("Made-v0", entry_point, max_episode_steps=10, **settings)
    return "gym:Made-v0"


@pytest.fixture(autouse=True)
def forget_the_game():
    yield
    gymnasium.registry.pop("Made-v0", None)


def play(game, steps=9):
    """The last of so many steps of two such games."""
    envs = make_envs(cartpole_with(game))
    envs.reset(np.array([1, 2]))
    for _ in range(steps):
        envs.send(np.array([0, 1]))
        step = envs.recv()
    envs.close()
    return step


def cartpole_with(game):
    return cartpole(game).replace(num_envs=2)


BAD_VALUES = [
    ("reward", float("nan"), "reward nan"),
    ("reward", float("inf"), "reward inf"),
    ("reward", 1e300, "reward 1e+300"),
    ("reward", None, "reward None"),
    ("reward", np.array([1.0]), "reward array([1.])"),
    ("reward", "1", "reward '1'"),
    ("reward", [[1.0], [1.0, 2.0]], "reward [[1.0], [1.0, 2.0]]"),
    ("reward", Sly(), "reward Sly (which cannot be shown)"),
    ("reward", np.ma.masked, "reward masked"),
    ("observation", np.array([np.nan, 0, 0], np.float32), "observation array([nan,"),
    ("observation", np.array([0, 0, 1e300]), "observation array([0.e+000"),
    ("observation", np.zeros(1, np.float32), "observation array([0.]"),
    ("observation", np.zeros(2, np.float32), "observation array([0., 0.]"),
    ("observation", 0.5, "observation 0.5"),
    ("observation", None, "observation None"),
    ("observation", {"position": 1}, "observation {'position': 1}"),
    ("observation", [[1.0], [1.0, 2.0], 3.0], "observation [[1.0], [1.0, 2.0], 3.0]"),
    ("observation", Sly(), "observation Sly (which cannot be shown)"),
    ("observation", np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), "observation masked_array(data=[1.0, --, 3.0]"),
    ("terminated", [[1.0], [1.0, 2.0]], "terminated as [[1.0], [1.0, 2.0]]"),
    ("terminated", Sly(), "terminated as Sly (which cannot be shown)"),
    ("terminated", float("nan"), "terminated as nan"),
    ("terminated", None, "terminated as None"),
    ("truncated", "no", "truncated as 'no'"),
    ("info", None, "info None"),
    ("info", {"life_lost": np.array([1, 2])}, 'info["life_lost"] as array([1, 2])'),
    ("info", {"life_lost": "no"}, "info[\"life_lost\"] as 'no'"),
]


@pytest.mark.parametrize(("name", "value", "told"), BAD_VALUES, ids=[told for _, _, told in BAD_VALUES])
def test_a_value_that_cannot_be_learned_from_is_named_with_game_and_step(name, value, told):
    game = registered(Made, kwargs={name: value})
    with pytest.raises(UsageError) as caught:
        play(game)
    message = str(caught.value)
    assert message.startswith("gym:Made-v0 broke its contract at step 7 of an episode, action 0: ")
    assert told in message


@pytest.mark.parametrize("value", [True, np.True_, 1, 1.0, np.array(True)], ids=repr)
def test_what_says_that_a_game_is_over_may_be_any_true_number(value):
    assert play(registered(Made, kwargs={"terminated": value}), steps=7).terminated.tolist() == [True, True]


@pytest.mark.parametrize("value", [np.float64(1), 1, True, np.array(1.0)], ids=str)
def test_a_reward_may_be_any_real_number(value):
    assert play(registered(Made, kwargs={"reward": value}), steps=7).reward.tolist() == [1.0, 1.0]


def test_a_list_is_an_observation():
    assert play(registered(Made, kwargs={"observation": [0.5, 1, 0]}), steps=7).frame[1].tolist() == [0.5, 1.0, 0.0]


class OldStep(Made):
    def step(self, action):
        return np.zeros(3, np.float32), 1.0, False, {}


class OldReset(Made):
    def reset(self, *, seed=None, options=None):
        return np.zeros(3, np.float32)


class NoSeed(Made):
    def reset(self):
        return np.zeros(3, np.float32), {}


class Opening(Made):
    def reset(self, *, seed=None, options=None):
        return np.full(3, np.nan), {}


class NoLevels(Made):
    def step(self, action):
        raise OSError(28, "No space left on device", "levels.txt")


class Wrong(Made):
    def step(self, action):
        raise ValueError("a mistake of the game")


class Quits(Made):
    def step(self, action):
        raise SystemExit(0)


class QuitsAtOnce(Made):
    def __init__(self, render_mode=None):
        raise SystemExit(0)


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class FailsSilently(Made):
    def step(self, action):
        raise Silent


class FailsAtLength(Made):
    def step(self, action):
        raise ValueError("x" * 100_000)


class HidesItsSpace(Made):
    @property
    def observation_space(self):
        raise RuntimeError("not yet known")


class NeedsSize(Made):
    def __init__(self, size, render_mode=None):
        pass


class NoLicence(Made):
    def __init__(self, render_mode=None):
        raise RuntimeError("no licence")


class NothingToSee(Made):
    observation_space = Box(-1, 1, (0,), np.float32)


class NoSpaces(Made):
    observation_space = None


API = "(observation, reward, terminated, truncated, info)"
BAD_GAMES = [
    (OldStep, API),
    (OldReset, API),
    (NoSeed, "in reset with seed 0: TypeError: NoSeed.reset() got an unexpected keyword argument 'seed'; gymnasium's"),
    (Opening, "in reset with seed 0: it gave the observation array([nan, nan, nan])"),
    (NoLevels, "at step 1 of an episode, action 0: OSError: [Errno 28] No space left on device: 'levels.txt'"),
    (Wrong, "at step 1 of an episode, action 0: ValueError: a mistake of the game (test_checked_game.py, line "),
    (Quits, "at step 1 of an episode, action 0: SystemExit: 0 (test_checked_game.py, line "),
    (QuitsAtOnce, "gymnasium cannot make gym:Made-v0: SystemExit: 0"),
    (FailsSilently, "Silent: Silent (which cannot be shown)"),
    (FailsAtLength, "xxx..."),
    (HidesItsSpace, "gymnasium cannot make gym:Made-v0: RuntimeError: not yet known"),
    ("nowhere:Game", "ModuleNotFoundError: No module named 'nowhere'\n"),
    (NeedsSize, "missing 1 required positional argument: 'size'"),
    (NoLicence, "RuntimeError: no licence"),
    (NothingToSee, "not empty"),
    (NoSpaces, "shows None"),
]


@pytest.mark.parametrize(("game", "told"), BAD_GAMES, ids=[getattr(game, "__name__", game) for game, _ in BAD_GAMES])
def test_a_game_that_cannot_be_played_leaves_no_run_folder(game, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = registered(game, disable_env_checker=True)
    assert main(["train", name, "--total-steps", "400", "--learning-starts", "100"]) == 2
    error = capsys.readouterr().err
    assert "gym:Made-v0" in error
    assert told in error
    assert "make room" not in error.lower()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_inside_the_game_is_not_taken_for_one_of_the_run(tmp_path, monkeypatch, capsys):
    class Late(Made):
        def step(self, action):
            if self.length == 6:
                raise OSError(28, "No space left on device", "levels.txt")
            return super().step(action)

    monkeypatch.chdir(tmp_path)
    assert main(["train", registered(Late), "--total-steps", "400", "--learning-starts", "100"]) == 2
    error = capsys.readouterr().err
    assert "gym:Made-v0 failed at step 7 of an episode, action" in error
    assert "cannot write" not in error


def test_actions_may_count_from_any_number():
    class FromOne(Made):
        action_space = Discrete(2, start=1)  # `Made.step` refuses others

    game = registered(FromOne)
    assert make_envs(cartpole_with(game)).spec.action_names == ("1", "2")
    assert play(game).reward.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("space", "others", "told"),
    [
        ("observation_space", [Box(-1, 1, (3,)), Box(-1, 1, (1,))], "frame_shape (1,) after (3,)"),
        ("action_space", [Discrete(3), Discrete(2)], "action_names ('0', '1') after ('0', '1', '2')"),
    ],
)
def test_a_game_that_is_another_each_time_is_refused(space, others, told):
    """A vector of one number would fill the places of three."""

    class Varies(Made):
        left = list(others)

        def __init__(self, render_mode=None):
            setattr(self, space, self.left.pop(0))

    with pytest.raises(UsageError) as caught:
        play(registered(Varies, disable_env_checker=True))
    assert told in str(caught.value)


def test_a_failing_close_costs_no_result():
    class Stuck(Made):
        def close(self):
            raise OSError("the window is gone")

    with pytest.warns(RuntimeWarning, match="gym:Made-v0 failed in close: OSError: the window is gone"):
        assert play(registered(Stuck)).reward.tolist() == [1.0, 1.0]


class Fragile(CartPoleEnv):
    """CartPole that once fails: in the n-th step or opening of all games of the process."""

    left = -1

    def step(self, action):
        self.count()
        return super().step(action)

    def reset(self, *, seed=None, options=None):
        self.count()
        return super().reset(seed=seed, options=options)

    def count(self):
        Fragile.left -= 1
        if Fragile.left == 0:
            raise ValueError("out of order")


FRAGILE = (
    "--total-steps 900 --learning-starts 100 --capacity 400 --eval-period 300 --eval-steps 40 --log-period 100 "
    "--checkpoint-period 250 --num-envs 3 --batch-size 16 --torch-threads 1 --device cpu"
).split()


def train_fragile(folder, *more):
    return main(["train", registered(Fragile), *FRAGILE, "--run-dir", str(folder), *more])


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet") / "run"
    assert train_fragile(folder) == 0
    return folder


@pytest.mark.parametrize("where", ["an evaluation", *range(560, 567)])
def test_a_game_that_breaks_costs_nothing_of_the_run(where, quiet, tmp_path, monkeypatch, capsys):
    """Any of three games, some of which have just opened; the run goes on bit for bit as one that never broke."""
    with monkeypatch.context() as patch:
        patch.setattr(Fragile, "left", where)
        if where == "an evaluation":
            play = Monitor.play
            patch.setattr(Fragile, "left", -1)
            patch.setattr(Monitor, "play", lambda *words: (patch.setattr(Fragile, "left", 30), play(*words))[1])
        assert train_fragile(tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "ValueError: out of order" in error
    newest = int(list_steps(tmp_path / "run/checkpoints")[-1].name.removeprefix("step_"))
    assert f"The run is saved at step {newest:,}: mend the game, then go on with --resume" in error
    assert newest == 300 if where == "an evaluation" else newest > 300 and newest % 250
    assert train_fragile(tmp_path / "run", "--resume") == 0
    assert differences(tmp_path / "run", quiet) == []
