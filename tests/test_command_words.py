"""What people type: names of games, numbers, the order of words, slips; and how soon a wrong word is answered."""

import os
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from atari_dqn.cli import COMMANDS, main
from atari_dqn.commands.evaluate import Evaluate
from atari_dqn.commands.flags import refuse_misfits
from atari_dqn.commands.parser import whole_number
from atari_dqn.commands.suite import Suite, configs_of
from atari_dqn.commands.train import parse_command, split_game
from atari_dqn.envs.games import atari_games, check_rom, known_game
from atari_dqn.errors import UsageError
from atari_dqn.extras import EXTRAS
from atari_dqn.presets import cartpole
from atari_dqn.runs.terminal import stdout_kept_clean
from tests.fakes import make_run

NAMES = {
    "Pong": "pong",
    "PongNoFrameskip-v4": "pong",
    "ALE/Pong-v5": "pong",
    "MsPacman": "ms_pacman",
    "ms-pacman": "ms_pacman",
    "SpaceInvadersDeterministic-v4": "space_invaders",
    "CartPole": "cartpole",
    "gym:Acrobot-v1": "gym:Acrobot-v1",
}


@pytest.mark.parametrize(("name", "game"), NAMES.items())
def test_a_game_goes_by_the_names_of_others(name, game):
    assert known_game(name) == game
    assert parse_command(name, []).config.game == game


def test_names_of_gymnasium_are_those_of_ale_py():
    import gymnasium

    ids = {spec.id: spec.kwargs["game"] for spec in gymnasium.registry.values() if spec.namespace == "ALE"}
    assert {known_game(name) for name in ids} == set(atari_games())
    assert all(known_game(name) == game for name, game in ids.items())


def test_a_suite_knows_them_and_counts_a_game_once():
    assert [config.game for config in configs_of(Suite(games=("ALE/Pong-v5", "pong", "Breakout")), ())] == [
        "pong",
        "breakout",
    ]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CartPole-v1", "did you mean gym:CartPole-v1?"),
        ("cartpol", "did you mean cartpole?"),
        ("MountainCar", "did you mean gym:MountainCar-v0?"),
        ("pongg", "did you mean pong?"),
        ("xyzxyz", "names look like pong"),
    ],
)
def test_a_wrong_name_is_answered_with_what_comes_near(name, near):
    with pytest.raises(UsageError, match="unknown game") as caught:
        check_rom(known_game(name))
    assert near in str(caught.value)


NUMBERS = {"1e6": 1_000_000, "2.5e6": 2_500_000, "1E+3": 1_000, "12": 12, "1_000": 1_000, "-1": -1, "1.50e1": 15}


@pytest.mark.parametrize(("text", "number"), NUMBERS.items())
def test_whole_numbers_as_people_write_them(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["1.5", "1.25e1", "1e-3", "1e999", "six", ""])
def test_what_is_no_whole_number(text):
    with pytest.raises(ValueError, match="is no whole number"):
        whole_number(text)


def test_numbers_reach_the_config():
    config = parse_command("cartpole", "--total-steps 2e4 --hidden-sizes 1e2 64 --learning-rate 1e-4".split()).config
    assert (config.total_steps, config.network.hidden_sizes, config.optimizer.learning_rate) == (
        20_000,
        (100, 64),
        1e-4,
    )


ORDERS = [
    "pong --preset quick",
    "--preset quick pong",
    "--preset=quick pong",
    "--wandb pong --preset quick",
    "--preset quick --no-overlap pong",
    "--hidden-sizes 8 8 pong --preset quick",
    "--reset-steps 1e5 110_000 pong --preset quick",
    "--preset quick --reset-steps none pong",
    "--preset quick --seed -1 pong",
]


RIGHT = [
    "--json runs/a",
    "runs/a --json --episodes 3",
    "--no-write runs/a --seed=1 --out=--odd",
    "runs/a --seed -1",
    "runs/a --json --seed --help",
]


@pytest.mark.parametrize("line", RIGHT)
def test_a_word_after_a_switch_may_be_the_run(line):
    refuse_misfits(Evaluate, line.split())


@pytest.mark.parametrize("line", ORDERS)
def test_flags_may_stand_before_the_game(line):
    words = line.split()
    game, flags = split_game(words)
    assert game == "pong"
    assert sorted([game, *flags]) == sorted(words)


def test_a_value_is_not_taken_for_the_game():
    assert split_game("--run-dir breakout pong".split()) == ("pong", ["--run-dir", "breakout"])
    assert split_game("--preset quick".split())[0] is None


def test_a_list_may_be_none():
    for line, steps in (("", (110_000,)), ("--reset-steps none", ()), ("--reset-steps 1e5 200000", (100_000, 200_000))):
        command = parse_command("pong", ["--preset", "quick", *line.split()])
        assert command.config.extensions.reset_steps == steps


