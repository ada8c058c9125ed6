"""What a video shows beside the game: the planes the network sees, its Q-values, the action, the score.

    +---------------------------+------------------+
    |                           | PONG             |
    |                           | score time step  |
    |   the game, 840 x 630     | planes, pixel    |
    |                           | for pixel        |
    |                           | Q-values, a bar  |
    |                           | for each action; |
    |                           | its distribution |
    +---------------------------+------------------+

The screen of an Atari fills a television of 4:3, so its pixels are wider than tall: 160 x 210 of them become 840 x 630.
Only whole pixels are copied, so every colour stays what the emulator made it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

HEIGHT = 630  # of a picture, pixels: three for each of 210 lines
GAME_WIDTH, PANEL_WIDTH = HEIGHT * 4 // 3, 440
MARGIN = 24
PLANES_SHOWN, CHANNELS_SHOWN = 4, 12  # the newest planes; the first channels
SEEN_TOP, SEEN_HEIGHT = 172, 96  # where what the network sees is shown

BACKGROUND, RAISED, QUIET, TEXT = (16, 19, 26), (34, 40, 53), (134, 146, 166), (232, 237, 245)
GREEDY, RANDOM, OTHER, EXPECTED = (72, 199, 142), (245, 166, 66), (78, 99, 138), (122, 162, 247)
DISTRIBUTION_TOP, COLUMNS, MOST_COLUMNS = HEIGHT - 140, 40, 100
FADING = 0.9  # a step: half of a large difference between Q-values is forgotten in half a second
NUMBERS_IN_LINE = 6


class AgentView(NamedTuple):
    """What the agent knew and did at one agent step."""

    step: int  # agent steps played before
    planes: np.ndarray  # [K, H, W] uint8, [K, D] float32 or [K, H, W, C], as given to the network
    q: np.ndarray  # [A] float32
    action: int
    explored: bool  # the action came from a coin, not from the Q-values
    returns: tuple[np.ndarray, np.ndarray] | None = None  # of the action: returns [M] and their chances, if known


def television(screen: np.ndarray, height: int) -> np.ndarray:
    """A screen of the emulator at 4:3, [H, W, 3] -> [height, height * 4 / 3, 3] uint8, by repeating pixels."""
    import cv2

    return np.asarray(cv2.resize(screen, (height * 4 // 3, height), interpolation=cv2.INTER_NEAREST))


def letterbox(picture: np.ndarray, height: int) -> np.ndarray:
    """A picture of any size in a frame of 4:3, [H, W, 3] -> [height, height * 4 / 3, 3] uint8, its own form kept."""
    import cv2

    width = height * 4 // 3
    scale = min(height / picture.shape[0], width / picture.shape[1])
    lines, columns = (max(1, round(size * scale)) for size in picture.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR if scale < 8 else cv2.INTER_NEAREST
    frame = np.full((height, width, 3), BACKGROUND, np.uint8)
    top, left = (height - lines) // 2, (width - columns) // 2
    frame[top : top + lines, left : left + columns] = cv2.resize(picture, (columns, lines), interpolation=way)
    return frame


def spelled(name: str) -> str:
    """The emulator's name of an action in words: `rightfire` is `right + fire`."""
    parts = re.fullmatch("(up|down)?(left|right)?(fire)?", name)
    if not parts:
        return name
    direction = "-".join(part for part in parts.groups()[:2] if part)
    return " + ".join(part for part in (direction, parts[3]) if part)


def columns_of(returns: np.ndarray, low: float, high: float) -> tuple[int, float]:
    """How many columns a distribution is drawn in, and by how much the outer ones reach beyond `low` and `high`.

    Atoms of a fixed support get a column each: in fewer columns some would hold two, and stand twice as high.

    Args:
      returns: [M], what may come.
      low:     the least that is drawn.
      high:    the greatest.
    """
    apart = np.diff(returns)
    if len(apart) and apart[0] > 0 and np.allclose(apart, apart[0]):
        atoms = round((high - low) / float(apart[0])) + 1
        if 1 < atoms <= MOST_COLUMNS:
            return atoms, float(apart[0]) / 2
    return COLUMNS, 0.0


