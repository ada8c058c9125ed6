"""What the family adds to a checkpoint, damaged or a stranger's: priorities, random numbers, other heads."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from atari_dqn.cli import main
from atari_dqn.settings.from_file import flattened
from atari_dqn.storage.steps import list_steps
from tests.test_state import altered

TRAIN = (
    "train cartpole --preset rainbow --device cpu --total-steps 200 --learning-starts 100 --capacity 150 "
    "--eval-period 100 --eval-steps 20 --checkpoint-period 100 --batch-size 8 --hidden-sizes 8 --torch-threads 1"
).split()
LEAVES, CHANCE = "/learner/priorities/leaves", "/agent/algorithm/chance/generator"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("family") / "run"
    assert main([*TRAIN, "--run-dir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def leaves(trained):
    return load_file(list_steps(trained / "checkpoints")[-1] / "tensors.safetensors")[LEAVES]


def resume(folder):
    return main(["train", "cartpole", "--resume", "--run-dir", str(folder), "--total-steps", "300"])


def evaluate(folder):
    return main(["evaluate", str(folder), "--device", "cpu", "--episodes", "1", "--no-write"])


WRONG_LEAVES = {
    "too large for their sum": lambda leaves: torch.full_like(leaves, 2**62),
    "none": torch.zeros_like,
    "negative": lambda leaves: -leaves,
    "of half of the transitions": lambda leaves: leaves * (torch.arange(len(leaves)) % 2),
    "too few": lambda leaves: leaves[:-1].clone(),
}


@pytest.mark.parametrize("how", WRONG_LEAVES)
def test_wrong_priorities_are_refused_before_they_are_drawn_from(how, trained, leaves, tmp_path, capsys):
    folder = altered(trained, tmp_path / "run", LEAVES, WRONG_LEAVES[how](leaves))
    assert resume(folder) == 2
    assert "learner.priorities.leaves " in capsys.readouterr().err
    assert evaluate(folder) == 0


@pytest.mark.parametrize(
    ("place", "value"),
    [("first", 2**61), ("end", 2**62), ("end", 0), ("largest", None), ("leaves", {})],
)
def test_the_rest_of_what_is_known_of_priorities_is_checked(place, value, trained, tmp_path, capsys):
    folder = altered(trained, tmp_path / "run", f"learner.priorities.{place}", value)
    assert resume(folder) == 2
    assert "learner.priorities." in capsys.readouterr().err


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_the_largest_priority_is_at_least_that_of_the_beginning(value, trained, tmp_path, capsys):
    folder = altered(trained, tmp_path / "run", "/learner/priorities/largest", torch.tensor(value))
    assert resume(folder) == 2
    assert "learner.priorities.largest is " in capsys.readouterr().err


def test_a_run_whose_random_numbers_are_of_another_device_goes_on_and_is_evaluated(trained, tmp_path, capsys):
    """As from a GPU, whose generator has 16 bytes."""
    folder = altered(trained, tmp_path / "run", CHANCE, torch.zeros(16, dtype=torch.uint8))
    assert evaluate(folder) == 0
    assert "begin anew" not in capsys.readouterr().err
    assert resume(folder) == 0
    assert "the random numbers of the networks begin anew: the stored ones are not of a cpu" in capsys.readouterr().err


def test_random_numbers_that_are_none_are_one_message(trained, tmp_path, capsys):
    folder = altered(trained, tmp_path / "run", CHANCE, torch.full((5056,), 255, dtype=torch.uint8))
    assert resume(folder) == 2
    assert "the stored random numbers of the networks are damaged" in capsys.readouterr().err
    assert evaluate(folder) == 0


OTHERS = [{"distribution": "iqn"}, {"distribution": "none"}, {"atoms": 2}, {"noisy_sigma": 0.0}, {"dueling": False}]


@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_a_network_of_another_head_is_one_line(settings, trained, tmp_path, capsys):
    folder = altered(trained, tmp_path / "run", "recent", [])
    config = flattened(json.loads((folder / "config.json").read_text())) | settings
    (folder / "config.json").write_text(json.dumps(config))
    for door in (resume, evaluate):
        assert door(folder) == 2
        told = capsys.readouterr().err.splitlines()
        assert told[-1].startswith("atari-dqn: ") and not any(line.startswith(("\t", "Trace")) for line in told)


def test_a_preset_cannot_be_changed_by_a_resume(trained, capsys):
    words = ["--preset", "c51", "--resume", "--run-dir", str(trained), "--total-steps", "300"]
    assert main(["train", "cartpole", *words]) == 2
    assert "a resumed run cannot change preset 'rainbow' -> 'c51'" in capsys.readouterr().err


def test_what_the_network_learned_is_finite_after_all(trained):
    tensors = load_file(list_steps(trained / "checkpoints")[-1] / "tensors.safetensors")
    assert all(np.isfinite(value.numpy()).all() for name, value in tensors.items() if "/model/" in name)
