"""A gymnasium game that is held to its contract at every call: what it breaks ends the run in one message.

A user's game may do anything. What numpy would accept silently (an observation of one number is broadcast to the whole
vector, `None` becomes NaN) would be trained on; what the game raises would end in a traceback, or, if it is an OSError,
be taken for a full disk. gymnasium's own `check_env` looks at the first steps only and warns; this looks at all.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import gymnasium
import numpy as np

from atari_dqn.errors import GameError, UsageError

NUMBERS = "biuf"  # kinds of numpy's types that are real numbers
LONGEST = 500  # letters of an error
FAILURES = (Exception, SystemExit)  # a game that ends the process would end a run without a word
API = (
    "gymnasium's API is reset(seed, options) -> (observation, info) and "
    "step(action) -> (observation, reward, terminated, truncated, info)"
)


class CheckedGame:
    """One game, for the agent: actions count from 0, observations are arrays of the declared shape and finite.

    Args:
      game:     its name, for messages.
      make_one: makes it.
      channels: take pictures of [H, W, C] as they are; else those of 1 or 3 bytes a pixel are `shows_pictures`.

    Raises (all methods but `close`):
      GameError: the game failed or broke its contract; names the game, the step and the value.
    """

    def __init__(self, game: str, make_one: Callable[[], gymnasium.Env[Any, Any]], *, channels: bool = False) -> None:
        self.game, self._when = game, "when it was made"
        try:
            with warnings.catch_warnings():  # that there is a newer version: this one was asked for
                warnings.filterwarnings("ignore", message=".*out of date", category=DeprecationWarning)
                self.env = make_one()
            self.observation_space: Any = getattr(self.env, "observation_space", None)
            self.action_space: Any = getattr(self.env, "action_space", None)
            self.metadata: Any = getattr(self.env, "metadata", None)
        except UsageError:
            raise
        except FAILURES as error:
            raise UsageError(f"gymnasium cannot make {game}: {told(error)}") from error
        as_they_are = type_of_channels(self.observation_space)
        self.shows_pictures = is_picture(self.observation_space) and not (channels and as_they_are)
        self.channels_of = None if self.shows_pictures else as_they_are

    def reset(self, *, seed: int | None = None) -> tuple[np.ndarray, Mapping[str, Any]]:
        """Open an episode; see `gymnasium.Env.reset`."""
        self._length = 0
        self._when = "in reset" if seed is None else f"in reset with seed {seed}"
        answer = self._ask(self.env.reset, seed=seed)
        if not isinstance(answer, tuple) or len(answer) != 2:
            self._refuse(f"gave {_short(answer)} instead of 2 values; {API}")
        observation, info = answer
        return self._observation(observation), self._info(info)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, Mapping[str, Any]]:
        """Play one agent step; see `gymnasium.Env.step`."""
        self._length += 1
        action += int(self.action_space.start)
        self._when = f"at step {self._length} of an episode, action {action}"
        answer = self._ask(self.env.step, action)
        if not isinstance(answer, tuple) or len(answer) != 5:
            self._refuse(f"gave {_short(answer)} instead of 5 values; {API}")
        observation, reward, terminated, truncated, info = answer
        ends = self._flag("terminated", terminated), self._flag("truncated", truncated)
        return self._observation(observation), self._reward(reward), *ends, self._info(info)

    def render(self) -> np.ndarray:
        """The picture of a game that was made with render_mode "rgb_array": [H, W, 3] uint8.

        MinAtar draws in floats from 0 to 1, which become bytes.
        """
        self._when = f"while it was drawn, after step {self._length} of an episode"
        picture = self._ask(self.env.render)
        drawn = isinstance(picture, np.ndarray) and picture.shape[2:] == (3,) and picture.size > 0
        if drawn and picture.dtype.kind == "f" and picture.min() >= 0 and picture.max() <= 1:
            return (255 * picture).round().astype(np.uint8)
        if not drawn or picture.dtype != np.uint8:
            self._refuse(f"gave the picture {_short(picture)}; it must be an array of [height, width, 3] uint8")
        return picture

    def close(self) -> None:
        """Close the game; a failure is told, and harms nothing: all games are over."""
        try:
            self.env.close()
        except FAILURES as error:
            warnings.warn(f"{self.game} failed in close: {told(error)}", RuntimeWarning, stacklevel=2)

    def _ask(self, method: Callable[..., Any], *values: Any, **named: Any) -> Any:
        try:
            return method(*values, **named)
        except FAILURES as error:
            called_wrongly = isinstance(error, (TypeError, ValueError)) and not _place(error)
            hint = f"; {API}" if called_wrongly else ""
            raise GameError(f"{self.game} failed {self._when}: {told(error)}{hint}") from error

    def _observation(self, value: Any) -> np.ndarray:
        shape, array = self.observation_space.shape, _array(value)
        if array.shape != shape or array.dtype.kind not in NUMBERS:
            self._refuse(f"gave the observation {_short(value)}; its observation_space says {shape} numbers")
        if self.shows_pictures:
            if array.dtype != np.uint8:
                self._refuse(f"gave a picture of {array.dtype}; its observation_space says uint8, from 0 to 255")
            return array
        if self.channels_of:
            return self._channels(array)
        with np.errstate(over="ignore"):
            frame = array.astype(np.float32)
        if not np.isfinite(frame).all():
            self._refuse(f"gave the observation {_short(value)}; all its numbers must be finite (in float32)")
        return frame

    def _channels(self, array: np.ndarray) -> np.ndarray:
        whole, most = self.channels_of != "float32", 255 if self.channels_of == "uint8" else 1
        if (whole and array.dtype.kind == "f") or not (array.min() >= 0 and array.max() <= most):  # NaN is neither
            self._refuse(
                f"gave a picture of {array.dtype} from {array.min()} to {array.max()}; "
                f"its observation_space says {self.observation_space.dtype}, from 0 to {most}"
            )
        return array.astype(self.channels_of)

    def _reward(self, value: Any) -> float:
        array = _array(value)
        with np.errstate(over="ignore"):
            if array.shape or array.dtype.kind not in NUMBERS or not np.isfinite(np.float32(array)):
                self._refuse(f"gave the reward {_short(value)}; it must be one finite number (in float32)")
        return float(array)

    def _flag(self, name: str, value: Any) -> bool:
        if isinstance(value, bool | np.bool_):
            return bool(value)
        array = _array(value)
        if array.shape or array.dtype.kind not in NUMBERS or array not in (0, 1):
            self._refuse(f"gave {name} as {_short(value)}; it must be True or False")
        return bool(array)

    def _info(self, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            self._refuse(f"gave the info {_short(value)}; it must be a dict")
        if "life_lost" in value:  # the one word of it that is read
            return {**value, "life_lost": self._flag('info["life_lost"]', value["life_lost"])}
        return value

    def _refuse(self, what: str) -> NoReturn:
        raise GameError(f"{self.game} broke its contract {self._when}: it {what}")


def _array(value: Any) -> np.ndarray:
    """A value as an array; one of objects if it is none: lists of several lengths, numbers that are masked out."""
    try:
        return np.empty((), object) if np.ma.is_masked(value) else np.asarray(value)
    except Exception:  # whatever the value's own methods raise
        return np.empty((), object)


def is_picture(space: Any) -> bool:
    """Are these observations pictures: [H, W], [H, W, 1] or [H, W, 3] uint8?"""
    if not isinstance(space, gymnasium.spaces.Box) or space.dtype != np.uint8 or 0 in space.shape:
        return False
    return len(space.shape) == 2 or (len(space.shape) == 3 and space.shape[2] in (1, 3))


def type_of_channels(space: Any) -> str | None:
    """What pictures of [H, W, C] are kept as: `bool` (0 and 1), `uint8`, `float32` in [0, 1]; None if they are none."""
    if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 3 or 0 in space.shape or space.low.min() < 0:
        return None
    whole, most = space.dtype.kind != "f", space.high.max()
    if most <= 1:
        return "bool" if whole else "float32"
    return "uint8" if whole and most <= 255 else None


def told(error: BaseException) -> str:
    """An error of a game in one line, with the place in its code."""
    return f"{type(error).__name__}: {_one_line(str, error, LONGEST)}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where the game's code raised an error; empty if gymnasium raised it, or Python as it imported a module."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    path = Path(place.filename)
    own = not place.filename.startswith("<") and not path.is_relative_to(Path(gymnasium.__file__).parent)
    return f" ({path.name}, line {place.lineno})" if own else ""


def _short(value: Any) -> str:
    return _one_line(repr, value, 80)


def _one_line(say: Callable[[Any], str], value: Any, longest: int) -> str:
    """What an object says of itself in one line; of a long one, the beginning."""
    try:
        words = " ".join(say(value).split())
    except Exception:  # of its own method
        words = f"{type(value).__name__} (which cannot be shown)"
    return words if len(words) <= longest else f"{words[: longest - 3]}..."
