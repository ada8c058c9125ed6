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

from typing import Any, NamedTuple

import numpy as np

HEIGHT = 630  # of a picture, pixels: three for each of 210 lines
GAME_WIDTH, PANEL_WIDTH = HEIGHT * 4 // 3, 440
MARGIN = 24
PLANES_SHOWN = 4  # the newest

BACKGROUND, RAISED, QUIET, TEXT = (16, 19, 26), (34, 40, 53), (134, 146, 166), (232, 237, 245)
GREEDY, RANDOM, OTHER, EXPECTED = (72, 199, 142), (245, 166, 66), (78, 99, 138), (122, 162, 247)
DISTRIBUTION_TOP, COLUMNS = HEIGHT - 140, 40


class AgentView(NamedTuple):
    """What the agent knew and did at one agent step."""

    step: int  # agent steps played before
    planes: np.ndarray  # [K, H, W] uint8, as given to the network
    q: np.ndarray  # [A] float32
    action: int
    explored: bool  # the action came from a coin, not from the Q-values
    returns: tuple[np.ndarray, np.ndarray] | None = None  # of the action: returns [M] and their chances, if known


def television(screen: np.ndarray, height: int) -> np.ndarray:
    """A screen of the emulator at 4:3, [H, W, 3] -> [height, height * 4 / 3, 3] uint8, by repeating pixels."""
    import cv2

    return np.asarray(cv2.resize(screen, (height * 4 // 3, height), interpolation=cv2.INTER_NEAREST))


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
        self.names, self.step_seconds = action_names, step_seconds
        self._low, self._high = np.inf, -np.inf  # of the Q-values of the game so far: the ends of the bars
        self._worst, self._best = np.inf, -np.inf  # returns that were likely
        self._fonts: dict[int, Any] = {}

    def draw(self, decision: AgentView, score: float) -> np.ndarray:
        """The panel as [630, 440, 3] uint8; `score` is the game's, up to the frame beside it."""
        from PIL import Image, ImageDraw

        picture = Image.new("RGB", (PANEL_WIDTH, HEIGHT), BACKGROUND)
        draw = ImageDraw.Draw(picture)
        self._header(draw, decision, score)
        draw.text((MARGIN, 148), "what the network sees", QUIET, self._font(14))
        for index, plane in enumerate(decision.planes[-PLANES_SHOWN:]):
            left = MARGIN + index * (PANEL_WIDTH - 2 * MARGIN - plane.shape[1]) // (PLANES_SHOWN - 1)
            picture.paste(Image.fromarray(plane), (left, 172))
        draw.text((MARGIN, 276), "Q-values", QUIET, self._font(14))
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

    def _bars(self, draw: Any, decision: AgentView) -> None:
        """One line for each action, its bar between the least and the greatest Q-value of the game so far."""
        q = decision.q
        self._low, self._high = min(self._low, float(q.min())), max(self._high, float(q.max()))
        top, bottom, left, right = 300, HEIGHT - 18, 150, PANEL_WIDTH - 84
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
            part = (value - self._low) / max(self._high - self._low, 1e-9)
            draw.rectangle((left, middle - half, left + max(2.0, part * (right - left)), middle + half), colour)
            words = colour if chosen else QUIET
            draw.text((MARGIN, middle), name, words, font, anchor="lm")
            draw.text((PANEL_WIDTH - MARGIN, middle), f"{value:.2f}", words, font, anchor="rm")

    def _distribution(self, draw: Any, returns: np.ndarray, chances: np.ndarray) -> None:
        """How likely each return of the action is, from the least to the greatest that was likely so far."""
        likely = returns[chances >= chances.max() / 100]
        self._worst, self._best = min(self._worst, float(likely.min())), max(self._best, float(likely.max()))
        low, high = self._worst, max(self._best, self._worst + 1e-6)
        heights, _ = np.histogram(returns, bins=COLUMNS, range=(low, high), weights=chances)
        left, right, bottom = MARGIN, PANEL_WIDTH - MARGIN, HEIGHT - 26
        draw.text((left, DISTRIBUTION_TOP), "returns of the action", QUIET, self._font(14))
        width, tallest = (right - left) / COLUMNS, bottom - DISTRIBUTION_TOP - 26
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
