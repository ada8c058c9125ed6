"""`atari-dqn watch RUN`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from atari_dqn.commands import parse, refuse_negative
from atari_dqn.errors import UsageError
from atari_dqn.evaluation.protocols import ProtocolName, protocol_named
from atari_dqn.extras import require
from atari_dqn.host import has_display
from atari_dqn.runs.display import Display
from atari_dqn.runs.refusals import check_played
from atari_dqn.runs.terminal import say
from atari_dqn.storage.steps import Which, list_steps

if TYPE_CHECKING:  # torch takes seconds: wrong flags are answered before
    from atari_dqn.evaluation.player import Player
    from atari_dqn.video.window import Screen

LAST_PORT = 65_535


@dataclass(frozen=True)
class Watch:
    """Watch a network play, the newest one of a run that is still training.

    In the window P pauses, N goes on to the next episode, Esc ends.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder, one of its checkpoints (checkpoints/step_...), or pretrained:<game>."""
    browser: bool = False
    """Play on a page in a browser instead of in a window. Without a display it is always a page."""
    port: int = 0
    """Port of the page, which this machine serves to itself alone (127.0.0.1); 0: any free one."""
    overlay: bool = True
    """Show beside the game what the network sees, its Q-values and the chosen action."""
    episodes: int = 0
    """Episodes to play; 0: no end."""
    protocol: ProtocolName = "auto"
    """The evaluation that the episodes are taken from. `auto`: greedy for vector games, sticky for runs with sticky
    actions, else nature."""
    episode: int = 0
    """The first episode to play; they count from 0."""
    seed: int = 0
    """Root of the episodes' seeds, as in `evaluate`."""
    checkpoint: Which = "last"
    """Which checkpoint of a run folder: the newest, or the one with the best evaluation so far."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `mps`."""
    torch_threads: int = 0
    """CPU threads of the network; 0 for one."""
    allow_import: bool = False
    """Execute what the run's game names: MODULE of `gym:MODULE:ID`, a wrapper, env_kwargs."""


def run(words: Sequence[str]) -> int:
    """Show episodes of a run, a checkpoint or a pretrained network; returns the exit code."""
    command = parse(Watch, words, prog="atari-dqn watch")
    refuse_negative(command, "episodes", "episode", "seed", "torch_threads")
    if not 0 <= command.port <= LAST_PORT:
        raise UsageError(f"port is {command.port}; it must lie in [0, {LAST_PORT:,}]")
    config = check_played(
        command.run, protocol=command.protocol, device=command.device, allow_import=command.allow_import
    )
    in_browser = command.browser or not has_display()
    if not in_browser:
        require("play", "a window needs", "; or use --browser")
    from atari_dqn.video.gym_camera import make_camera, require_to_draw

    require_to_draw(config)
    with Display() as display:
        display.doing("loading torch")
        from atari_dqn.seeding import stream
        from atari_dqn.video.record import show_episode

        newest, player = _newest(command), _load(command)
    protocol = protocol_named(command.protocol, player.config)
    last = command.episode + command.episodes - 1 if command.episodes else None
    with (
        closing(make_camera(protocol.env_config(player.config, 1))) as camera,
        closing(_screen(command, player, camera.fps, in_browser)) as screen,
    ):
        for number in itertools.count(command.episode):
            if (there := _newest(command)) != newest:
                newest, player = there, _load(command)
            one_episode, root = protocol.only(number), stream(command.seed, "eval")
            options = {"overlay": command.overlay, "should_stop": lambda: screen.closed or screen.next_episode()}
            shown = show_episode(player, one_episode, root, camera, [screen], **options)
            told = f"score {shown.score:.0f} after {shown.steps:,} steps" + ", not played out" * (not shown.whole)
            say(f"episode {number}, network of step {player.step:,}: {told}")
            if screen.closed or number == last:
                return 0
    raise AssertionError("the numbers of episodes never end")


def _load(command: Watch) -> Player:
    from atari_dqn.runs.evaluate import load_player

    return load_player(
        command.run,
        which=command.checkpoint,
        device=command.device,
        allow_import=command.allow_import,
        torch_threads=command.torch_threads,
        env_threads=1,
    )


def _newest(command: Watch) -> Path | None:
    """The newest checkpoint of a run folder; None of anything else."""
    return next(reversed(list_steps(command.run / "checkpoints")), None)


def _screen(command: Watch, player: Player, fps: int, in_browser: bool) -> Screen:
    title = f"{player.config.game}, {command.run}"
    if not in_browser:
        from atari_dqn.video.window import Window

        try:
            return Window(title, fps)
        except UsageError as error:
            raise UsageError(f"{error}; or use --browser") from error
    from atari_dqn.video.browser import Page

    page = Page(title, fps, command.port)
    why = "" if command.browser else "no display here, so "
    say(f"{why}in a browser: {page.address} (Ctrl-C ends)")
    return page
