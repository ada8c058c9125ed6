"""Films one episode of an evaluation: the same one, action for action, that `atari-dqn evaluate` scores.

    evaluate ----- plays episode K ---> score
        | watch: what was seen, Q-values, action
        v
    camera ------- same seed, same actions ------> every screen, 60 a second -> film

Episode K has a seed of its own, for the emulator and for the coin of the policy, so it is played alone here by the same
`evaluate`. The camera's points are compared with the episode's at each step: a film never shows
another one than that which is scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from atari_dqn.dqn.agent import Agent
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.play import EvalStep, episode_seed, play
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.protocols import EvalProtocol
from atari_dqn.evaluation.result import edge_told, game_title
from atari_dqn.seeding import stream
from atari_dqn.video.camera import Camera
from atari_dqn.video.gym_camera import make_camera
from atari_dqn.video.panel import HEIGHT, AgentView, Panel
from atari_dqn.video.writers import Film, filming


@dataclass(frozen=True)
class FilmedEpisode:
    """An episode of an evaluation that was filmed; `atari-dqn video --json` prints it."""

    game: str
    protocol: str
    episode: int
    """Its number in the evaluation."""
    seed: int
    """Root of the evaluation's seeds."""
    checkpoint: str
    step: int
    """Agent step of the network."""
    episode_return: float
    """Raw score."""
    episode_length: int
    """Agent steps."""
    whole: bool
    """Was it played out?"""
    frames: int
    """That were filmed."""
    seconds: float
    """Length of the film."""
    files: tuple[str, ...]


def film_episode(
    player: Player,
    protocol: EvalProtocol,
    *,
    number: int,
    seed: int,
    outs: Sequence[Path],
    overlay: bool,
    seconds: float | None = None,
    watch: Callable[[EvalStep], None] = lambda moment: None,
) -> FilmedEpisode:
    """Play one episode of an evaluation and write it to films.

    Args:
      player:   who plays.
      protocol: of the evaluation.
      number:   of the episode, from 0.
      seed:     root of the episodes' seeds, as of the evaluation.
      outs:     files to write; the ending says what (.mp4, .gif, .png).
      overlay:  draw what the agent sees and thinks beside the game.
      seconds:  film no more than this from the start; None for the whole episode.
      watch:    is shown every step.

    Raises:
      UsageError: there is no such episode, or the game cannot be filmed here.
    """
    one_episode, root = _one_episode(protocol, number), stream(seed, "eval")
    with closing(make_camera(one_episode.env_config(player.config, 1))) as camera, filming(outs, camera.fps) as films:
        limit = math.inf if seconds is None else seconds * camera.fps
        shown = show_episode(player, one_episode, root, camera, films, overlay=overlay, limit=limit, watch=watch)
    return FilmedEpisode(
        game=player.game,
        protocol=protocol.name,
        episode=number,
        seed=seed,
        checkpoint=player.source,
        step=player.step,
        episode_return=shown.score,
        episode_length=shown.steps,
        whole=shown.whole,
        frames=shown.frames,
        seconds=round(shown.frames / camera.fps, 3),
        files=tuple(str(path) for path in outs),
    )


class Shown(NamedTuple):
    """What came of an episode that was shown."""

    score: float
    steps: int  # agent steps
    frames: int
    whole: bool  # played out


def show_episode(
    player: Player,
    protocol: EvalProtocol,
    root: np.random.SeedSequence,
    camera: Camera,
    films: Sequence[Film],
    *,
    overlay: bool,
    limit: float = math.inf,
    should_stop: Callable[[], bool] = lambda: False,
    watch: Callable[[EvalStep], None] = lambda moment: None,
) -> Shown:
    """Play one episode, and hand its pictures to films as they come.

    Args:
      player:      who plays.
      protocol:    of the one episode, see `EvalProtocol.only`.
      root:        of the episodes' seeds.
      camera:      made for the protocol's environments.
      films:       where the pictures go.
      overlay:     draw what the agent sees and thinks beside the game.
      limit:       frames after which it is given up.
      should_stop: asked every step; True gives it up.
      watch:       is shown every step.

    Raises:
      UsageError: the camera sees another episode than the one that is played.
    """
    policy = _Thinking(player.agent)
    camera.open(episode_seed(root, protocol.first_episode))
    take = _Take(camera, films, policy, _panel(player, protocol, camera) if overlay else None)

    def film(moment: EvalStep) -> None:
        take.watch(moment)
        watch(moment)

    def stop() -> bool:
        return take.frames >= limit or should_stop()

    scores = play(policy, player.config, protocol, num_envs=1, seed=root, watch=film, should_stop=stop)
    return Shown(take.score, take.steps, take.frames, scores is not None)


