"""One episode after the other in one emulator, as a worker process plays it; no torch in here.

An episode opens in one of some hundred kept states instead of a boot: every variant of a start that fresh resets show
(a timer differs in some games), after every number of no-ops. A state takes 30 us to restore, a boot some 5 ms. Which
one opens it, and which frames repeat an action, is drawn from the episode's own stream, so it is a function of its seed
and the actions, whoever plays it.

A restored state goes on as it did, RAM and all, but its first screen may show lines of what was played before. An agent
step has at least 3 frames, so that one is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from atari_dqn.envs.atari import AtariRules
from atari_dqn.errors import UsageError

NOOP = 0  # ALE's number
VARIANTS = 8  # fresh resets that openings are kept of (D13)
OPENINGS_SEED = 0  # of the emulator that makes these resets: the same ones in every process and every run


@dataclass(frozen=True, kw_only=True)
class EmulatorSettings(AtariRules):
    """How games are played, in the emulator's numbers; what a worker is told at its start."""

    actions: tuple[int, ...]
    """ALE's number of each action."""
    colours: bool
    """Screens are asked for as the console's colours: quick, and for NTSC games only; no: as luminance."""


class Opening(NamedTuple):
    """Where an episode begins."""

    state: Any  # of the emulator
    screen: np.ndarray  # [H, W] uint8; a state does not hold it


class Outcome(NamedTuple):
    """What an agent step brought, besides the picture."""

    reward: int
    terminated: bool
    truncated: bool
    started: bool
    finished: bool


def make_emulator(game: str, seed: int = OPENINGS_SEED, mode: int | None = None, difficulty: int | None = None) -> Any:
    """ale-py's plain interface to a game, not yet reset: one frame an act, nothing sticky, no time limit.

    Raises:
      UsageError: the game has no such mode or difficulty, with those that it has.
    """
    from ale_py import ALEInterface, LoggerMode, roms

    ALEInterface.setLoggerMode(LoggerMode.Error)
    emulator = ALEInterface()
    emulator.setInt("random_seed", seed)
    emulator.setFloat("repeat_action_probability", 0.0)
    emulator.loadROM(str(roms.get_rom_path(game)))
    for name, value, offered, choose in (
        ("game_mode", mode, emulator.getAvailableModes(), emulator.setMode),
        ("difficulty", difficulty, emulator.getAvailableDifficulties(), emulator.setDifficulty),
    ):
        if value is None:
            continue
        if value not in offered:  # ale-py would end the process
            raise UsageError(
                f"{name} is {value}, but {game} has {', '.join(map(str, offered))}; none is its own choice"
            )
        choose(value)
    return emulator


def emulator_of(rules: AtariRules) -> Any:
    """One for a game that is played by these rules, see `make_emulator`."""
    return make_emulator(rules.game, mode=rules.mode, difficulty=rules.difficulty)


def make_openings(emulator: Any, noop_max: int, *, colours: bool, variants: int = VARIANTS) -> list[Opening]:
    """Every start of an episode: `variants` fresh resets, each after 0 to `noop_max` no-ops."""
    found = []
    for _ in range(variants):
        emulator.reset_game()
        found.append(_opening(emulator, colours))
        for _ in range(noop_max):
            emulator.act(NOOP)
            found.append(_opening(emulator, colours))
    return found


def _opening(emulator: Any, colours: bool) -> Opening:
    screen = emulator.getScreen() if colours else emulator.getScreenGrayscale()
    return Opening(emulator.cloneState(), np.array(screen))


class Game:
    """Plays episode after episode.

    Args:
      settings: how.
      emulator: its own, just made.
      openings: to begin with, see `make_openings`; shared with other games.
    """

    def __init__(self, settings: EmulatorSettings, emulator: Any, openings: Sequence[Opening]) -> None:
        self.settings, self.emulator, self.openings = settings, emulator, openings
        self.next_seed = -1  # of the next episode's stream; -1: the stream goes on
        emulator.reset_game()
        emulator.act(NOOP)  # one that has played no frame since its reset loses the first after a restore (Q*bert)
        self._show = emulator.getScreen if settings.colours else emulator.getScreenGrayscale

    def open(self, screens: np.ndarray) -> None:
        """Open the next episode; its first screen goes to `screens`, [2, H, W], twice."""
        if self.next_seed >= 0:
            self.stream = np.random.default_rng(self.next_seed)
            self.next_seed = -1
        opening = self.openings[int(self.stream.integers(len(self.openings)))]
        self.emulator.restoreState(opening.state)
        self._elapsed, self._held, self._ended = 0, NOOP, False
        self._lives = self.emulator.lives()
        screens[:] = opening.screen

    def play(self, action: int, screens: np.ndarray) -> Outcome:
        """One agent step; the action is ignored where the episode before has ended, and the next one opens.

        Args:
          action:  number in the settings' list.
          screens: where the last two screens go, [2, H, W].
        """
        if self._ended:
            self.open(screens)
            return Outcome(0, False, False, True, False)
        reward, over = self._play_frames(self.settings.actions[action], screens)
        self._elapsed += 1
        lives = self.emulator.lives()
        lost, self._lives = lives < self._lives, lives
        truncated = self._elapsed >= self.settings.max_episode_steps
        self._ended = over or truncated
        return Outcome(reward, over or (self.settings.life_loss and lost), truncated, False, self._ended)

    def _play_frames(self, action: int, screens: np.ndarray) -> tuple[int, bool]:
        """Repeat an action, and keep the last two screens: where there is one only, twice. Ends with the episode."""
        settings, emulator = self.settings, self.emulator
        changes = [True] * settings.frame_skip
        if settings.sticky_probability:
            changes = (self.stream.random(settings.frame_skip) >= settings.sticky_probability).tolist()
        reward = 0
        for number, change in enumerate(changes, start=2 - settings.frame_skip):  # 0 and 1: the last two
            if change:
                self._held = action
            reward += emulator.act(self._held)
            over = emulator.game_over()
            if number >= 0 or over:
                self._show(screens[max(number, 0)])
            if over:
                break
        if number <= 0:
            screens[1] = screens[0]
        return reward, over

    # --- state

    def save(self) -> bytes:
        """Everything needed to continue bit for bit: a line of JSON, then the emulator's state."""
        facts = {
            "elapsed": self._elapsed,
            "held": self._held,
            "ended": self._ended,
            "next_seed": self.next_seed,
            "stream": self.stream.bit_generator.state,
        }
        return json.dumps(facts).encode() + b"\n" + self.emulator.cloneState().serialize()

    def load(self, saved: bytes) -> None:
        """Continue from what `save` gave; the screens shown last are the caller's to keep."""
        from ale_py import ALEState

        line, _, state = saved.partition(b"\n")
        facts = json.loads(line)
        self.emulator.restoreState(ALEState(state))
        self._elapsed, self._held, self._ended = facts["elapsed"], facts["held"], facts["ended"]
        self.next_seed = facts["next_seed"]
        self.stream = np.random.default_rng()
        self.stream.bit_generator.state = facts["stream"]
        self._lives = self.emulator.lives()
