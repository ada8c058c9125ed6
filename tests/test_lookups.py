"""What can be looked up: the games, this machine, and the words that a shell completes."""

import os
import select
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from atari_dqn.cli import COMMANDS, main
from atari_dqn.commands import doctor
from atari_dqn.commands.completion import bash, fish, vocabulary, zsh
from atari_dqn.commands.doctor import bf16_told, needs_told
from atari_dqn.envs.games import atari_games
from atari_dqn.extras import EXTRAS
from atari_dqn.presets import nature

ROOT = Path(__file__).parent.parent


def test_games_have_their_scores_in_80_columns(capsys):
    assert main(["games"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(atari_games())]] == atari_games()
    rows = [line.split() for line in lines]
    assert ["pong", "-20.7", "9.3", "18.9", "49", "57"] in rows
    assert ["amidar", "5.8", "1,676.0", "739.5", "49", "57", "10"] in rows
    assert ["yars_revenge", "57"] in rows
    assert max(map(len, lines)) <= 80
    assert main(["games", "PACM"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]] == ["ms_pacman", "pacman"]
    assert main(["games", "ALE/MsPacman-v5"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "ms_pacman"
    assert main(["games", "zzz"]) == 2
    assert "no game has 'zzz' in its name" in capsys.readouterr().err


def test_a_narrow_terminal_cuts_no_score(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["games", "video_pinball"]) == 0
    assert "16,257.0  17,298.0  42,684.0" in capsys.readouterr().out


def test_the_overview_fits_80_columns(capsys):
    assert main([]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


# --- completion

TYPED = {
    "atari-dqn tr": "train",
    "atari-dqn train po": "pong pooyan",
    "atari-dqn train pong --pres": "--preset",
    "atari-dqn train pong --preset rain": "rainbow",
    "atari-dqn train pong --preset = rain": "rainbow",  # bash makes three words of it
    "atari-dqn train pong --preset=rain": "--preset=rainbow",  # zsh makes one
    "atari-dqn train pong --no-own": "--no-own-kernels",
    "atari-dqn train pong --run-dir x": "",  # files, by the shell itself
    "atari-dqn suite --games pong brea": "breakout",
    "atari-dqn suite --games pong --dr": "--dry-run",
    "atari-dqn evaluate runs --checkpoint b": "best",
    "atari-dqn video pretrained:po": "pretrained:pong",  # as zsh hands it on
    "atari-dqn video pretrained : po": "pong",  # as bash does
    "atari-dqn train --preset quick gym : Acrobot": "",
    "atari-dqn presets quic": "quick",
    "atari-dqn completion f": "fish",
}


def test_every_command_is_completed():
    assert set(vocabulary()) == set(COMMANDS)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_the_whole_command():
    script = bash(vocabulary()) + "\ncomplete -p atari-dqn\n"
    for line in TYPED:
        words = line.split()
        script += f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _atari_dqn; echo ${{COMPREPLY[@]}}\n"
    out = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True).stdout
    registered, *found = out.splitlines()
    assert registered == "complete -o default -F _atari_dqn atari-dqn"
    assert dict(zip(TYPED, found, strict=True)) == TYPED


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="no bash, or no terminals")
def test_the_tabulator_key_completes(tmp_path):
    pty = pytest.importorskip("pty")
    (tmp_path / "completion").write_text(bash(vocabulary()))
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": "ready> ", "HOME": str(tmp_path)}
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with subprocess.Popen(shell, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True):
        os.close(theirs)

        def until(word):
            shown = b""
            while word not in shown and select.select([ours], [], [], 60.0)[0]:
                shown += os.read(ours, 4_096)
            return shown

        until(b"ready> ")
        os.write(ours, f'source {tmp_path}/completion; atari-dqn() {{ echo "<$*>"; }}\n'.encode())
        until(b"ready> ")
        os.write(ours, b"atari-dqn train breako\t--pres\trainb\t\n")
        shown = until(b">\r\n")
        os.write(ours, b"exit\n")
        until(b"exit\r\n")
    os.close(ours)
    assert b"<train breakout --preset rainbow>" in shown


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(tmp_path):
    (tmp_path / "completion.fish").write_text(fish(vocabulary()))
    lines = [
        "atari-dqn tr",
        "atari-dqn train pong --preset rain",
        "atari-dqn train poo",
        "atari-dqn train pong --no-own",
    ]
    script = f"source {tmp_path}/completion.fish; " + "; ".join(f'complete -C "{line}"' for line in lines)
    environment = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["train", "rainbow", "pooyan", "--no-own-kernels"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_reads_its_script(tmp_path):
    (tmp_path / "completion").write_text(zsh(vocabulary()))
    script = f"source {tmp_path}/completion && whence -w _atari_dqn && print $_comps[atari-dqn]"
    done = subprocess.run(
        ["zsh", "-f", "-c", script], capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)}
    )
    assert done.stdout.splitlines() == ["_atari_dqn: function", "_bash_complete -o default -F _atari_dqn"], done.stderr


