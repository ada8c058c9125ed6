"""The training loop: what the paper's algorithm box says, for N environments at once.

    act -> send -> learn what is due (while the emulators play) -> recv -> store -> now and then: log, evaluate, save

One clock counts agent steps. A vector step moves it by N, and what falls due in between is counted, not rounded (D1).
With `overlap` the learner sees the rows up to the previous vector step (D2); without it, up to this one. With groups of
environments that take turns a vector step is one group's, and the others play while it is acted for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from atari_dqn.config import Config
from atari_dqn.dqn.agent import Agent
from atari_dqn.dqn.callbacks import Callbacks
from atari_dqn.dqn.divergence import ValueRange, refuse_broken_loss, refuse_broken_values, refuse_broken_weights
from atari_dqn.dqn.evaluations import Evaluations
from atari_dqn.dqn.learner import Learner
from atari_dqn.dqn.metrics import Metrics
from atari_dqn.dqn.ports import Evaluator, Logger
from atari_dqn.dqn.progress import EpisodeTracker, Speedometer
from atari_dqn.dqn.schedules import crossings
from atari_dqn.dqn.turns import Turns
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.replay.recent import continue_from, newest_frames
from atari_dqn.seeding import first_seeds
from atari_dqn.storage.saver import Saver
from atari_dqn.types import Step, VecEnv

UNKNOWN = 2**62  # in a checkpoint: the agent step of the first update, while the end of an episode is waited for


class Trainer:
    """One run, from its parts.

    Args:
      config:      the settings, `device` and `precision` resolved.
      envs:        where the games are played.
      agent:       acts and learns.
      replay:      stores and stacks.
      logger:      where numbers go.
      saver:       writes checkpoints; None to save nothing.
      evaluator:   plays evaluations; None for none.
      alive:       called with the trainer every vector step, also of evaluations: for a watchdog, and for progress.
      callbacks:   told what happens; one of them may ask the run to stop.
      opening:     gives what `envs.reset` has returned for a new run; None: it is called here.
    """

    def __init__(
        self,
        config: Config,
        *,
        envs: VecEnv,
        agent: Agent,
        replay: FrameReplay,
        logger: Logger,
        saver: Saver | None = None,
        evaluator: Evaluator | None = None,
        alive: Callable[[Trainer], None] = lambda trainer: None,
        callbacks: Callbacks | None = None,
        opening: Callable[[], Step] | None = None,
    ) -> None:
        self.config, self.envs, self.agent, self.replay = config, envs, agent, replay
        self.logger, self.saver, self.evaluator, self.alive = logger, saver, evaluator, alive
        self.callbacks = callbacks or Callbacks()
        self.opening = opening or (lambda: envs.reset(first_seeds(config.seed, envs.num_envs)))
        self.turns = Turns(config, envs, agent, replay)
        self.learner = Learner(config, agent, replay)
        self.learns_apart = config.machine.device.startswith("cuda")  # what is launched there holds up no caller
        self.tracker = EpisodeTracker(config.env.num_envs)
        self.metrics = Metrics(config, agent, self.learner, replay, envs.spec.action_names)
        self.step = 0  # agent steps played
        self.episodes = 0  # finished
        self.learning_starts_at = self._after(config.replay.learning_starts)  # updates are due from this agent step on
        self.evaluations = Evaluations(config)
        self.value_range = ValueRange(agent.algorithm.head.limit)
        self.saved: tuple[int, ...] = ()  # what the newest checkpoint is of; see `save`
        self.stop_requested = False  # set from a signal handler; the run saves and ends
        self.speedometer = Speedometer(config.frames_per_step)

    def run(self) -> None:
        """Play and learn until the run is over, or until `stop_requested`; then save."""
        if self.replay.is_empty:
            self.replay.start(self.opening())
        self._evaluate_if_due()  # a resumed run may owe one
        while self.turns.waiting > 1:  # all groups but one play at the beginning
            self.turns.ask(self.step)
            self.turns.send(self.step)
        while not self._over and not self.stop_requested:
            self.alive(self)
            if self.learner.reset.pending_updates and self.learns:
                self._learn_after_reset()
                continue
            if self.turns.waiting:  # else a resumed run has a step under way
                self._act_and_learn()  # the emulators play in their own threads from here ...
            result = self.envs.recv()  # ... to here
            if self.config.env.terminal_on_time_limit:
                result = result._replace(terminated=result.terminated | result.truncated)
            if self.saver:
                self.saver.before_add()
            self.replay.add(self.turns.pending_actions.popleft(), result)
            if not self.config.machine.overlap:
                self.learner.learn_what_is_due(self.step, self.learning_starts_at)
            self.step += self.config.envs_at_once
            self._on_episodes_finished(result)
            self._log_if_due()
            self._evaluate_if_due()
            self._save_if_due()
            self.callbacks.on_step(self)
        self.save()
        if self.saver:
            self.saver.wait()
        self.callbacks.on_checkpoints(self)

    def close(self) -> None:
        """End the saver's thread, and break the circle of references that would keep the run's memory."""
        self.learner.close()
        if self.saver:
            self.saver.close()

    def _learn_after_reset(self) -> None:
        """Let a network that was reset learn from the replay for some seconds; nothing is played meanwhile."""
        if self.learner.reset.is_fresh:
            self.logger.message(
                f"step {self.step:,}: a new network; {self.learner.reset.pending_updates:,} updates before play goes on"
            )
        self.learner.learn_after_reset(self.step)
        self.speedometer.start(self.step, self.learner.updates)

    def _act_and_learn(self) -> None:
        """Let the group whose turn it is play; with `overlap` learn from rows already stored, while it does."""
        self.turns.ask(self.step)
        if self.config.machine.overlap and self.learns_apart:  # queued behind the choice of actions, so not before it
            self.learner.learn_what_is_due(self.step, self.learning_starts_at)
        self.turns.send(self.step)
        if self.config.machine.overlap and not self.learns_apart:
            self.learner.learn_what_is_due(self.step, self.learning_starts_at)

    @property
    def _over(self) -> bool:
        """Has everything been played that the config asks for?"""
        return self.config.is_over(self.step, self.episodes)

    @property
    def finished(self) -> bool:
        """Has everything been played and evaluated that the config asks for?"""
        return self._over and not self.evaluations.is_due(self.step, self.episodes)

    @property
    def epsilon(self) -> float:
        """Chance of a random action now."""
        return self.agent.exploration.schedule(self.step)

    @property
    def last_score(self) -> float | None:
        """Mean return of the newest evaluation; None before the first."""
        return self.evaluations.last_score

    @property
    def best_score(self) -> float:
        """Mean return of the best evaluation; minus infinity before the first."""
        return self.evaluations.best_score

    @property
    def learns(self) -> bool:
        """Is the warm-up over?"""
        return self.learning_starts_at is not None and self.step >= self.learning_starts_at

    def _after(self, transitions: int) -> int | None:
        """Agent step at which so many more were played; None, not yet known, where the end of an episode counts."""
        return None if self.config.replay.whole_game_warm_up else self.step + transitions

    def _on_episodes_finished(self, result: Step) -> None:
        """Note the episodes that have just ended, and learn what is due at the end of one."""
        first = self.turns.follow(result, self.step)
        for episode in self.tracker.update(result, first):
            self.metrics.tell_episode(self.logger, self.step, episode)
            self.episodes += 1
            self.callbacks.on_episode(self, episode)
            if self.learning_starts_at is None and len(self.replay) >= self.config.replay.learning_starts:
                self.learning_starts_at = self.step
            if self.config.algorithm.game_end_updates and self.learns:
                self.learner.learn(self.step, self.config.algorithm.game_end_updates, sync=True)

    # --- now and then

    def _is_due(self, period: int) -> bool:
        """Did the vector step just played reach a multiple of `period`?"""
        return period > 0 and crossings(self.step - self.config.envs_at_once, self.step, period) > 0

    def _log_if_due(self) -> None:
        """Write the means since the last point."""
        if not self._is_due(self.config.logging.log_period):
            return
        values = self.metrics.read(self.step, self.episodes, learning=self.learns)
        refuse_broken_loss(values.get("train/loss", 0.0), self.step)
        if told := self.value_range.warning(values.get("train/q", 0.0), self.step):
            self.logger.message(told)
        values |= self.speedometer.read(self.step, self.learner.updates)
        self.logger.log(self.step, values)

    def _evaluate_if_due(self) -> None:
        """Play the episodes of an evaluation on environments of their own, and remember the best network."""
        if self.evaluator is None or not self.evaluations.is_due(self.step, self.episodes):
            return
        q = self.agent.algorithm.predict(self.replay.latest_obs()).flatten().cpu().numpy()
        refuse_broken_values(q, self.step)
        early, began = self.evaluations.early_is_due(self.step), time.monotonic()
        result = self.evaluator.evaluate(self.step, self._should_stop)
        self.speedometer.leave_out(time.monotonic() - began)
        if result is None:
            return  # interrupted; due again after the resume
        is_best = self.evaluations.note(self.step, self.episodes, result.mean)
        self.metrics.tell_evaluation(self.logger, self.step, result, q, best_score=self.best_score, best=is_best)
        self.callbacks.on_evaluation(self, result)
        if is_best or early:
            self.evaluator.show("eval/best_game" if is_best else "eval/early_game", self.logger, self.step)
        if is_best:
            self.save()

    def _should_stop(self) -> bool:
        """Asked within an evaluation, where the loop does not turn."""
        self.alive(self)
        return self.stop_requested

    # --- state

    def _save_if_due(self) -> None:
        if self._is_due(self.config.logging.checkpoint_period):
            self.save()

    def save(self) -> None:
        """Begin to write a checkpoint, unless the newest one is of now; old ones are deleted after it.

        A step may be saved twice: as a run is stopped in an evaluation, and after the evaluation.
        """
        if self.saver is None or self.saved == self._moment:
            return
        refuse_broken_weights(self.agent.algorithm.model, self.step)
        self.logger.flush()  # what the checkpoint will not cut off must be on disk before it
        meta = {"game": self.config.game, "preset": self.config.preset, "step": self.step}
        self.saver.save(self.step, self.state_dict(), meta, best_step=self.evaluations.best_step)
        self.saved = self._moment

    @property
    def _moment(self) -> tuple[int, ...]:
        # before the first evaluation and after one at step 0 the same step stands there
        return self.step, self.evaluations.evaluated_at, self.last_score is None, self.learner.updates

    def state_dict(self) -> dict[str, Any]:
        """All of the run but the frames, which `saver` writes: nested dicts of arrays and numbers."""
        return {
            "agent": self.agent.state_dict(),
            "learner": self.learner.state_dict(),
            "envs": self.envs.state_dict(),
            "newest_frames": newest_frames(self.replay),
            "replay": self.replay.state_dict() if self.config.logging.save_replay else None,
            "tracker": self.tracker.state_dict(),
            "counters": {
                "step": self.step,
                "episodes": self.episodes,
                "learn_after": UNKNOWN if self.learning_starts_at is None else self.learning_starts_at,
                **self.evaluations.state_dict(),
            },
            **self.turns.state_dict(),
            **self.metrics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`: exactly, if the replay is filled already; an empty one fills up again first."""
        self.agent.load_state_dict(state["agent"])
        self.learner.load_state_dict(state["learner"])
        self.envs.load_state_dict(state["envs"])
        self.turns.load_state_dict(state)
        self.tracker.load_state_dict(state["tracker"])
        counters = state["counters"]
        self.step, self.episodes, known = counters["step"], counters["episodes"], counters["learn_after"]
        self.learning_starts_at = None if known == UNKNOWN else known
        self.evaluations.load_state_dict(counters)
        self.metrics.load_state_dict(state, self.step)
        if self.replay.is_empty:
            continue_from(self.replay, state["newest_frames"])
            replay = self.config.replay  # a small one is as full as it was sooner than the run began to learn
            self.learning_starts_at = self._after(min(replay.learning_starts, replay.capacity))
        self.saved = self._moment
        self.speedometer.start(self.step, self.learner.updates)
