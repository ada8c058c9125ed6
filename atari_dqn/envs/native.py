"""Atari by ale-py's C++ vector environment: the fast path.

One frame leaves each emulator per step; stacks are built elsewhere.

    vector step     t          t + 1                      t + 2
    emulator        game over  resets, ignores its action plays
    Step            finished   started, reward 0          ...

An episode that reaches our time limit is stepped once more like the others (with a no-op, thrown
away), and then the emulator is reset, so its rows look the same. The emulator's own limit is never used: its last frame
would be stale. So is its frame at game over; nothing is learned from that one.

Lost lives are counted here, from `info["lives"]`. ale-py could report them as ends
(`life_loss_info`), but then the end of an episode would have to be guessed from the lives, and
Atlantis, Bank Heist and Wizard of Wor go on for a while at zero. Without it, `terminated` is the
game over and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from atari_dqn.envs.atari import SIZE, AtariRules
from atari_dqn.envs.contract import Course, Turns, checked_action, checked_seeds, first_step, play_again
from atari_dqn.errors import UsageError
from atari_dqn.types import Step

NO_LIMIT = 2**31 - 1  # frames; the emulator's own time limit, moved out of reach
NOOP = 0  # in every action set


class NativeEnvs:
    """N Atari games behind the VecEnv protocol.

    Args:
      rules:        how they are played.
      num_envs:     N.
      num_threads:  emulator threads, 0 for one per core.
      reseed_after: agent steps after which a sub-environment is seeded afresh when its next
                    episode opens, so that its action log stays short; 0 for never.

    Attributes:
      emulators: ale-py's.
      clock:     [N] frames of each episode so far; it falls back when a new one opens.
      lives:     [N] left.
    """

    def __init__(self, rules: AtariRules, num_envs: int, *, num_threads: int = 0, reseed_after: int = 0) -> None:
        self.num_envs, self.life_loss = num_envs, rules.life_loss
        self.max_episode_steps, self.reseed_after = rules.max_episode_steps, reseed_after
        self.emulators = make_emulators(
            rules,
            num_envs,
            num_threads=num_threads,
            img_height=SIZE,
            img_width=SIZE,
            grayscale=True,
            frameskip=rules.frame_skip,
            maxpool=True,
        )
        names = tuple(action.name.lower() for action in self.emulators.ale.get_action_set())
        self._chosen = rules.chosen_actions(names)  # of the emulator's actions, by the agent's
        self.spec = rules.spec(names)
        self._paddle = [1.0] * num_envs  # how far the paddle is turned: all the way, actions are discrete
        self._turns = Turns()

    def reset(self, seeds: np.ndarray) -> Step:
        """Open an episode in every game.

        Raises:
          UsageError: not N integers in [0, 2**31).
        """
        seeds = checked_seeds(seeds, self.num_envs)
        self._turns.reset()
        frame, info = self.emulators.reset(seed=seeds)
        self._course = Course(seeds, self.reseed_after)
        self._elapsed = np.zeros(self.num_envs, np.int64)  # agent steps into the episode
        self._over = np.zeros(self.num_envs, bool)  # the emulator resets at its next step
        self._cut = np.zeros(self.num_envs, bool)  # we reset it after its next step
        self.clock = info["episode_frame_number"]
        self.lives = info["lives"]
        self._score = np.zeros(self.num_envs)  # of all episodes since the last seed
        return first_step(frame[:, 0])

    def send(self, action: np.ndarray) -> None:
        action = checked_action(action, self.num_envs, self.spec)  # a wrong one would hang the emulators for ever
        self._turns.send()
        if self._cut.any():  # that step is thrown away: the caller's action must leave no trace
            action = np.where(self._cut, NOOP, action)
        self._course.append(action)
        # what `emulators.send` does, in half the time: an array is copied item by item
        self.emulators.ale.send(self._chosen[action].tolist(), self._paddle)

    def recv(self) -> Step:
        self._turns.recv()
        frame, reward, over, _, info = self.emulators.recv()
        opening = self._over | self._cut
        if opening.any():
            frame, info = self._open_episodes(opening, frame, info)
        clock, lives = info["episode_frame_number"], info["lives"]
        # an episode ended that did not look so; it shows one step late
        late = (clock < self.clock) & ~opening
        started = opening | late
        self._over = over & ~started
        terminated = self._over
        if self.life_loss:
            terminated = self._over | ((lives < self.lives) & ~started)
        self.clock, self.lives = clock, lives
        self._elapsed = np.where(started, 0, self._elapsed + 1)
        truncated = self._elapsed >= self.max_episode_steps
        self._cut = truncated & ~self._over
        reward = np.where(started, 0, reward).astype(np.float32)
        self._score += reward
        finished = self._over | truncated | late
        return Step(frame[:, 0], reward, terminated.copy(), truncated, started, finished)

    def _open_episodes(self, opening: np.ndarray, frame: np.ndarray, info: dict[str, Any]) -> tuple[np.ndarray, Any]:
        """Reset what does not reset itself: episodes that we cut, or whose next one has a seed of its own."""
        seeded = self._course.seeded_among(opening)
        unseeded = self._cut & ~seeded
        if unseeded.any():
            frame, info = self.emulators.reset(options={"reset_mask": unseeded})
        if seeded.any():
            frame, info = self._seeded_reset(seeded, self._course.next_seed[seeded])
        return frame, info

    def _seeded_reset(self, mask: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, Any]:
        self._course.begin(mask, seeds)
        self._score[mask] = 0
        return self.emulators.reset(seed=seeds, options={"reset_mask": mask})

    def seed_next_episode(self, index: int, seed: int) -> None:
        self._course.next_seed[index] = checked_seeds(np.array([seed]), 1)[0]

    def state_dict(self) -> dict[str, Any]:
        """Seeds and the actions since: an emulator's state is a function of the two."""
        self._turns.check_idle()
        return self._course.state_dict() | {"traces": self._traces()}

    def _traces(self) -> np.ndarray:
        """What play leaves behind, [3, N] float64; another course of play would show here."""
        return np.stack([self.clock, self.lives, self._score]).astype(np.float64)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Play the logs again, all ending at the same vector step.

        Raises:
          UsageError: the state is of another number of games, or the games took another course.
        """
        seeds = state["seeds"]
        self.reset(seeds)

        def join(mask: np.ndarray) -> None:
            _, info = self._seeded_reset(mask, seeds[mask])
            self.clock, self.lives = info["episode_frame_number"], info["lives"]
            self._elapsed[mask] = 0
            self._over[mask] = self._cut[mask] = False

        play_again(self, state, join)
        self._course.load_state_dict(state)
        if (self._traces() != state["traces"]).any():
            raise UsageError(
                f"{self.spec.game} took another course than when its state was saved: use the same "
                "config and the ale-py version that wrote it"
            )

    def close(self) -> None:
        """Stop the emulators. Their threads live as long as ale-py's object, and a fork beside them may hang."""
        self.emulators = None


def make_emulators(rules: AtariRules, num_envs: int, *, num_threads: int, **picture: Any) -> Any:
    """ale-py's vector environment with every argument explicit; its defaults are not Nature's.

    `picture` says what a screen becomes (`img_height`, `img_width`, `grayscale`, `frameskip`, `maxpool`), which changes
    nothing in the course of the games.
    """
    from ale_py.vector_env import AtariVectorEnv

    return AtariVectorEnv(
        game=rules.game,
        num_envs=num_envs,
        batch_size=num_envs,
        num_threads=num_threads,
        thread_affinity_offset=-1,
        max_num_frames_per_episode=NO_LIMIT,
        repeat_action_probability=rules.sticky_probability,
        full_action_space=rules.action_set == "full",
        continuous=False,
        autoreset_mode="NextStep",
        stack_num=1,
        noop_max=rules.noop_max + 1,  # ale-py draws below its bound
        episodic_life=False,  # would restart the whole game on a lost life
        life_loss_info=False,
        reward_clipping=False,
        use_fire_reset=False,
        **picture,
    )
