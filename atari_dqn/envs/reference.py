"""Atari by gymnasium and OpenCV, one game at a time: slow, obvious, and the check of the fast path.

no-ops -> repeat the action 4 times -> luminance, maximum of the last 2 -> 84 x 84 -> life loss
"""

from __future__ import annotations

from typing import Any, Literal

import gymnasium
import numpy as np

from atari_dqn.envs.atari import SIZE, AtariRules
from atari_dqn.envs.emulator import emulator_of
from atari_dqn.envs.single import SingleEnvs

NO_LIMIT = -1  # the emulator's own time limit is off
Interpolation = Literal["area", "bilinear"]


class ReferenceEnvs(SingleEnvs):
    """N Atari games behind the VecEnv protocol, with the arguments of NativeEnvs.

    Args:
      rules:         how they are played.
      num_envs:      N.
      reseed_after:  see `SingleEnvs`.
      interpolation: "area" as the native path and the paper's code (Torch's `image.scale` calls itself bilinear,
                     but averages areas when it shrinks), or "bilinear" as libraries that take it by its name.
    """

    def __init__(
        self, rules: AtariRules, num_envs: int, *, reseed_after: int = 0, interpolation: Interpolation = "area"
    ) -> None:

        def make_one() -> gymnasium.Env[Any, Any]:
            env: gymnasium.Env[Any, Any] = make_game(rules)
            if rules.life_loss:
                env = LifeLoss(env)
            env = gymnasium.wrappers.TransformAction(env, lambda action: int(chosen[action]), actions)
            return Resize(SkipAndMax(env, rules.frame_skip), interpolation)

        probe = make_game(rules)
        names = action_names(probe)
        probe.close()
        chosen = rules.chosen_actions(names)
        actions = gymnasium.spaces.Discrete(len(chosen))
        limits = {"max_episode_steps": rules.max_episode_steps, "reseed_after": reseed_after}
        super().__init__(make_one, num_envs, spec=rules.spec(names), **limits)


def make_game(rules: AtariRules, *, colours: bool = False) -> NoopStart:
    """A game of ale-py's, frame by frame, that opens with no-ops; its screens as luminance [H, W], or RGB [H, W, 3].

    Raises:
      UsageError: the game has no such mode or difficulty.
    """
    from ale_py.env import AtariEnv

    emulator_of(rules)  # refuses what the cartridge does not have
    game = AtariEnv(
        game=rules.game,
        mode=rules.mode,
        difficulty=rules.difficulty,
        obs_type="rgb" if colours else "grayscale",
        frameskip=1,
        repeat_action_probability=rules.sticky_probability,
        full_action_space=rules.action_set == "full",
        max_num_frames_per_episode=NO_LIMIT,
    )
    return NoopStart(game, rules.noop_max)


def action_names(game: gymnasium.Env[Any, Any]) -> tuple[str, ...]:
    """The emulator's actions by their numbers, as `noop`, `fire`, `rightfire`."""
    meanings: list[str] = game.unwrapped.get_action_meanings()  # type: ignore[attr-defined]
    return tuple(name.lower() for name in meanings)


class NoopStart(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An episode opens with a random number of no-ops in [0, noop_max], by the game's own seed."""

    def __init__(self, env: gymnasium.Env[Any, Any], noop_max: int) -> None:
        super().__init__(env)
        self.noop_max = noop_max
        self.generator = np.random.default_rng()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is not None:
            self.generator = np.random.default_rng(seed)
        screen, info = self.env.reset(seed=seed, options=options)
        for _ in range(self.generator.integers(self.noop_max + 1)):
            screen, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                screen, info = self.env.reset()
        return screen, info


class LifeLoss(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Says in `info["life_lost"]` when a life is lost and the game goes on."""

    def reset(self, **kwargs: Any) -> Any:
        screen, info = self.env.reset(**kwargs)
        self.lives = info["lives"]
        return screen, info

    def step(self, action: int) -> Any:
        screen, reward, terminated, truncated, info = self.env.step(action)
        info["life_lost"] = info["lives"] < self.lives and not terminated
        self.lives = info["lives"]
        return screen, reward, terminated, truncated, info


class SkipAndMax(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Repeats each action and shows the maximum of the last two screens: sprites may flicker.

    Source: Mnih et al. 2015, Methods, Preprocessing.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], frame_skip: int) -> None:
        super().__init__(env)
        self.frame_skip = frame_skip

    def step(self, action: int) -> Any:
        total, life_lost, screens = 0.0, False, []
        for _ in range(self.frame_skip):
            screen, reward, terminated, truncated, info = self.env.step(action)
            screens.append(screen)
            total += float(reward)
            life_lost |= info.get("life_lost", False)
            if terminated or truncated:
                break
        info["life_lost"] = life_lost and not terminated
        return np.maximum.reduce(screens[-2:]), total, terminated, truncated, info


class Resize(gymnasium.ObservationWrapper[Any, Any, Any]):
    """210 x 160 luminance -> 84 x 84 (D3).

    Source: Mnih et al. 2015, Methods, Preprocessing.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], interpolation: Interpolation) -> None:
        super().__init__(env)
        import cv2

        self.resize = cv2.resize
        self.method = cv2.INTER_AREA if interpolation == "area" else cv2.INTER_LINEAR

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return np.asarray(self.resize(observation, (SIZE, SIZE), interpolation=self.method))
