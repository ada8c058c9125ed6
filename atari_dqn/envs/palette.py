"""The luminance of the console's colours, as ale-py's gray screens show it (measured: 90 of 104 games, NTSC).

A colour's number is even: its hue in the upper four bits, its brightness in the three below. The other 14 games are for
European televisions, whose colours differ; none of them is among the paper's 49.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NTSC_LUMINANCE = (
    (0, 74, 111, 142, 170, 192, 214, 236),
    (64, 95, 122, 148, 172, 193, 214, 233),
    (63, 87, 110, 131, 150, 167, 184, 199),
    (59, 85, 107, 129, 148, 167, 183, 199),
    (44, 68, 90, 110, 128, 146, 161, 176),
    (51, 74, 95, 115, 132, 149, 164, 178),
    (39, 63, 85, 107, 125, 143, 159, 174),
    (22, 49, 73, 96, 116, 136, 153, 169),
    (17, 41, 64, 85, 104, 121, 137, 153),
    (32, 60, 85, 109, 130, 150, 168, 186),
    (40, 69, 95, 120, 141, 162, 182, 200),
    (43, 74, 101, 127, 151, 173, 193, 212),
    (40, 71, 98, 124, 147, 169, 189, 207),
    (41, 74, 104, 132, 157, 181, 203, 223),
    (47, 79, 107, 133, 157, 179, 200, 220),
    (47, 79, 107, 133, 157, 179, 200, 220),
)
"""By hue, then by brightness."""


def luminance_table() -> np.ndarray:
    """The luminance of each number that a screen may hold, [256] uint8."""
    return np.repeat(np.array(NTSC_LUMINANCE, np.uint8).ravel(), 2)


def has_ntsc_colours(emulator: Any, frames: int = 60) -> bool:
    """Does a game show these colours? Asks its first screens."""
    table = luminance_table()
    emulator.reset_game()
    for _ in range(frames):
        emulator.act(0)
        if (table[emulator.getScreen()] != emulator.getScreenGrayscale()).any():
            return False
    return True