def test_a_slip_is_mended(capsys):
    assert main(["trian", "pong"]) == 2
    assert "unknown command 'trian'; did you mean train?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("train cartpole --resume --seed 3", "there are runs/cartpole/cartpole/seed0, runs/cartpole/cartpole/seed1"),
        ("train cartpole --resume --preset cartpole_parl", "there are runs/cartpole/cartpole/seed0"),
        ("evaluate runs", "there are runs/cartpole/cartpole/seed0, runs/cartpole/cartpole/seed1"),
        ("evaluate elsewhere", "check the path"),
    ],
)
def test_a_missing_run_is_answered_with_those_that_lie_near(words, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        make_run(tmp_path / f"runs/cartpole/cartpole/seed{seed}", cartpole().replace(seed=seed))
    assert main(words.split()) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--help", 0),
        ("train --help", 0),
        ("train pong --num-envz 3", 2),
        ("train pong --preset quik", 2),
        ("train cartpole --frame-skip 4", 2),
        ("evaluate --help", 0),
        ("evaluate runs --episodes many", 2),
        ("video --help", 0),
        ("presets --help", 0),
        ("games --help", 0),
        ("doctor --help", 0),
        ("doctor --secondz 3", 2),
        ("completion --help", 0),
        ("report --help", 0),
        ("suite --help", 0),
        ("suite --games pong --num-envz 3", 2),
        ("suite --games pong --gamma 7", 2),
        ("ablation --help", 0),
        ("compare-approximators --stepz 3", 2),
    ],
)
def test_help_and_wrong_flags_do_not_wait_for_torch(words, code):
    script = (
        "import sys\nfrom atari_dqn.cli import main\n"
        f"try: code = main({words.split()!r})\nexcept SystemExit as error: code = error.code\n"
        "sys.exit(code if 'torch' not in sys.modules and 'gymnasium' not in sys.modules else 'torch was imported')"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == code


WRONG_GAMES_AND_FOLDERS = [
    "train nosuchgame",
    "train gym:Nosuch-v0",
    "train pong --run-dir afile/run",
    "train pong --total-steps 50000",
    "train pong --device cpu",
    "train pong --network mlp",
    "train cartpole --network nature_cnn",
    "train cartpole --resume --run-dir nothere",
    "train cartpole --run-dir there",
    "train cartpole --resume --run-dir there --gamma 0.5",
    "evaluate nothere",
    "evaluate pong",
    "ablation --games pongg --out results",
    "evaluate there --protocol nature",
    "evaluate pretrained:pongg",
    "evaluate there --out afile/games",
    "evaluate nosuchgame --policy random",
    "suite --games pong --runs-dir afile/runs",
    "suite --games pongg",
    "video nothere",
    "video there --out a.avi",
    "video there --out afile/a.gif",
    "evaluate there --device tpu",
    "export there --to onnx --out afile/a.onnx",
    "compare-approximators --out afile/results",
    "watch nothere",
    "export nothere --to onnx",
    "export there --to hub-folder --out there",
]
MISSING_EXTRAS = [
    "suite --games pong --engine ray --dry-run",
    "suite --games pong --engine slurm --dry-run",
    "suite --games pong --wandb --dry-run",
    "compare nature quick --games pong --engine ray --dry-run",
    "train cartpole --wandb",
    "compare-approximators --out results",
    "export there --to onnx",
    "video there",
    "video there --out a.gif",
    "watch there",
    "watch there --browser",
    "play pong",
]


def test_wrong_games_and_folders_do_not_wait_for_torch(tmp_path):
    (tmp_path / "afile").write_text("")
    (tmp_path / "there").mkdir()
    (tmp_path / "there/config.json").write_text(cartpole().to_json())
    script = (
        "import sys\nfrom atari_dqn.cli import main\n"
        f"for line in {WRONG_GAMES_AND_FOLDERS!r}:\n"
        "    assert main(line.split()) == 2, line\n    assert 'torch' not in sys.modules, line\n"
        f"sys.modules.update(dict.fromkeys({[name for names in EXTRAS.values() for name in names]!r}))\n"
        f"for line in {MISSING_EXTRAS!r}:\n"
        "    assert main(line.split()) == 2, line\n    assert 'torch' not in sys.modules, line\n"
    )
    environment = os.environ | {"DISPLAY": ":77"}  # without one, `watch` does without a window
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    told = done.stderr.splitlines()
    assert len(told) == len(WRONG_GAMES_AND_FOLDERS) + len(MISSING_EXTRAS)
    for line, message in zip(reversed(MISSING_EXTRAS), reversed(told), strict=False):
        assert "extra: pip install 'atari-dqn[" in message, (line, message)


def test_what_a_game_prints_is_not_among_results(capfd):
    with stdout_kept_clean():
        print("by Python")
        os.write(1, b"by C\n")
    print("result")
    assert capfd.readouterr() == ("result\n", "by Python\nby C\n")


PAGES = [[command, "--help"] for command in COMMANDS] + [["train", "--help", "all"]]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_reads_well_at_80_columns(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with suppress(SystemExit):
        main(words)
    page = capsys.readouterr().out
    usage, *lines = page.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80
    assert not re.findall(r"\{None\}|None\)|default: \)|\[\[|\[INT", page)
    assert not re.findall(r"\d,\s*│\n│\s*\d{3}\b", page), "a number is torn apart: say it in other words"
    told = re.findall(r"[a-z,]\s*│\n│\s+(?!-)(\S{1,12}) *│\n│ {6,}\S", page)
    assert not told, "a line is broken as its source is"
