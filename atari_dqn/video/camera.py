"""Films a game of Atari that is played elsewhere: every frame of the emulator, in its own colours and size.

The native environment hands out one gray 84 x 84 plane for each agent step; what lies between is lost. So a second
emulator plays the same episode with other eyes: ale-py's own, made by the same function from the same settings, seeded
alike, but with a frame skip of 1 and without any change to the screen.

    agent step       t                       t + 1
    NativeEnvs       [ a  a  a  a ] -> 84x84 [ b  b  b  b ] -> 84x84
    Camera             a  a  a  a   210x160    b  b  b  b   210x160, RGB

The course of an episode depends on its seed and its actions alone, the no-ops at its start and sticky actions included.
`tests/test_camera.py` rebuilds the planes of NativeEnvs from such screens: no pixel differs. An episode of
`ReferenceEnvs`, which has modes and difficulties, is filmed in the same way by the emulator that those play in.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from atari_dqn.config import Config
from atari_dqn.envs import atari_rules
from atari_dqn.envs.atari import AtariRules
from atari_dqn.envs.native import make_emulators
from atari_dqn.envs.reference import action_names, make_game
from atari_dqn.errors import UsageError
from atari_dqn.video.panel import television

FRAMES_PER_SECOND = 60  # of the emulator


class Shot(NamedTuple):
    """One frame of a game."""

    screen: np.ndarray  # [H, W, 3] uint8, RGB; most games of Atari have 210 x 160
    reward: float  # score change in this frame
    over: bool  # the episode ended


class Camera(Protocol):
    """The screens of one episode at a time: `AtariCamera`, or `gym_camera.GymCamera`."""

    frame_skip: int  # frames of an agent step
    fps: int  # frames of a second
    action_names: tuple[str, ...]  # in the order of the agent's numbers
    why_it_strays: str  # what to say if its episode is no longer the one that is played

    def open(self, seed: int) -> np.ndarray:
        """Begin the episode of this seed; returns its first screen, before any action of the agent."""
        ...

    def play(self, action: int, *, draw: bool = True) -> list[Shot]:
        """The frames of one agent step: `frame_skip` of them, fewer if the episode ends within.

        Without `draw` their screens may be older ones: games of gymnasium's take longer to draw than to play.
        """
        ...

    def picture(self, screen: np.ndarray, height: int) -> np.ndarray:
        """A screen at 4:3, [height, height * 4 / 3, 3] uint8."""
        ...

    def close(self) -> None: ...


class AtariCamera:
    """Every frame of the emulator.

    Args:
      config: of the environments that play the game, as `EvalProtocol.env_config` gives it.
      colours: RGB; no: luminance, [H, W] (what the network's input is made from).

    Raises:
      UsageError: no camera has an emulator like the one of the game.
    """

    fps = FRAMES_PER_SECOND
    why_it_strays = "use the ale-py version of constraints.txt"

    def __init__(self, config: Config, *, colours: bool = True) -> None:
        kinds: dict[str, type[_Native] | type[_Reference]] = {"native": _Native, "reference": _Reference}
        if config.env.backend not in kinds:
            raise UsageError(
                f"{config.game} is played by the backend {config.env.backend!r}, which cannot be filmed; "
                f"{' and '.join(kinds)} can"
            )
        self.frame_skip = config.env.frame_skip
        rules = atari_rules(config.game, config.env)
        self._emulator = kinds[config.env.backend](rules, colours)
        self._chosen = rules.chosen_actions(self._emulator.names)
        self.action_names = rules.spec(self._emulator.names).action_names  # in the order of the agent's numbers

    def open(self, seed: int) -> np.ndarray:
        """See `Camera`."""
        return self._emulator.reset(seed)

    def play(self, action: int, *, draw: bool = True) -> list[Shot]:
        """See `Camera`."""
        shots: list[Shot] = []
        while len(shots) < self.frame_skip and not (shots and shots[-1].over):
            shots.append(self._emulator.act(int(self._chosen[action])))
        return shots

    def picture(self, screen: np.ndarray, height: int) -> np.ndarray:
        """See `Camera`."""
        return television(screen, height)

    def close(self) -> None:
        """Stop the emulator."""
        self._emulator.close()


class _Native:
    """The emulator of `NativeEnvs`, a frame an action."""

    def __init__(self, rules: AtariRules, colours: bool) -> None:
        height, width = _screen_size(rules.game)
        size = {"img_height": height, "img_width": width}
        self._emulator = make_emulators(
            rules, 1, num_threads=1, grayscale=not colours, frameskip=1, maxpool=False, **size
        )
        self.names = tuple(action.name.lower() for action in self._emulator.ale.get_action_set())

    def reset(self, seed: int) -> np.ndarray:
        screen, _ = self._emulator.reset(seed=np.array([seed], np.int64))
        return np.array(screen[0, 0])

    def act(self, action: int) -> Shot:
        screen, reward, over, _, _ = self._emulator.step(np.array([action]))
        return Shot(np.array(screen[0, 0]), float(reward[0]), bool(over[0]))

    def close(self) -> None:
        self._emulator = None  # its thread lives as long as ale-py's object


class _Reference:
    """The emulator of `ReferenceEnvs`, a frame an action."""

    def __init__(self, rules: AtariRules, colours: bool) -> None:
        self._emulator = make_game(rules, colours=colours)
        self.names = action_names(self._emulator)

    def reset(self, seed: int) -> np.ndarray:
        screen, _ = self._emulator.reset(seed=seed)
        return np.array(screen)

    def act(self, action: int) -> Shot:
        screen, reward, over, _, _ = self._emulator.step(action)
        return Shot(np.array(screen), float(reward), bool(over))

    def close(self) -> None:
        self._emulator.close()


def _screen_size(game: str) -> tuple[int, int]:
    """Height and width of the emulator's screen; they differ between games."""
    from ale_py import ALEInterface, LoggerMode
    from ale_py.env import AtariEnv

    ALEInterface.setLoggerMode(LoggerMode.Error)  # it would greet the user
    probe = AtariEnv(game=game, obs_type="rgb")
    height, width, _ = probe.observation_space.shape or ()
    probe.close()
    return int(height), int(width)
