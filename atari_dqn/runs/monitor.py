"""The evaluations of a run while it trains."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.ports import Logger
from atari_dqn.evaluation.play import BATCH, EvalStep, play, result_of
from atari_dqn.evaluation.protocols import EvalProtocol, monitor
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.runs.evaluate import Show, unseen
from atari_dqn.seeding import stream
from atari_dqn.types import EpisodeScore
from atari_dqn.video.best_game import BestEpisodeGif

EPISODES_AT_STEP_0 = 1  # before it learns, a network scores next to nothing, and the run waits for its first update


class Monitor:
    """Plays the protocol `monitor` with the agent of a run, and remembers the first episode of the newest evaluation.

    Args:
      config: of the run, resolved.
      agent:  as it is when an evaluation is due.
      show:   shows how far one is, see `Display.evaluation`.
    """

    def __init__(self, config: Config, agent: Agent, show: Show = unseen) -> None:
        self.shown = show
        self.config, self.agent, self.protocol = config, agent, monitor(config)
        self.first_episode = BestEpisodeGif(config, self.protocol)
        self._first_seed = 0

    def evaluate(self, step: int, should_stop: Callable[[], bool]) -> EvaluationResult | None:
        """See `ports.Evaluator`."""
        episodes = self.play(step, should_stop)
        if episodes is None:
            return None
        self._first_seed = int(episodes[0].seed or 0)
        config = self.config
        return result_of(config, self.protocol, episodes, step=step, preset=config.preset, run_seed=config.seed)

    def play(self, step: int, should_stop: Callable[[], bool]) -> list[EpisodeScore] | None:
        """Those of an agent step; each step has its own: the same ones every time would reward luck with them."""
        root = stream(self.config.seed, "eval")
        remember = self.first_episode.begin()
        protocol = self.protocol_at(step)
        with self.shown(protocol) as count:

            def watch(moment: EvalStep) -> None:
                remember(moment)
                count(moment)

            return play(
                self.agent,
                self.config,
                protocol,
                num_envs=min(self.config.evaluation.eval_num_envs, protocol.episodes or sys.maxsize),
                seed=np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, step)),
                batch=BATCH if step > 0 else EPISODES_AT_STEP_0,
                should_stop=should_stop,
                watch=watch,
            )

    def protocol_at(self, step: int) -> EvalProtocol:
        """What is played at an agent step: at 0 one episode, later as many as the config says."""
        if step > 0:
            return self.protocol
        episodes = min(self.protocol.episodes or EPISODES_AT_STEP_0, EPISODES_AT_STEP_0)
        return dataclasses.replace(self.protocol, episodes=episodes, steps=None)

    def show(self, tag: str, logger: Logger, step: int) -> None:
        """See `ports.Evaluator`."""
        self.first_episode.show(tag, self._first_seed, logger, step)
