"""A window that shows a game as it is played, and hears keys."""

from __future__ import annotations

import os
import warnings
from typing import Any, Protocol

import numpy as np

from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.host import has_display
from atari_dqn.video.writers import Film

INVISIBLE = ("dummy", "offscreen")  # what SDL falls back on without a word
KEYS = {
    "up": ("up", "w"),
    "down": ("down", "s"),
    "left": ("left", "a"),
    "right": ("right", "d"),
    "fire": ("space", "return", "left ctrl"),
}
"""What a person may press for each part of an action, by pygame's names of keys."""


class Screen(Film, Protocol):
    """A film that somebody looks at while it is made: `add` takes as long as its picture is to be seen."""

    closed: bool  # nobody looks any more

    def next_episode(self) -> bool:
        """Was the next episode asked for since the last question?"""
        ...


class Window:
    """A window: P pauses, N goes on to the next episode, Esc or Q closes it.

    Args:
      title: of the window.
      fps:   pictures a second.

    Raises:
      UsageError: there is no display, or pygame is missing.
    """

    def __init__(self, title: str, fps: int) -> None:
        if not has_display():
            raise UsageError("there is no display here for a window")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        require("play", "a window needs")
        import pygame

        self._pygame, self._title, self._fps = pygame, title, fps
        pygame.display.init()
        if pygame.display.get_driver() in INVISIBLE and not os.environ.get("SDL_VIDEODRIVER"):
            raise UsageError(f"no window can be opened on the display {os.environ.get('DISPLAY', '')!r}")
        self.clock = pygame.time.Clock()
        self._surface: Any = None
        self._held: set[str] = set()
        self._paused = self._next = False
        self.closed = False

    def add(self, picture: np.ndarray) -> None:
        """See `Film`. Returns when it is time for the next picture, after a pause if one was asked for."""
        height, width, _ = picture.shape
        if self._surface is None:
            with warnings.catch_warnings():  # that a machine without a GPU will scale it slowly
                warnings.simplefilter("ignore")
                flags = self._pygame.SCALED | self._pygame.RESIZABLE
                self._surface = self._pygame.display.set_mode((width, height), flags)
            self._pygame.display.set_caption(self._title)
        shown = self._pygame.image.frombuffer(np.ascontiguousarray(picture).data, (width, height), "RGB")
        while not self.closed:
            self._surface.blit(shown, (0, 0))
            self._pygame.display.flip()
            self.clock.tick(self._fps)
            self._hear()
            if not self._paused or self._next:
                break

    def _hear(self) -> None:
        for event in self._pygame.event.get():
            if event.type == self._pygame.QUIT:
                self.closed = True
            elif event.type == self._pygame.WINDOWFOCUSLOST:
                self._held.clear()
            elif event.type == self._pygame.KEYDOWN:
                self._key_down(self._pygame.key.name(event.key))
            elif event.type == self._pygame.KEYUP:
                self._held.discard(self._pygame.key.name(event.key))

    def _key_down(self, key: str) -> None:
        self._held.add(key)
        if key in ("escape", "q"):
            self.closed = True
        elif key == "p":
            self._paused = not self._paused
        elif key == "n":
            self._next = True

    def next_episode(self) -> bool:
        """See `Screen`."""
        asked, self._next = self._next, False
        return asked

    def held(self) -> frozenset[str]:
        """Which of `KEYS` are held down."""
        return frozenset(part for part, keys in KEYS.items() if self._held.intersection(keys))

    def close(self) -> None:
        """Close the window."""
        self.closed = True
        self._pygame.display.quit()
