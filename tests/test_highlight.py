"""The GIF of a best evaluation: the first game, as it was played, at no cost to the run."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from atari_dqn.cli import main
from atari_dqn.evaluation.play import play
from atari_dqn.evaluation.protocols import EvalProtocol, monitor
from atari_dqn.presets import nature
from atari_dqn.video.best_game import BestEpisodeGif
from atari_dqn.video.camera import AtariCamera
from atari_dqn.video.panel import television

PROTOCOL = EvalProtocol("test", 3, None, 40, 0.3, 30, 0.25)
CONFIG = nature("breakout").replace(device="cpu", env_threads=1, film_seconds=2)


class Still:
    def predict(self, obs):
        return np.ones(len(obs), np.int64)


def test_it_shows_the_first_game_of_the_newest_evaluation():
    highlight = BestEpisodeGif(CONFIG, PROTOCOL)
    for root in (1, 2):
        played, listen = [], highlight.begin()

        def note(moment, listen=listen, played=played):
            listen(moment)
            if moment.playing[0] == 0:
                played.append(int(moment.action[0]))

        scores = play(Still(), CONFIG, PROTOCOL, num_envs=2, seed=np.random.SeedSequence(root), watch=note)
    assert len(played) == scores[0].episode_length == 40
    assert highlight.actions == played[:30]  # two seconds of 15 steps
    camera = AtariCamera(PROTOCOL.env_config(CONFIG, 1))
    camera.open(scores[0].seed)
    with Image.open(io.BytesIO(highlight.gif(scores[0].seed))) as image:
        assert image.size == (280, 210)
        image.seek(image.n_frames - 1)
        shown = np.array(image.convert("RGB"))
    for action in highlight.actions:
        shots = camera.play(action)
    camera.close()
    last = np.maximum(shots[2].screen, shots[3].screen)
    assert (shown == television(last, 210)).all()


def test_where_nothing_is_filmed_nothing_is_kept():
    config = CONFIG.replace(film_seconds=0)
    highlight = BestEpisodeGif(config, monitor(config))
    assert highlight.limit == 0
    highlight.show("eval/best_game", 1, None, 10)  # no film, no logger


def test_a_run_shows_its_best_evaluations_and_is_the_same_without(tmp_path):
    words = (
        "train pong --preset quick --total-steps 300 --num-envs 4 --learning-starts 200 --capacity 300 "
        "--eval-period 200 --eval-steps 20 --eval-num-envs 1 --max-episode-steps 20 --log-period 100 "
        "--checkpoint-period 0 --torch-threads 1 --env-threads 1 --precision fp32 --batch-size 8"
    ).split()
    for name, more in (("with", "1 --eval-early-steps 0 50 102"), ("without", "0 --eval-early-steps")):
        assert main([*words, "--run-dir", str(tmp_path / name), "--film-seconds", *more.split()]) == 0
    rows = {name: (tmp_path / name / "evals.csv").read_text().splitlines()[1:] for name in ("with", "without")}
    steps = [int(row.split(",")[0]) for row in rows["with"]]
    assert steps == [0, 52, 104, 200, 300]
    assert [row.rpartition(",")[0] for row in rows["with"][3:]] == [row.rpartition(",")[0] for row in rows["without"]]
    events = EventAccumulator(str(tmp_path / "with")).Reload()
    best = [image.step for image in events.Tensors("eval/best_game")]
    assert best == [step for step, row in zip(steps, rows["with"], strict=True) if "True" in row]
    assert [image.step for image in events.Tensors("eval/early_game")] == [
        step for step in (52, 104) if step not in best
    ]
    assert "eval/best_game" not in EventAccumulator(str(tmp_path / "without")).Reload().Tags()["tensors"]
    weights = [
        next(path.glob("checkpoints/step_0000000300/tensors.safetensors")).read_bytes()
        for path in (tmp_path / "with", tmp_path / "without")
    ]
    assert weights[0] == weights[1]
