"""Plays the episodes of a protocol for their score.

Episode i of an evaluation has a seed of its own, for the emulator and for the coin of the policy, so they do not
depend on how many are played side by side, and long episodes count as much as short ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from atari_dqn.config import Config
from atari_dqn.dqn.opening_actions import opening_actions
from atari_dqn.envs import make_envs
from atari_dqn.evaluation.protocols import EvalProtocol, Policy
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.published.scores import game_label, human_pair
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.layout import ReplayLayout
from atari_dqn.seeding import episode_seeds
from atari_dqn.types import EpisodeScore, Step, VecEnv

BATCH = 8  # observations in one call of a policy


class EvalStep(NamedTuple):
    """One vector step of an evaluation, for those who watch it. Where `step.started`, the action was ignored."""

    playing: np.ndarray  # [N] int64, number of the episode of each environment
    action: np.ndarray  # [N] int64, as played
    explored: np.ndarray  # [N] bool, a coin chose the action, not the policy
    step: Step  # what the action led to


def episode_seed(root: np.random.SeedSequence, number: int) -> int:
    """The emulator's seed of an episode, by its number in the evaluation with this root."""
    return int(episode_seeds(_of_episode(root, number, 0), 1)[0])


def _of_episode(root: np.random.SeedSequence, number: int, purpose: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, number, purpose))


def play(
    policy: Policy,
    config: Config,
    protocol: EvalProtocol,
    *,
    num_envs: int,
    seed: np.random.SeedSequence,
    batch: int = BATCH,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[EvalStep], None] = lambda moment: None,
) -> list[EpisodeScore] | None:
    """Play the episodes of a protocol, in environments made for it and closed after it.

    Args:
      policy:      chooses the greedy actions.
      config:      of the run: its game, its stacks of frames, its device.
      protocol:    what to play.
      num_envs:    environments side by side.
      seed:        root of the seeds of all episodes.
      batch:       observations in one call of the policy, see `greedy_actions`.
      should_stop: asked once a vector step; True gives the evaluation up.
      watch:       is shown every vector step.

    Returns:
      The episodes in the order of their index, or None if it was given up.
    """
    with closing(make_envs(protocol.env_config(config, num_envs))) as envs, weights_cast_once(config):
        episodes = EpisodeScheduler(protocol, seed, num_envs)
        openings = opening_actions(config, envs.spec, num_envs, training=False)
        stacks = _newest_stacks(config, envs)
        stacks.start(envs.reset(episodes.open_first()))
        while not episodes.complete():
            if should_stop():
                return None
            action = episodes.explore(greedy_actions(policy, stacks.latest_obs(), batch), envs.spec.num_actions)
            action = openings.impose(action)
            envs.send(action)
            step = envs.recv()
            openings.follow(step)
            stacks.add(action, step)
            watch(EvalStep(protocol.first_episode + episodes.playing, action, episodes.explored, step))
            for env, next_seed in episodes.update(step):
                envs.seed_next_episode(env, next_seed)
        return episodes.scores()


def _newest_stacks(config: Config, envs: VecEnv) -> FrameReplay:
    """A replay that holds no more than the newest observations."""
    layout = ReplayLayout(
        capacity=envs.num_envs,
        num_envs=envs.num_envs,
        frame_shape=envs.spec.frame_shape,
        frame_dtype=envs.spec.frame_dtype,
        frame_stack=config.env.frame_stack,
        repeat_first_frame=config.env.pad_stack == "first_frame",
    )
    return FrameReplay(layout, device=config.machine.device)


def result_of(
    config: Config, protocol: EvalProtocol, episodes: Sequence[EpisodeScore], **origin: Any
) -> EvaluationResult:
    """What came out of the episodes of a protocol.

    Args:
      config:   of the environments they were played in.
      protocol: of the episodes.
      episodes: at least one.
      origin:   who played: `policy`, `checkpoint`, `step`, ... of `EvaluationResult`.
    """
    returns = [episode.episode_return for episode in episodes]
    game = game_label(config.game, config.env.game_mode, config.env.difficulty)
    return EvaluationResult(
        game=game,
        protocol=protocol.name,
        human_pair=human_pair(game, protocol.max_episode_steps, config.frames_per_step),
        episodes=len(episodes),
        mean=float(np.mean(returns)),
        std=float(np.std(returns)),
        min=min(returns),
        max=max(returns),
        mean_length=float(np.mean([episode.episode_length for episode in episodes])),
        max_episode_steps=protocol.max_episode_steps,
        epsilon=protocol.epsilon,
        scores=tuple(returns),
        **origin,
    )


