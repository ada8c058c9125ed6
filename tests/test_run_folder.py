"""A folder holds one run: what else lies there, who else writes there, and what its disk refuses ends in a message."""

import json
import shutil

import pytest

from atari_dqn.cli import main
from atari_dqn.runs import folder

TINY = (
    "cartpole --total-steps 400 --learning-starts 100 --capacity 1000 --eval-period 200 --eval-steps 100 "
    "--log-period 100 --checkpoint-period 100 --torch-threads 1 --batch-size 8"
).split()


def train(path, *more):
    return main(["train", *TINY, "--run-dir", str(path), *more])


def contents(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("finished") / "run"
    assert train(path) == 0
    return path


@pytest.mark.parametrize("kept", ["*", "checkpoints", "metrics.jsonl", "events.out.tfevents.*", "DONE"])
def test_a_new_run_is_not_begun_among_what_is_left_of_another(kept, finished, tmp_path, capsys):
    for source in finished.glob(kept):
        (tmp_path / "run").mkdir(exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / "run" / source.name)
    (tmp_path / "run" / "config.json").unlink(missing_ok=True)
    before = contents(tmp_path / "run")
    assert train(tmp_path / "run") == 2
    assert "of a run whose config.json is gone; bring that back, or choose another" in capsys.readouterr().err
    assert contents(tmp_path / "run") == before


def test_a_run_that_died_before_it_wrote_its_config_can_be_begun_again(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("lock", "meta.json", "config.json.partial", "suite.log"):
        (tmp_path / "run" / name).write_text("")
    assert train(tmp_path / "run") == 0


def test_of_two_runs_begun_at_once_in_a_folder_one_is_refused_and_writes_nothing(tmp_path, monkeypatch, capsys):
    hardware, codes = folder.hardware, []

    def begin_another():  # while the first one writes down what it is
        monkeypatch.setattr(folder, "hardware", hardware)
        codes.append(train(tmp_path / "run", "--seed", "1"))
        return hardware()

    monkeypatch.setattr(folder, "hardware", begin_another)
    assert train(tmp_path / "run") == 0
    assert codes == [2]
    assert f"is training in {tmp_path / 'run'}" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/config.json").read_text())["seed"] == 0
    assert "--seed" not in json.loads((tmp_path / "run/meta.json").read_text())["command"]


def test_so_is_one_whose_folder_was_taken_before_it_had_the_lock(tmp_path, monkeypatch, capsys):
    make_folder, begun = folder.make_folder, []

    def begin_another(path, config):
        make_folder(path, config)
        if not begun:
            begun.append(path)
            assert train(path, "--seed", "1") == 0

    monkeypatch.setattr("atari_dqn.runs.train.make_folder", begin_another)
    assert train(tmp_path / "run") == 2
    assert "holds another run (seed 1, not 0)" in capsys.readouterr().err
    assert json.loads((tmp_path / "run/config.json").read_text())["seed"] == 1