class Panel:
    """Draws decisions.

    Args:
      title:        first line.
      subtitle:     second line.
      action_names: A names.
      step_seconds: length of an agent step.
    """

    def __init__(self, title: str, subtitle: str, action_names: tuple[str, ...], step_seconds: float) -> None:
        self.title, self.subtitle = title, subtitle
        self.names, self.step_seconds = tuple(map(spelled, action_names)), step_seconds
        self._spread = 0.0  # between the Q-values: the length of a bar
        self._worst, self._best = np.inf, -np.inf  # returns that were likely
        self._fonts: dict[int, Any] = {}

    def draw(self, decision: AgentView, score: float) -> np.ndarray:
        """The panel as [630, 440, 3] uint8; `score` is the game's, up to the frame beside it."""
        from PIL import Image, ImageDraw

        picture = Image.new("RGB", (PANEL_WIDTH, HEIGHT), BACKGROUND)
        draw = ImageDraw.Draw(picture)
        self._header(draw, decision, score)
        draw.text((MARGIN, 148), "what the network sees", QUIET, self._font(14))
        if decision.planes.ndim == 2:
            self._numbers(draw, decision.planes[-1])
        elif decision.planes.ndim == 4:
            self._channels(picture, decision.planes[-1])
        else:
            for index, plane in enumerate(decision.planes[-PLANES_SHOWN:]):
                left = MARGIN + index * (PANEL_WIDTH - 2 * MARGIN - plane.shape[1]) // (PLANES_SHOWN - 1)
                picture.paste(Image.fromarray(plane), (left, SEEN_TOP))
        self._spread = max(float(np.ptp(decision.q)), self._spread * FADING, 1e-6)
        draw.text((MARGIN, 276), f"Q-values, bars span {self._spread:.2g}", QUIET, self._font(14))
        how, colour = ("random action", RANDOM) if decision.explored else ("greedy action", GREEDY)
        draw.text((PANEL_WIDTH - MARGIN, 276), how, colour, self._font(14), anchor="ra")
        self._bars(draw, decision)
        if decision.returns is not None:
            self._distribution(draw, *decision.returns)
        return np.array(picture)

    def _header(self, draw: Any, decision: AgentView, score: float) -> None:
        draw.text((MARGIN, 18), self.title, TEXT, self._font(26))
        draw.text((MARGIN, 50), self.subtitle, QUIET, self._font(13))
        minutes, seconds = divmod(decision.step * self.step_seconds, 60)
        facts = (("score", f"{score:,.0f}"), ("time", f"{minutes:.0f}:{seconds:04.1f}"), ("step", f"{decision.step:,}"))
        for index, (name, value) in enumerate(facts):
            left = MARGIN + index * (PANEL_WIDTH - 2 * MARGIN) // len(facts)
            draw.text((left, 82), name, QUIET, self._font(14))
            draw.text((left, 102), value, TEXT, self._font(22))

    def _numbers(self, draw: Any, values: np.ndarray) -> None:
        """The newest vector that the network sees, as far as there is room."""
        for index, value in enumerate(values[: 4 * NUMBERS_IN_LINE].tolist()):
            line, column = divmod(index, NUMBERS_IN_LINE)
            right = MARGIN + (column + 1) * (PANEL_WIDTH - 2 * MARGIN) // NUMBERS_IN_LINE
            draw.text((right, 176 + 22 * line), f"{value:.2f}", TEXT, self._font(16), anchor="ra")

    def _channels(self, picture: Any, seen: np.ndarray) -> None:
        """The channels of the newest picture, [H, W, C], side by side, as large as there is room."""
        from PIL import Image

        bytes_ = seen if seen.dtype == np.uint8 else (255 * seen.astype(np.float32)).astype(np.uint8)
        height, width, channels = seen[..., :CHANNELS_SHOWN].shape
        room = (PANEL_WIDTH - 2 * MARGIN) // channels
        scale = min(SEEN_HEIGHT / height, (room - 4) / width)
        size = max(1, int(scale * width)), max(1, int(scale * height))
        for channel in range(channels):
            plane = Image.fromarray(np.ascontiguousarray(bytes_[..., channel]))
            picture.paste(plane.resize(size, Image.Resampling.NEAREST), (MARGIN + channel * room, SEEN_TOP))

    def _bars(self, draw: Any, decision: AgentView) -> None:
        """One line for each action: the best has a full bar, and what the others lack of its value theirs lacks.

        Values of actions differ by little: on one scale for all states their bars would look alike.
        """
        q = decision.q
        top, bottom, left, right = 300, HEIGHT - 18, 158, PANEL_WIDTH - 84
        if decision.returns is not None:
            bottom = DISTRIBUTION_TOP - 8
        line = min(40.0, (bottom - top) / len(q))
        font = self._font(min(15, int(line) - 4))
        for action, (name, value) in enumerate(zip(self.names, q.tolist(), strict=True)):
            y, chosen = top + action * line, action == decision.action
            colour = (RANDOM if decision.explored else GREEDY) if chosen else OTHER
            if chosen:
                draw.rounded_rectangle((MARGIN - 10, y, PANEL_WIDTH - MARGIN + 10, y + line - 2), 5, RAISED)
            middle, half = y + line / 2 - 1, max(2.0, line / 5)
            part = 1.0 - (float(q.max()) - value) / self._spread
            draw.rectangle((left, middle - half, left + max(2.0, part * (right - left)), middle + half), colour)
            words = colour if chosen else QUIET
            draw.text((MARGIN, middle), name, words, font, anchor="lm")
            draw.text((PANEL_WIDTH - MARGIN, middle), f"{value:.3f}", words, font, anchor="rm")

    def _distribution(self, draw: Any, returns: np.ndarray, chances: np.ndarray) -> None:
        """How likely each return of the action is, from the least to the greatest that was likely so far."""
        likely = returns[chances >= chances.max() / 100]
        self._worst, self._best = min(self._worst, float(likely.min())), max(self._best, float(likely.max()))
        low, high = self._worst, max(self._best, self._worst + 1e-6)
        columns, half = columns_of(returns, low, high)
        heights, _ = np.histogram(returns, bins=columns, range=(low - half, high + half), weights=chances)
        left, right, bottom = MARGIN, PANEL_WIDTH - MARGIN, HEIGHT - 26
        draw.text((left, DISTRIBUTION_TOP), "returns of the action", QUIET, self._font(14))
        width, tallest = (right - left) / columns, bottom - DISTRIBUTION_TOP - 26
        for column, height in enumerate(heights / max(float(heights.max()), 1e-9)):
            x = left + column * width
            draw.rectangle((x, bottom - max(1.0, height * tallest), x + width - 2, bottom), EXPECTED)
        for value, x, anchor in ((low, left, "la"), (high, right, "ra")):
            draw.text((x, bottom + 4), f"{value:.2f}", QUIET, self._font(13), anchor=anchor)

    def _font(self, size: int) -> Any:
        from PIL import ImageFont

        if size not in self._fonts:
            self._fonts[size] = ImageFont.load_default(size)
        return self._fonts[size]
