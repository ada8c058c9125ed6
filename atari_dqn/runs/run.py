"""What `train` hands back, and a trained network that acts: a run from Python."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from atari_dqn.config import Config
from atari_dqn.envs.games import code_of
from atari_dqn.evaluation.player import Player
from atari_dqn.evaluation.protocols import protocol_named
from atari_dqn.runs.evaluate import EVERY_GAME, PlayedEvaluation, Selection, evaluate_run, load_player
from atari_dqn.runs.folder import read_done
from atari_dqn.runs.logger import METRICS
from atari_dqn.runs.torch_defaults import torch_defaults
from atari_dqn.safe_files import LOG_BYTES, parse_json, read_text
from atari_dqn.storage.steps import Which
from atari_dqn.video.record import FilmedEpisode, film_episode


@dataclass(frozen=True)
class Run:
    """A run whose process has ended, finished or not."""

    folder: Path
    config: Config = field(repr=False)  # a notebook shows the last value: a line, not every setting
    """What it does, as it was resolved for this machine."""
    exit_code: int
    """Of the command line: 0, 130 after Ctrl-C, 143 after SIGTERM."""
    model: nn.Module | None = field(default=None, repr=False)
    """The network, where it is the caller's own; left as it is by all that is done here."""

    @property
    def finished(self) -> bool:
        """Has all been played that the config asks for? No: it was stopped, and a resume goes on with it."""
        return read_done(self.folder) is not None

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The curves, one dict a point: `step` (agent steps), `frame`, `time` (seconds since 1970), and its tags.

        Points of training (`train/loss`, ...) and of evaluations (`eval/episode_return`, ...) stand in one list, in the
        order in which they were written; a value that is no number is None.
        """
        text = read_text(self.folder / METRICS, LOG_BYTES, errors="replace")
        return [parse_json(line) for line in text.splitlines()]

    def evaluate(self, selection: Selection = EVERY_GAME, *, which: Which = "last") -> PlayedEvaluation:
        """Play a protocol with a checkpoint of the run; see `evaluate_run`."""
        return evaluate_run(self.folder, selection, which=which, **self._own_parts())

    @torch_defaults()
    def video(
        self,
        out: Path | str,
        *,
        which: Which = "last",
        protocol: str = "auto",
        episode: int = 0,
        seed: int = 0,
        overlay: bool = False,
        seconds: float | None = None,
    ) -> FilmedEpisode:
        """Film one episode of an evaluation.

        Args:
          out:      the file; its ending says what: .mp4 (needs the `video` extra), .gif or .png (the last picture).
          which:    "last" or "best" checkpoint.
          protocol: auto, nature, sticky or monitor.
          episode:  number in the evaluation, from 0.
          seed:     root of the episodes' seeds.
          overlay:  draw what the network sees and thinks beside the game.
          seconds:  film no more than this from the start; None for the whole episode.

        Raises:
          UsageError: there is no such game or checkpoint, or it cannot be filmed here.
        """
        player = load_player(self.folder, which=which, device="auto", **self._own_parts())
        return film_episode(
            player,
            protocol_named(protocol, player.config),
            number=episode,
            seed=seed,
            outs=[Path(out)],
            overlay=overlay,
            seconds=seconds,
        )

    def _own_parts(self) -> dict[str, Any]:
        """What an evaluation needs of the caller: the code of the game was executed to train it."""
        return {"model": copy.deepcopy(self.model), "allow_import": code_of(self.config) is not None}


@torch_defaults()
def load(
    path: Path | str,
    *,
    which: Which = "last",
    device: str = "auto",
    model: nn.Module | None = None,
    allow_import: bool = False,
) -> Player:
    """A trained network, ready to act: `load("pretrained:pong").act(obs)`.

    Args:
      path:   a run folder, one of its checkpoints, or `pretrained:<game>`.
      which:  "last" or "best" checkpoint of a run folder.
      device: auto, cpu, cuda or mps.
      model:  a network of the same build, where the run has one of your own; its weights are replaced.
      allow_import: let the run's game execute what the run names: MODULE of `gym:MODULE:ID`, a wrapper, env_kwargs.

    Raises:
      UsageError: no such run, checkpoint or network, or one that does not fit.
    """
    return load_player(Path(path), which=which, device=device, model=model, allow_import=allow_import)