def _one_episode(protocol: EvalProtocol, number: int) -> EvalProtocol:
    if protocol.episodes is not None and number >= protocol.episodes:
        raise UsageError(
            f"episode is {number}, but protocol {protocol.name} has {protocol.episodes} episodes; they count from 0"
        )
    return protocol.only(number)


def _panel(player: Player, protocol: EvalProtocol, camera: Camera) -> Panel:
    subtitle = f"network of step {player.step:,}, protocol {protocol.name}, epsilon {protocol.epsilon:g}"
    return Panel(game_title(player.game), subtitle, camera.action_names, camera.frame_skip / camera.fps)


class _Thinking:
    """A policy of one episode that remembers what it saw and thought of it; the rows of a batch are all alike."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent

    def predict(self, obs: Tensor) -> np.ndarray:
        self.planes = obs[0].cpu().numpy()
        self.obs = obs
        action = self.agent.predict(obs)  # first: it silences the noise that the Q-values would else be shown with
        self.q = self.agent.algorithm.predict(obs)[0].cpu().numpy()
        return action

    def returns_of(self, action: int) -> tuple[np.ndarray, np.ndarray] | None:
        """What a distributional network expects of an action, see `DQN.distribution`; None of others."""
        actions = torch.full((len(self.obs),), action, device=self.obs.device)
        found = self.agent.algorithm.distribution(self.obs, actions)
        return None if found is None else (found[0][0].cpu().numpy(), found[1][0].cpu().numpy())


class _Take:
    """The filming of one episode, from its first action on."""

    def __init__(self, camera: Camera, films: Sequence[Film], policy: _Thinking, panel: Panel | None) -> None:
        self.camera, self.films, self.policy, self.panel = camera, films, policy, panel
        self.score = 0.0
        self.steps = self.frames = 0

    def watch(self, moment: EvalStep) -> None:
        """Film one agent step.

        Raises:
          UsageError: the camera's episode is no longer the one that is played.
        """
        action = int(moment.action[0])
        returns = self.policy.returns_of(action) if self.panel else None
        decision = AgentView(self.steps, self.policy.planes, self.policy.q, action, bool(moment.explored[0]), returns)
        shots = self.camera.play(action)
        gained, over, step = sum(shot.reward for shot in shots), shots[-1].over, moment.step
        ended = bool(step.terminated[0] and step.finished[0])  # a lost life ends nothing
        if gained != step.reward[0] or (over != ended and not step.truncated[0]):
            raise UsageError(
                f"at step {self.steps} the camera saw another episode than the one that is scored "
                f"({gained:g} points, not {step.reward[0]:g}); {self.camera.why_it_strays}"
            )
        drawn = None
        for shot in shots:
            if self.panel and (drawn is None or shot.reward):
                drawn = self.panel.draw(decision, self.score + shot.reward)
            self.score += shot.reward
            picture = self.camera.picture(shot.screen, HEIGHT)
            for film in self.films:
                film.add(picture if drawn is None else np.concatenate([picture, drawn], axis=1))
        self.steps, self.frames = self.steps + 1, self.frames + len(shots)


def video_lines(film: FilmedEpisode) -> list[str]:
    """A filmed episode in words."""
    what = f"episode {film.episode} of protocol {film.protocol} with seed {film.seed}"
    score = f"score {edge_told(film.episode_return)} after {film.episode_length:,} agent steps"
    told = score if film.whole else f"{score}, not played out"
    return [f"{film.game}, {what}", told, *(f"{path}: {film.seconds:.1f} s at 4:3" for path in film.files)]
