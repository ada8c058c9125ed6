"""The command line: finds the command, runs it, and turns bad input into one message."""

from __future__ import annotations

import difflib
import errno
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper

from atari_dqn import __version__
from atari_dqn.errors import UsageError, refusal
from atari_dqn.host import refuse_little_address_space
from atari_dqn.runs.terminal import broken_at_words, messages_shown, say, silence

EXIT_USAGE = 2
EXIT_UNREAD = 141  # 128 + SIGPIPE, as of other programs
NAME_BYTES = 240  # file systems take 255, and a file that is being written is called `<name>.partial`
PATH_BYTES = 2_000  # Linux takes 4,095, with the folder in which a relative path begins
OF_PATHS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR}
COMMANDS = {  # modules of atari_dqn.commands, imported when they are asked for
    "train": ("GAME", "train; GAME: pong, ms_pacman, ..., cartpole, or gym:ID"),
    "evaluate": ("RUN", "play episodes, with a network or without, and score"),
    "suite": ("", "train many games and seeds, here or on a cluster"),
    "report": ("RUNS", "a page and tables about runs: scores and curves"),
    "compare": ("PRESET...", "several presets with the same games and seeds, a report"),
    "video": ("RUN", "film an episode, with what the network sees and thinks"),
    "watch": ("RUN", "a network plays in a window, also while it trains"),
    "export": ("RUN", "write a network as ONNX, TorchScript, or for a hub"),
    "play": ("GAME", "play a game yourself, with the keyboard"),
    "presets": ("[NAME]", "list the presets, or tell what one of them changes"),
    "games": ("[PART]", "list the games, with published scores"),
    "doctor": ("", "look at this machine: what it has, what fits, its speed"),
    "completion": ("SHELL", "print the completion script of bash, zsh or fish"),
    "compare-approximators": ("", "CartPole with a table, polynomials and a network"),
    "ablation": ("", "with and without replay and target network"),
}
WITHOUT_TORCH = ("presets", "report", "games", "completion")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 2 bad input, 130 after Ctrl-C, 141 if nobody reads the output.

    Args:
      arguments: words after the program's name; None takes them from the process.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of few letters shows question marks for the others
    try:
        try:
            with messages_shown():
                return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_has_gone():
            raise
        return EXIT_UNREAD
    except OSError as error:  # of a stdout that leads into a file, mostly
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        silence(sys.stdout)
        return _fail("the disk that is written to is full; make room, then try again")


def _reader_has_gone() -> bool:
    """Was stdout closed at its other end, as by `| head`? Then it is silenced."""
    try:
        print(flush=True)
    except BrokenPipeError:
        silence(sys.stdout)
        return True
    return False


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"atari-dqn {__version__}")
        return 0
    if words[0] not in COMMANDS:
        near = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(COMMANDS)}"
        return _fail(f"unknown command {words[0]!r}; {hint}")
    for before, word in zip(words, words[1:], strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            told = f"{word} has no value" if word else f"an empty word stands after {before}"
            return _fail(f"{told}; is a variable of your shell not set? Give a value, or leave the flag out")
    try:
        return _run_command(words)
    except UsageError as error:
        return _fail(str(error))
    except (MemoryError, RuntimeError, OSError, ImportError) as error:
        if (refused := refusal(error) or _of_a_path(error)) is None:
            raise
        return _fail(refused)
    except KeyboardInterrupt:
        return 130


def _of_a_path(error: BaseException) -> str | None:
    """What the file system said of a path that somebody named; None for an error of another kind."""
    if not isinstance(error, OSError) or error.filename is None or error.errno not in OF_PATHS:
        return None
    return f"{error.filename} cannot be read or written ({error.strerror}); name another path, or mend its permissions"


def _run_command(words: list[str]) -> int:
    check_words(words)
    if words[0] not in WITHOUT_TORCH:
        refuse_little_address_space()
    return int(import_module(f"atari_dqn.commands.{words[0].replace('-', '_')}").run(words[1:]))


def check_words(words: Sequence[str]) -> None:
    """Refuse words that no game, flag or path can be.

    Raises:
      UsageError: one is empty, holds a NUL, or is longer than a file system takes.
    """
    for word in words:
        content = word.encode("utf-8", "surrogatepass")
        if not word or (word.startswith("--") and word.endswith("=")):
            raise UsageError("a word of the command line is empty; give it a value, or leave it out")
        if "\0" in word:
            raise UsageError(f"{word[:40]!r} holds a NUL; leave it out")
        if len(content) > PATH_BYTES or max(map(len, content.split(b"/"))) > NAME_BYTES:
            raise UsageError(
                f"{word[:40]}... is too long: a path has at most {PATH_BYTES:,} bytes, {NAME_BYTES} between slashes"
            )


def entry() -> None:
    """The console script."""
    sys.exit(main())


def _fail(message: str) -> int:
    say(broken_at_words(f"atari-dqn: {message}"))
    return EXIT_USAGE


def _overview() -> str:
    lines = [f"  {f'{name} {argument}':<22} {text}" for name, (argument, text) in COMMANDS.items()]
    return f"""atari-dqn {__version__}: the DQN of Mnih et al. 2015, trained on Atari from pixels

usage: atari-dqn COMMAND [options]        each command has its own --help

{chr(10).join(lines)}

  e.g. atari-dqn train pong --preset quick

A run lives in one folder, runs/<game>/<preset>/seed<seed>.
Watch it with: tensorboard --logdir runs"""