# --- doctor


def test_the_doctor_looks_at_all_there_is_in_80_columns(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ATARI_DQN_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor, "play", lambda config, seconds: (6_000, 1.0))
    monkeypatch.setattr("atari_dqn.runs.machine.time_update", lambda *_: 0.008)
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    messages = [line for line in err.splitlines() if not line.endswith("...")]
    assert len(set(messages)) == len(messages), "said once"
    for word in ("python", "torch", "compiler", "ffmpeg", "extras", "processor", "GPU", "memory", "disk", "presets"):
        assert f"\n{word} " in f"\n{out}"
    assert "pong: 6,000 agent steps/s played" in out
    # 590,000 steps of 2 ms and 1 / 6 ms, 10,000 updates, 10,000 steps and eight evaluations of play: 1,372 s
    assert "quick: 8.0 ms an update in fp32, 600,000 steps in about 22:5" in out
    assert "kept       no measurement of --precision auto yet" in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_doctor_says_which_folders_cannot_be_written(monkeypatch):
    monkeypatch.setenv("ATARI_DQN_CACHE", "/sys/kept")  # a place that nobody can write
    (_, kept) = next(doctor.kept())
    assert kept.startswith("no measurement of --precision auto, and none will be: /sys/kept cannot be written (")
    disk = next(told for name, told in doctor.needs(Path("/sys/runs")) if name == "disk")
    assert " free in /sys, where no run can be written (" in disk and disk.endswith("another folder with --runs-dir")


def test_what_presets_need_is_told_together():
    gib = 2**30
    needed = {"nature": (7 * gib - 5, 12 * gib), "rainbow": (6 * gib + 1, 11 * gib + 1), "cartpole": (1_000, 5_000)}
    assert needs_told(needed, memory=8 * gib, disk=12 * gib) == [
        "nature, rainbow: 7 GiB of memory, up to 12 GiB of disk: fits",
        "cartpole: 1 GiB of memory, up to 1 GiB of disk: fits",
    ]
    assert needs_told(needed, memory=gib, disk=gib)[0] == (
        "nature, rainbow: 7 GiB of memory, up to 12 GiB of disk: too much for the memory and the disk, lower --capacity"
    )


def test_bfloat16_by_the_flags_of_a_processor():
    assert bf16_told(["fpu", "avx512_bf16", "amx_bf16"]) == "bf16 by AMX"
    assert bf16_told(["fpu", "avx512_bf16"]) == "bf16 by AVX-512"
    assert bf16_told(["fpu", "avx2"]) == "no bf16"
    assert bf16_told([]) == "bf16 unknown"


def test_the_extras_that_are_asked_for_are_those_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) - set(EXTRAS) <= {"dev", "docs", "kernels"}
    assert set(EXTRAS) <= set(extras)


@pytest.mark.parametrize(
    ("words", "told"),
    [("--seconds -1", "seconds is -1.0"), ("--game pongg", "did you mean pong"), ("--game cartpole", "is for Atari")],
)
def test_a_wrong_word_for_the_doctor(words, told, capsys):
    assert main(["doctor", *words.split()]) == 2
    assert told in capsys.readouterr().err


def test_play_counts_agent_steps():
    steps, took = doctor.play(nature("pong").replace(num_envs=2, env_threads=1), 0.0)
    assert steps == 2
    assert took > 0.0
