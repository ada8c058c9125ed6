"""`atari-dqn video RUN`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from atari_dqn.commands import parse, refuse_negative
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import ProtocolName, protocol_named
from atari_dqn.extras import require
from atari_dqn.runs.display import Display
from atari_dqn.runs.folder import refuse_unwritable
from atari_dqn.runs.lock import refuse_links
from atari_dqn.runs.refusals import check_played
from atari_dqn.runs.terminal import stdout_kept_clean
from atari_dqn.storage.steps import Which
from atari_dqn.video.writers import kind_of_film

if TYPE_CHECKING:  # torch takes seconds: wrong flags are answered before
    from atari_dqn.evaluation.player import Player
    from atari_dqn.video.record import FilmedEpisode


@dataclass(frozen=True)
class Video:
    """Film one episode of an evaluation, in true colours and at 60 frames per second."""

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder, one of its checkpoints (checkpoints/step_...), or pretrained:<game>."""
    out: Path | None = None
    """File to write: .mp4 (H.264, needs the `video` extra), .gif (30 frames per second, half the size) or .png (the
    last picture). Default: RUN/videos/<protocol>_<checkpoint>_game<episode>.mp4, or <game>.mp4 here."""
    gif: bool = False
    """Write a .gif beside the video, too."""
    overlay: bool = False
    """Show beside the game what the network sees, its Q-values and the chosen action."""
    seconds: float | None = None
    """Film no more than this from the start of the episode."""
    protocol: ProtocolName = "auto"
    """The evaluation that the episode is taken from. `auto`: greedy for vector games, sticky for runs with sticky
    actions, else nature."""
    episode: int = 0
    """Which of its episodes; they count from 0."""
    seed: int = 0
    """Root of the episodes' seeds, as in `evaluate`."""
    checkpoint: Which = "last"
    """Which checkpoint of a run folder: the newest, or the one with the best evaluation during training."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `mps`."""
    torch_threads: int = 0
    """CPU threads of the network; 0 for one: observations are few at a time, and more threads wait for each other."""
    env_threads: int = 0
    """Threads of the emulators; 0 for all cores."""
    allow_import: bool = False
    """Execute what the run's game names: MODULE of `gym:MODULE:ID`, a wrapper, env_kwargs."""
    json: bool = False
    """Print one line of JSON on stdout, and all else on stderr."""


def run(words: Sequence[str]) -> int:
    """Film an episode of a run, a checkpoint or a pretrained network; returns the exit code."""
    command = parse(Video, words, prog="atari-dqn video")
    refuse_negative(command, "episode", "seed", "torch_threads", "env_threads")
    if command.seconds is not None and not command.seconds > 0:
        raise UsageError(f"seconds is {command.seconds}; it must be a positive number")
    with stdout_kept_clean(command.json):  # a game may print, too
        film = _checked_and_filmed(command)
    if command.json:
        print(json.dumps(dataclasses.asdict(film)))
    return 0


def _checked_and_filmed(command: Video) -> FilmedEpisode:
    config = check_played(
        command.run, protocol=command.protocol, device=command.device, allow_import=command.allow_import
    )
    from atari_dqn.video.gym_camera import require_to_draw  # gymnasium takes a moment: wrong names are answered before

    if command.out is not None:
        kind_of_film(command.out)
        refuse_unwritable(command.out.parent, "a film into", "--out")
    if command.out is None or command.out.suffix == ".mp4":
        require("video", "an .mp4 needs", " (a .gif does without)")
    require_to_draw(config)
    with Display() as display:
        display.doing("loading torch")
        return _film(command, display)


def _film(command: Video, display: Display) -> FilmedEpisode:
    from atari_dqn.runs.evaluate import load_player
    from atari_dqn.video import record as video

    player = load_player(
        command.run,
        which=command.checkpoint,
        device=command.device,
        allow_import=command.allow_import,
        torch_threads=command.torch_threads,
        env_threads=command.env_threads,
    )
    protocol = protocol_named(command.protocol, player.config)
    out = command.out or _default_out(command, protocol.name, player)
    refuse_unwritable(out.parent, "a film into", "--out")  # before the episode is played
    with display.episodes(protocol.only(command.episode)) as watch:
        film = video.film_episode(
            player,
            protocol,
            number=command.episode,
            seed=command.seed,
            outs=list(dict.fromkeys([out, *([out.with_suffix(".gif")] if command.gif else [])])),
            overlay=command.overlay,
            seconds=command.seconds,
            watch=watch,
        )
    for line in video.video_lines(film):
        print(line)
    return film


def _default_out(command: Video, protocol: str, player: Player) -> Path:
    if (command.run / "config.json").is_file() and (command.run / "checkpoints").is_dir():
        refuse_links(command.run)
        return command.run / "videos" / f"{protocol}_{command.checkpoint}_game{command.episode}.mp4"
    return Path(f"{player.config.game.replace(':', '_')}.mp4")
