"""How a game is played: environments and exploration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from atari_dqn.settings.bounds import LONGEST, YEAR, Environments, Function, JsonObject, ModeOrNone, Probability, Range

Backend = Literal["native", "workers", "reference", "classic"]
ActionSet = Literal["minimal", "paper", "full"]
PadStack = Literal["zeros", "first_frame"]


@dataclass(frozen=True)
class EnvConfig:
    """The game, and how it is played."""

    backend: Backend = "native"
    """`native`: ale-py's C++ environment. `workers`: processes of our own, for training; episodes open in kept states.
    `reference`: gymnasium and OpenCV wrappers, slow and plain. `classic`: gymnasium games of vectors or pictures."""
    num_envs: Environments = 64
    """Environments side by side. Paper: 1. Ours: more, with the same number of updates per step."""
    env_groups: Environments = 1
    """Groups of environments that take turns: while one is acted for, the others play. Must divide `num_envs`.
    Paper: 1."""
    frame_skip: Annotated[int, Range(1, 60, "frames per agent step", "that is a second of play")] = 4
    """Emulator frames per agent step. Paper: action repeat, 4."""
    frame_stack: Annotated[int, Range(1, 255, "frames", "the age of a frame is a byte")] = 4
    """Frames in one observation. Paper: agent history length, 4."""
    noop_max: Annotated[int, Range(0, 1_800, "frames", "that is half a minute of play")] = 30
    """Most no-ops that open an episode, frames; their number is random. Paper: no-op max, 30."""
    sticky_probability: Annotated[float, Range(0, 1, "per frame")] = 0.0
    """Chance that a frame repeats the previous action. Paper: 0. Machado et al. 2018: 0.25."""
    action_set: ActionSet = "paper"
    """`minimal`: the actions that ale-py lists for the game. `paper`: those of the paper's emulator, which differ in
    Pong only (3 instead of 6: none with fire). `full`: all 18 joystick actions. Machado et al. 2018: full."""
    game_mode: ModeOrNone = None
    """Mode of an Atari game, if its cartridge has several; none: the one it starts in. Paper: none."""
    difficulty: ModeOrNone = None
    """Difficulty of an Atari game, if its cartridge has several; none: the one it starts in. Paper: none."""
    env_kwargs: Annotated[str, JsonObject(2_000)] = ""
    """Keyword arguments of a `gym:` game, a JSON object such as {"continuous": false}. Paper: none."""
    wrapper: Annotated[str, Function(200)] = ""
    """`MODULE:FUNCTION` that wraps each `gym:` game, as gymnasium's wrappers do. Paper: none."""
    pad_stack: PadStack = "zeros"
    """Planes of a stack before the first frame of an episode: `zeros`, or `first_frame` repeated. Paper: zeros."""
    fire_on_reset: bool = False
    """Press fire, then action 2, when an episode opens and after a lost life, in evaluations too, where the game has
    fire. Paper: no. stable-baselines3: yes."""
    noop_after_life_loss: bool = False
    """Answer a lost life with one no-op, in training. Paper: no. The wrappers of OpenAI Baselines: yes."""
    terminal_on_life_loss: bool = True
    """In training a lost life ends the Bellman sum (the episode goes on). Paper: yes. Machado et al. 2018: no."""
    max_episode_steps: Annotated[int, Range(1, 10**8, "agent steps", "that is two months of play in one episode")] = (
        27_000
    )
    """Time limit of a training episode, agent steps. Ours: 27,000, which are 108,000 frames or 30 minutes of play."""
    terminal_on_time_limit: bool = False
    """In training the time limit ends the Bellman sum. Paper: no; the sources of the CartPole recipes: yes."""


@dataclass(frozen=True)
class ExplorationConfig:
    """Epsilon-greedy play, and how epsilon falls."""

    epsilon_start: Probability = 1.0
    """Chance of a random action when learning starts. Paper: 1.0."""
    epsilon_end: Probability = 0.1
    """Chance of a random action after the decay. Paper: 0.1."""
    epsilon_decay_steps: Annotated[int, Range(0, LONGEST, "agent steps", YEAR)] = 1_000_000
    """Length of the linear decay, agent steps counted from learning_starts. Paper: 1 million."""
    epsilon_decay_factor: Annotated[float | None, Range(0, 1, "per agent step", below=True)] = None
    """Factor of epsilon at every action, down to epsilon_end, instead of the linear decay; none: the linear decay.
    Paper: none."""
    random_warm_up: bool = True
    """Act at random until learning_starts, and decay from there. Paper: yes. No: epsilon decays from step 0."""
    epsilon_from_zero: bool = False
    """Count the decay from step 0 also with random_warm_up: at learning_starts epsilon is below 1. Paper: no."""
