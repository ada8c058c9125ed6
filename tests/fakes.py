"""Environments and play made up for tests: small, scripted, and quick."""

from __future__ import annotations

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.agent import make_agent
from atari_dqn.dqn.ports import Histogram, NullLogger, numbers_of
from atari_dqn.dqn.trainer import Trainer
from atari_dqn.envs import make_envs
from atari_dqn.envs.in_turns import EnvsInTurns
from atari_dqn.evaluation.play import result_of
from atari_dqn.evaluation.protocols import monitor
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.folder import RunFolder
from atari_dqn.runs.train import replay_layout
from atari_dqn.storage import checkpoint
from atari_dqn.storage.frame_segments import FrameSegments
from atari_dqn.storage.saver import Saver
from atari_dqn.storage.steps import step_directory
from atari_dqn.types import EnvSpec, Step


def make_step(frame, *, reward=None, terminated=None, truncated=None, started=None):
    """A Step whose flags default to 'nothing happened'."""
    num_envs = len(frame)

    def flags(values):
        return np.zeros(num_envs, bool) if values is None else np.asarray(values, bool)

    reward = np.zeros(num_envs, np.float32) if reward is None else np.asarray(reward, np.float32)
    terminated, truncated, started = flags(terminated), flags(truncated), flags(started)
    return Step(frame, reward, terminated, truncated, started, finished=terminated | truncated)


class ScriptedEnvs:
    """N games with random ends, by the rules of types.Step. Frame = counter of frames ever shown, so each is unique.

    Args:
      num_envs:  N.
      seed:      of the script.
      end_rate:  chance per step that a game ends (half by terminating, half by truncation).
      life_rate: chance per step of a lost life: terminated, but the game goes on.
    """

    def __init__(self, num_envs=2, *, seed=0, end_rate=0.2, life_rate=0.1, frame_shape=(2, 2), num_actions=3):
        self.num_envs = num_envs
        self.spec = EnvSpec("scripted", frame_shape, "uint8", tuple("abcdefgh"[:num_actions]), 4)
        self.rng = np.random.default_rng(seed)
        self.end_rate, self.life_rate = end_rate, life_rate
        self.ended = np.zeros(num_envs, bool)
        self.count = 0
        self.sent = None

    def _frames(self):
        self.count += 1
        numbers = (self.count * self.num_envs + np.arange(self.num_envs)) % 251 + 1  # never 0, which is blank
        return np.broadcast_to(
            numbers.reshape(-1, *[1] * len(self.spec.frame_shape)),
            (self.num_envs, *self.spec.frame_shape),
        ).astype(np.uint8)

    def reset(self, seeds):
        self.ended[:] = False
        return make_step(self._frames(), started=np.ones(self.num_envs, bool))

    def send(self, action):
        self.sent = np.array(action)

    def recv(self):
        started = self.ended.copy()
        luck = self.rng.random(self.num_envs)
        over = (luck < self.end_rate) & ~started
        life = (luck > 1 - self.life_rate) & ~started
        by_time = over & (self.rng.random(self.num_envs) < 0.5)
        reward = np.where(started, 0, self.rng.integers(-2, 3, self.num_envs)).astype(np.float32)
        self.ended = over
        return Step(self._frames(), reward, (over & ~by_time) | life, by_time, started, over)

    def seed_next_episode(self, index, seed):
        pass

    def state_dict(self):
        return {
            "rng": self.rng.bit_generator.state,
            "ended": self.ended.copy(),
            "count": self.count,
        }

    def load_state_dict(self, state):
        self.rng.bit_generator.state = state["rng"]
        self.ended, self.count = np.array(state["ended"]), state["count"]

    def close(self):
        pass


class Recorder(NullLogger):
    """Keeps what it is told.

    Attributes:
      points:     (agent step, numbers) of each point of the log.
      episodes:   (agent step, return) of each episode of training.
      histograms: newest values by tag.
      rows:       (result, best) of each evaluation.
    """

    def __init__(self):
        self.points, self.episodes, self.histograms, self.rows = [], [], {}, []

    def log(self, step, values):
        self.histograms |= {tag: value.values for tag, value in values.items() if isinstance(value, Histogram)}
        if "episode/return" in values:
            self.episodes.append((step, values["episode/return"]))
        elif numbers := numbers_of(values):
            self.points.append((step, numbers))

    def evaluation(self, result, best):
        self.rows.append((result, best))


class ScriptedEvaluator:
    """Evaluations that are made up.

    Args:
      config: of the run.
      play:   the games at an agent step; None to give up.
    """

    def __init__(self, config, play):
        self.config, self.play, self.shown = config, play, []

    def evaluate(self, step, should_stop):
        games = self.play(step)
        return result_of(self.config, monitor(self.config), games, step=step) if games else None

    def show(self, tag, logger, step):
        self.shown.append((tag, step))


def tiny_config(**settings):
    """A run of seconds: small vectors, an MLP, everything else as in Atari runs."""
    defaults = {
        "game": "scripted",
        "num_envs": 4,
        "frame_stack": 4,
        "total_steps": 400,
        "learning_starts": 60,
        "capacity": 200,
        "batch_size": 8,
        "target_update_period": 50,
        "epsilon_decay_steps": 200,
        "network": "mlp",
        "hidden_sizes": (16,),
        "eval_period": 0,
        "log_period": 100,
        "checkpoint_period": 0,
        "device": "cpu",
    }
    return Config().replace(**defaults).replace(**settings)


def make_trainer(config, envs=None, agent=None, *, logger=None, checkpoints=None, evaluator=None):
    """A Trainer on scripted environments, or on what is given."""
    if envs is None:
        size, seed = config.envs_at_once, config.seed
        envs = EnvsInTurns([ScriptedEnvs(size, seed=seed + k, frame_shape=(3,)) for k in range(config.env.env_groups)])
    replay = FrameReplay(replay_layout(config, envs.spec))
    return Trainer(
        config,
        envs=envs,
        agent=agent or make_agent(config, envs.spec),
        replay=replay,
        logger=logger or NullLogger(),
        saver=Saver(checkpoints, replay.ring, FrameSegments(checkpoints / "frames")) if checkpoints else None,
        evaluator=evaluator,
    )


def make_run(path, config):
    """A run folder with a network that has not learned."""
    folder = RunFolder.create(path, config, ["atari-dqn", "train", config.game])
    envs = make_envs(config.replace(num_envs=1))
    state = {"agent": make_agent(config, envs.spec).state_dict(), "counters": {"best_step": -1}}
    envs.close()
    meta = {"game": config.game, "preset": config.preset, "step": 700}
    checkpoint.save(step_directory(folder.checkpoints, 700), state, meta)
    return path