def weights_cast_once(config: Config) -> AbstractContextManager[Any]:
    """Meanwhile a CPU in bf16 casts each weight once: autocast keeps what it made of it. They must not change."""
    if config.machine.device == "cpu" and config.machine.precision == "bf16":
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def greedy_actions(policy: Policy, obs: Tensor, batch: int = BATCH) -> np.ndarray:
    """Actions for all episodes, asked for in batches of one size.

    How a network's sums are rounded depends on the size of the batch, and a nearly equal pair of Q-values on the
    rounding; an episode must not depend on how many others are played beside it.
    """
    actions = []
    for begin in range(0, len(obs), batch):
        part = obs[begin : begin + batch]
        missing = batch - len(part)
        full = torch.cat([part, part[-1:].expand(missing, *part.shape[1:])]) if missing else part
        actions.append(policy.predict(full)[: len(part)])
    return np.concatenate(actions)


class EpisodeScheduler:
    """Which environment plays which episode, and what came of it."""

    def __init__(self, protocol: EvalProtocol, seed: np.random.SeedSequence, num_envs: int) -> None:
        self.protocol, self.root = protocol, seed
        self.playing = np.arange(num_envs)  # index of each environment's episode; its number is first_episode higher
        self.coins = [self._coin(index) for index in range(num_envs)]
        self.opening = np.zeros(num_envs, bool)  # the next step only opens an episode
        self.episode_return: list[float] = [0.0] * num_envs  # by index, from here on
        self.episode_length = [0] * num_envs
        self.done = [False] * num_envs

    def _seed(self, index: int) -> int:
        return episode_seed(self.root, self.protocol.first_episode + index)

    def _coin(self, index: int) -> np.random.Generator:
        return np.random.default_rng(_of_episode(self.root, self.protocol.first_episode + index, 1))

    def open_first(self) -> np.ndarray:
        return np.array([self._seed(int(index)) for index in self.playing], np.int64)

    def explore(self, action: np.ndarray, num_actions: int) -> np.ndarray:
        """Replace greedy actions by random ones, each by the coin of its episode; `explored` says which."""
        self.explored = np.zeros(len(action), bool)
        if self.protocol.epsilon == 0.0:
            return action
        action = action.copy()
        for env, coin in enumerate(self.coins):
            if self.opening[env]:  # the action is ignored: an episode must not pay for it with a coin
                continue
            if coin.random() < self.protocol.epsilon:
                action[env], self.explored[env] = coin.integers(num_actions), True
        return action

    def update(self, step: Step) -> list[tuple[int, int]]:
        """Count a vector step; returns (environment, seed) of the episodes to be opened next."""
        opened = []
        self.opening = step.finished
        for env, episode in enumerate(self.playing):
            if step.started[env]:
                continue  # its frame only opens the episode
            self.episode_return[episode] += float(step.reward[env])
            self.episode_length[episode] += 1
            if step.finished[env]:
                self.done[episode] = True
                opened.append((env, self._open_next(env)))
        return opened

    def _open_next(self, env: int) -> int:
        index = len(self.done)
        self.playing[env], self.coins[env] = index, self._coin(index)
        self.episode_return.append(0.0)
        self.episode_length.append(0)
        self.done.append(False)
        return self._seed(index)

    def _fitting(self) -> tuple[int, bool]:
        """How many episodes count so far, and whether that is final."""
        if self.protocol.episodes is not None:
            count = next((i for i, done in enumerate(self.done) if not done), len(self.done))
            return min(count, self.protocol.episodes), count >= self.protocol.episodes
        assert self.protocol.steps is not None
        used = 0
        for index, (length, done) in enumerate(zip(self.episode_length, self.done, strict=True)):
            used += length
            if used > self.protocol.steps and index > 0:
                return index, True
            if not done:
                return index, False
        raise AssertionError("an environment is always playing an episode that is not done")

    def complete(self) -> bool:
        return self._fitting()[1]

    def scores(self) -> list[EpisodeScore]:
        count, _ = self._fitting()
        first = self.protocol.first_episode
        return [
            EpisodeScore(first + index, self._seed(index), self.episode_return[index], self.episode_length[index])
            for index in range(count)
        ]
