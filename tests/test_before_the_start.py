"""What is wrong with a run is said before anything is compiled or written."""

import pytest

from atari_dqn.cli import main
from atari_dqn.envs import make_envs
from atari_dqn.evaluation.protocols import protocol_name
from atari_dqn.presets import PRESETS, cartpole
from atari_dqn.suite.jobs import Job, Settings, next_stage
from tests.fakes import make_run


@pytest.fixture(autouse=True)
def nothing_is_compiled(monkeypatch, tmp_path):
    def compiles(*_):
        raise AssertionError("it began to compile")

    def few_games(config):  # a tenth of a second each
        return make_envs(config.replace(num_envs=2))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("atari_dqn.runs.train.settle_compile", compiles)
    monkeypatch.setattr("atari_dqn.runs.train.make_envs", few_games)


WRONG = [
    ("train nonsense", "unknown game 'nonsense'"),
    ("train pong --total-steps 50000", "learning_starts at step 50,000: nothing would be learned"),
    ("train cartpole --total-steps 900", "nothing would be learned; raise total_steps, or lower learning_starts"),
    ("train pong --run-dir afile", "afile is a file"),
    ("train pong --run-dir afile/run", "afile is a file"),
    ("train pong --run-dir /proc/none", "cannot write the run folder /proc/none"),
    ("evaluate pong", "name its folder, such as runs/pong/quick/seed0 or pretrained:pong"),
    ("watch Cartpole", "runs/cartpole/cartpole/seed0"),
    ("evaluate afile", "afile is a file; name the folder of a run"),
    ("train pong --yes --device cpu --capacity 90000000000", "GiB are free"),
    ("train pong --network mlp", "'nature_cnn'"),
    ("train cartpole --network nature_cnn", "network"),
    ("train pong --resume", "holds no run"),
    ("train cartpole --run-dir there", "there holds this run already, unfinished; go on with --resume"),
    ("train cartpole --run-dir there --gamma 0.5", "there holds another run (gamma 0.99, not 0.5)"),
    ("train cartpole --run-dir there --seed 1", "or --seed; --resume goes on with it as it was begun"),
]


@pytest.mark.parametrize(("line", "told"), WRONG, ids=[line for line, _ in WRONG])
def test_a_run_that_cannot_be_is_refused_at_once(line, told, tmp_path, capsys):
    (tmp_path / "afile").write_text("")
    make_run(tmp_path / "there", cartpole())
    assert main(line.split()) == 2
    assert told in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["afile", "there"]


@pytest.mark.parametrize(
    ("preset", "protocol"), [("nature", "nature"), ("quick", "nature"), ("sticky", "sticky"), ("cartpole", "greedy")]
)
def test_a_network_is_evaluated_in_the_games_it_was_trained_for(preset, protocol, tmp_path):
    config = PRESETS[preset]("cartpole" if preset == "cartpole" else "pong")
    assert protocol_name("auto", config) == protocol
    assert protocol_name("monitor", config) == "monitor"
    (tmp_path / "DONE").write_text(f'{{"steps": {config.total_steps}, "episodes": 1, "best_eval_step": null}}')
    words = next_stage(Job(config, tmp_path), Settings()).words
    assert words[words.index("--protocol") + 1] == protocol


def test_a_gpu_that_is_not_there_is_told_before_torch_is_loaded(monkeypatch, capsys):
    monkeypatch.setattr("atari_dqn.host.may_have_cuda", lambda: False)
    monkeypatch.setattr("atari_dqn.runs.train.train", None)
    for line in ("train pong --preset quick --device cuda", "evaluate pretrained:pong --device cuda:1"):
        assert main(line.split()) == 2
        assert "but there is no CUDA GPU here; use --device cpu" in capsys.readouterr().err


@pytest.mark.parametrize("driver", [False, True])  # with one, torch is loaded and asked
@pytest.mark.parametrize("flags", ["", "--num-envs 8 --device cpu", "--seed=3"])
def test_days_of_work_are_not_begun_unasked(flags, driver, monkeypatch, capsys):
    def looks(*_, **__):
        raise AssertionError("it looked at the machine")

    monkeypatch.setattr("atari_dqn.host.may_have_cuda", lambda: driver)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("atari_dqn.runs.train.resolve", looks)
    if not driver:
        monkeypatch.setattr("atari_dqn.commands.train.Display", looks)
    assert main(["train", "pong", "--env-threads", "1", *flags.split()]) == 2
    told = " ".join(capsys.readouterr().err.split())
    known = "on a CPU" if "cpu" in flags else "without a GPU, and there is no CUDA GPU here"
    assert f"nature on pong is 50,000,000 steps: days of work {known}. Use --preset quick (600,000 steps" in told
    assert "name a length with --total-steps, or begin all the same with --yes" in told


@pytest.mark.parametrize("flags", ["--yes", "--total-steps 1e6", "--total_steps=1e6", "--preset nature"])
def test_what_is_asked_for_is_begun(flags):
    with pytest.raises(AssertionError, match="it began to compile"):
        main(["train", "pong", "--num-envs", "2", "--capacity", "60000", *flags.split()])
