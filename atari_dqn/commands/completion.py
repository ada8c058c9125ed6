"""`atari-dqn completion SHELL`: what a shell needs to complete the words of every command.

The script holds all words: a shell that completes does not wait for Python. They are read from the dataclasses behind
the commands, so a new flag is in it by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from atari_dqn.commands import parse
from atari_dqn.commands.ablation import Ablation
from atari_dqn.commands.compare_approximators import CompareApproximators
from atari_dqn.commands.doctor import Doctor
from atari_dqn.commands.evaluate import Evaluate
from atari_dqn.commands.export import Export
from atari_dqn.commands.flags import flags_of
from atari_dqn.commands.games import Games
from atari_dqn.commands.play import Play
from atari_dqn.commands.presets import Presets
from atari_dqn.commands.report import Report
from atari_dqn.commands.suite_flags import Suite
from atari_dqn.commands.train import Train
from atari_dqn.commands.video import Video
from atari_dqn.commands.watch import Watch
from atari_dqn.envs.games import atari_games
from atari_dqn.presets import PRESETS
from atari_dqn.published.scores import GAME_SETS

PROGRAM = "atari-dqn"


@dataclass(frozen=True)
class Completion:
    """Print the script by which a shell completes the words of atari-dqn.

    - bash: `source <(atari-dqn completion bash)` in ~/.bashrc
    - zsh: `source <(atari-dqn completion zsh)` in ~/.zshrc
    - fish: `atari-dqn completion fish > ~/.config/fish/completions/atari-dqn.fish`
    """

    shell: Annotated[tyro.conf.Positional[Literal["bash", "zsh", "fish"]], tyro.conf.arg(metavar="SHELL")]
    """`bash`, `zsh` or `fish`."""


class Words(NamedTuple):
    """What may follow a command."""

    first: tuple[str, ...]
    """Words that are no flags, such as games; files come beside them."""
    flags: dict[str, tuple[str, ...] | None]
    """Each flag, with the values that are known; () for any other value, or a file; None for no value at all."""


def run(words: Sequence[str]) -> int:
    """Print the script; returns the exit code."""
    shell = parse(Completion, words, prog="atari-dqn completion").shell
    print({"bash": bash, "zsh": zsh, "fish": fish}[shell](vocabulary()))
    return 0


def vocabulary() -> dict[str, Words]:
    """All commands, each with its words."""
    games = (*atari_games(), "cartpole")
    networks = tuple(f"pretrained:{path.name}" for path in (files("atari_dqn") / "data" / "pretrained").iterdir())
    presets = tuple(PRESETS)
    known = {"--preset": presets, "--games": (*games, *GAME_SETS)}
    suite = words_of(Train, known) | words_of(Suite, known)
    return {
        "train": Words(games, words_of(Train, known)),
        "evaluate": Words((*networks, *games), words_of(Evaluate, known)),
        "suite": Words((), suite),
        "report": Words((), words_of(Report, known)),
        "compare": Words(presets, suite),
        "video": Words(networks, words_of(Video, known)),
        "export": Words(networks, words_of(Export, known)),
        "watch": Words(networks, words_of(Watch, known)),
        "play": Words(tuple(atari_games()), words_of(Play, known)),
        "presets": Words(presets, words_of(Presets, known)),
        "games": Words(games, words_of(Games, known)),
        "doctor": Words((), words_of(Doctor, known)),
        "completion": Words(("bash", "zsh", "fish"), words_of(Completion, known)),
        "compare-approximators": Words((), words_of(CompareApproximators, known)),
        "ablation": Words((), words_of(Ablation, known)),
    }


def words_of(kind: Any, known: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...] | None]:
    """Flags of a dataclass, each with its values; `known`: values of some that its types do not tell."""
    words: dict[str, tuple[str, ...] | None] = {"--help": None}
    for flag in flags_of(kind):
        if flag.positional or flag.suppressed:
            continue
        if flag.kind is bool:
            words |= {flag.name: None, f"--no-{flag.name[2:]}": None}
        else:
            words[flag.name] = known.get(flag.name, flag.choices)
    return words


BASH = """# Completes the words of atari-dqn; made by `atari-dqn completion {shell}`.
{before}_atari_dqn() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} place words="" known="" kept=""
    if [[ $word == ":" ]]; then  # bash makes three words of pretrained:pong, and completes the last
        known=$before:
    elif [[ $before == ":" ]]; then
        known=${{COMP_WORDS[COMP_CWORD-2]}}:
    elif [[ $word == --*=* ]]; then  # zsh makes one of --preset=quick
        before=${{word%%=*}} kept=${{word%%=*}}= word=${{word#*=}}
    fi
    if [[ $word == "=" || $word == ":" ]]; then
        word=""
    elif [[ $before == "=" ]]; then
        before=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    for (( place = COMP_CWORD - 1; place > 1; place-- )); do  # the values of a list
        [[ ${{COMP_WORDS[place]}} == --games ]] && before=--games
        [[ ${{COMP_WORDS[place]}} == --* ]] && break
    done
    if (( COMP_CWORD == 1 )); then
        words="{commands} --help --version"
    elif [[ $word == -* ]]; then
        case ${{COMP_WORDS[1]}} in
{flags}
        esac
    else
        case "${{COMP_WORDS[1]}} $before" in
{values}
        esac
    fi
    COMPREPLY=( $(compgen -P "$kept" -W "$words" -- "$known$word") )
    COMPREPLY=( "${{COMPREPLY[@]#"$known"}}" )
}}
complete -o default -F _atari_dqn {program}"""


def bash(words: Mapping[str, Words], shell: str = "bash", before: str = "") -> str:
    """The script for bash."""
    flags = [f'            {name}) words="{" ".join(found.flags)}" ;;' for name, found in words.items()]
    values = []
    for command, found in words.items():
        for flag, choices in found.flags.items():
            if choices is not None:
                values.append(f'            "{command} {flag}") words="{" ".join(choices)}" ;;')
        values.append(f'            "{command} "*) words="{" ".join(found.first)}" ;;')
    return BASH.format(
        shell=shell,
        before=before,
        program=PROGRAM,
        commands=" ".join(words),
        flags="\n".join(flags),
        values="\n".join(values),
    )


def zsh(words: Mapping[str, Words]) -> str:
    """The script for zsh, which understands that of bash."""
    return bash(words, "zsh", "autoload -U +X compinit bashcompinit && compinit -i && bashcompinit\n")


def fish(words: Mapping[str, Words]) -> str:
    """The script for fish."""
    lines = [f"# Completes the words of {PROGRAM}; made by `{PROGRAM} completion fish`."]
    for command, found in words.items():
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -f -a {command}")
        here = f'complete -c {PROGRAM} -n "__fish_seen_subcommand_from {command}"'
        if found.first:
            lines.append(f'{here} -a "{" ".join(found.first)}"')
        for flag, choices in found.flags.items():
            takes = "" if choices is None else f' -x -a "{" ".join(choices)}"' if choices else " -r"
            lines.append(f"{here} -l {flag[2:]}{takes}")
    return "\n".join(lines)
