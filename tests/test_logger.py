"""What a run writes: one point once, also after a resume or a crash."""

import io
import json
import time
from fractions import Fraction

import numpy as np
import psutil
import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.hparams.backend_context import Context

from atari_dqn.dqn.ports import Animation, Histogram, Image
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.runs.logger import RunLogger
from atari_dqn.video.writers import Gif


def write(folder, steps, **options):
    logger = RunLogger(folder, total_steps=100, frames_per_step=4, **options)
    for step in steps:
        logger.log(step, {"train/loss": step / 10, "train/q": float("nan")})
        result = EvaluationResult("a game", "monitor", "zoo", episodes=2, mean=1.0, std=0.0, epsilon=0.05, step=step)
        logger.evaluation(result, best=True)
    logger.close()


def test_curves_files_and_pictures(tmp_path, capsys):
    write(tmp_path, [10, 20])
    logger = RunLogger(tmp_path, total_steps=100, frames_per_step=4, resume_step=20)
    logger.log(30, {"train/q_values": Histogram(np.arange(5.0)), "observation": Image(np.zeros((84, 336), np.uint8))})
    logger.log(31, {"episode/return": 5.0})  # no line: they may be many
    logger.close()
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    points = [(record["step"], record["frame"], record["train/loss"]) for record in records]
    assert points == [
        (10, 40, 1.0),
        (20, 80, 2.0),
    ]
    assert records[0]["train/q"] is None
    assert (tmp_path / "evals.csv").read_text().splitlines()[1] == "10,40,monitor,2,1.0,0.0,,0.05,True"
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Tensors("train/loss")] == [10, 20]
    assert [event.step for event in events.Tensors("episode/return")] == [31]
    assert events.ActivePlugins() >= {"scalars", "histograms", "images"}
    about = events.SummaryMetadata("observation")
    assert about.plugin_data.plugin_name == "images"
    assert about.summary_description.startswith("What the network sees")
    assert "evaluation 1.0 +- 0.0 over 2 episodes" in capsys.readouterr().err


def experiment_from_metadata(parts):
    """Names of settings as TensorBoard sorts them."""
    contents = {"run": {tag: content.SerializeToString() for tag, content in parts.items()}}
    found = Context(None).experiment_from_metadata(None, "", False, contents, [])
    return [info.name for info in found.hparam_infos]


def test_settings_and_scores_stand_in_hparams_and_a_gif_among_the_images(tmp_path):
    settings = {"game": "pong", "double_q": True, "gamma": 0.5, "hidden_sizes": (8, 4)}
    write(tmp_path, [10], settings=settings)
    time.sleep(1.1)  # TensorBoard orders its files by the second
    more = {"settings": settings | {"gamma": 0.9}, "facts": {"commit": "1a2b3c"}}
    logger = RunLogger(tmp_path, total_steps=30, frames_per_step=4, resume_step=10, **more)
    logger.log(30, {"eval/episode_return": 2.0})
    file = io.BytesIO()
    gif = Gif(file, Fraction(1, 15))
    gif.add(np.zeros((6, 8, 3), np.uint8))
    gif.close()
    logger.log(30, {"eval/best_game": Animation(file.getvalue())})
    logger.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    events = EventAccumulator(str(tmp_path)).Reload()
    assert "commit" in events.summary_metadata["run/text_summary"].summary_description
    parts = {name: plugin_data_pb2.HParamsPluginData.FromString(content)
             for name, content in events.PluginTagToContent("hparams").items()}  # fmt: skip
    start = parts["_hparams_/session_start_info"].session_start_info.hparams
    assert (start["gamma"].number_value, start["game"].string_value) == (0.5, "pong")
    assert (start["double_q"].string_value, start["hidden_sizes"].string_value) == ("True", "(8, 4)")
    scores = [info.name.tag for info in parts["_hparams_/experiment"].experiment.metric_infos]
    assert scores[0] == "eval/episode_return_best"
    assert parts["_hparams_/experiment"].experiment.metric_infos[0].description.startswith("Best mean of an evaluation")
    shown = experiment_from_metadata(parts)
    assert shown == ["game", "gamma", "double_q", "hidden_sizes"]  # what runs are told apart by, then the others
    assert parts["_hparams_/session_end_info"].session_end_info.status == 1  # success
    (image,) = events.Tensors("eval/best_game")
    assert (image.step, list(image.tensor_proto.string_val)) == (30, [b"8", b"6", file.getvalue()])


def test_a_run_that_was_stopped_is_not_marked_as_finished(tmp_path):
    write(tmp_path, [10], settings={"gamma": 0.5})
    parts = EventAccumulator(str(tmp_path)).Reload().PluginTagToContent("hparams")
    assert set(parts) == {"_hparams_/experiment", "_hparams_/session_start_info"}


def test_a_resume_cuts_off_what_came_after_its_checkpoint(tmp_path):
    write(tmp_path, [10, 20, 30])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 35, "trai')  # a crash in the middle of a line
    time.sleep(1.1)  # TensorBoard orders its files by the second
    write(tmp_path, [25, 30], resume_step=20)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 25, 30]
    rows = (tmp_path / "evals.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "10", "20", "25", "30"]
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Tensors("train/loss")] == [10, 20, 25, 30]


def test_lines_that_no_run_writes_are_cut_off_or_shown_nowhere(tmp_path):
    write(tmp_path, [10, 20])
    with (tmp_path / "metrics.jsonl").open("a") as file:  # a damaged disk, or a stranger
        for step in ("Infinity", "1e999", "-5", "true", "[1]", "9" * 5000):
            file.write(f'{{"step": {step}}}\n')
        file.write('{"step": 20, "a/word": "x", "a/list": [1], "a/number": 3}\n')
    with (tmp_path / "evals.csv").open("a") as file:
        file.write("9" * 5000 + "," * 8 + "\n" + "x" * 200_000 + "," * 8 + "\n\n")
    write(tmp_path, [], resume_step=20, evaluated_at=10)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [10, 20, 20]
    assert [row.split(",")[0] for row in (tmp_path / "evals.csv").read_text().splitlines()] == ["step", "10"]
    curves = EventAccumulator(str(tmp_path)).Reload().PluginTagToContent("scalars")
    assert "a/number" in curves
    assert not {"a/word", "a/list"} & set(curves)


@pytest.mark.parametrize("broken", ["evals.csv", "events"])
def test_where_one_file_cannot_be_opened_none_stays_open(broken, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("no such luck")

    if broken == "events":
        monkeypatch.setattr("atari_dqn.runs.logger.TensorBoard", fail)
    else:
        (tmp_path / broken).mkdir()
    with pytest.raises(OSError):  # noqa: PT011  # another one on each system
        RunLogger(tmp_path, total_steps=100, frames_per_step=4)
    assert [file.path for file in psutil.Process().open_files() if file.path.startswith(str(tmp_path))] == []
