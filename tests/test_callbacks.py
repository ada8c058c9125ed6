"""Callbacks: what they are told and when, how they stop a run, and that it is saved whatever they do."""

import pytest
import torch

from atari_dqn import Callback, presets, train
from atari_dqn.dqn.callbacks import Callbacks
from atari_dqn.errors import UsageError
from atari_dqn.storage import checkpoint
from atari_dqn.storage.steps import list_steps
from atari_dqn.types import EpisodeScore
from tests.fakes import ScriptedEvaluator, make_trainer, tiny_config

QUICK = presets.cartpole().replace(
    total_steps=600, learning_starts=100, capacity=400, eval_period=0, batch_size=32,
    log_period=200, checkpoint_period=200,
)  # fmt: skip


class Tape(Callback):
    def __init__(self):
        self.events = []

    def on_step(self, training):
        self.events.append(("step", training.step))

    def on_episode(self, training, episode):
        self.events.append(("episode", training.step, episode.episode_length))

    def on_evaluation(self, training, result):
        self.events.append(("evaluation", result.step, result.mean, training.best_score))

    def on_checkpoint(self, training, path):
        self.events.append(("checkpoint", path.name, checkpoint.read_meta(path)["step"]))


class StopAt(Callback):
    def __init__(self, step):
        self.at = step

    def on_step(self, training):
        return training.step >= self.at


class Fails(Callback):
    def __init__(self, error):
        self.error = error

    def on_episode(self, training, episode):
        raise self.error


def trainer_with(*callbacks, checkpoints=None, **settings):
    config = tiny_config(eval_period=200, checkpoint_period=100, **settings)
    evaluator = ScriptedEvaluator(config, lambda step: [EpisodeScore(0, 0, step / 100, 10)])
    trainer = make_trainer(config, checkpoints=checkpoints, evaluator=evaluator)
    trainer.callbacks = Callbacks(callbacks)
    return trainer


def test_all_that_happens_is_told_in_its_order(tmp_path):
    tape = Tape()
    trainer = trainer_with(tape, checkpoints=tmp_path)
    trainer.run()
    trainer.close()
    steps = [what for kind, what, *_ in tape.events if kind == "step"]
    assert steps == list(range(4, 401, 4))  # four games side by side
    assert [event for event in tape.events if event[0] == "evaluation"] == [
        ("evaluation", 200, 2.0, 2.0), ("evaluation", 400, 4.0, 4.0),
    ]  # fmt: skip
    told = [event[1:] for event in tape.events if event[0] == "checkpoint"]
    assert told == [(f"step_{step:010}", step) for step in (100, 200, 300, 400)]  # each was whole when it was told
    assert sum(event[0] == "episode" for event in tape.events) == trainer.episodes > 4
    place = tape.events.index(("evaluation", 200, 2.0, 2.0))
    assert tape.events[place + 1] == ("step", 200)


def test_a_run_with_a_callback_is_the_run_without():
    models = []
    for callbacks in ([], [Tape()]):
        trainer = trainer_with(*callbacks)
        trainer.run()
        models.append(trainer.agent.algorithm.model.state_dict())
    assert all(torch.equal(models[0][name], value) for name, value in models[1].items())


def test_a_callback_stops_a_run_which_a_resume_finishes(tmp_path, caplog):
    run = train(QUICK, tmp_path / "run", callbacks=[Tape(), StopAt(320)])
    assert (run.exit_code, run.finished) == (0, False)
    assert "stopped by StopAt.on_step at step 320; saved" in caplog.text
    assert list_steps(tmp_path / "run/checkpoints")[-1].name == "step_0000000320"
    whole = train(QUICK, tmp_path / "run", resume=True)
    assert whole.finished


def test_who_asks_at_the_end_of_a_run_stops_nothing(tmp_path):
    assert train(QUICK, tmp_path / "run", callbacks=[StopAt(600)]).finished


@pytest.mark.parametrize("error", [KeyError("mine"), OSError("disk of mine"), SystemExit(3)])
def test_what_a_callback_raises_ends_the_run_after_it_is_saved(error, tmp_path):
    after = Tape()
    with pytest.raises(type(error)) as raised:
        train(QUICK, tmp_path / "run", callbacks=[Fails(error), after])
    assert raised.value is error
    (note,) = raised.value.__notes__
    (newest,) = list_steps(tmp_path / "run/checkpoints")
    step = checkpoint.read_meta(newest)["step"]
    assert note == f"raised by Fails.on_episode at agent step {step}; the run was saved"
    assert after.events[-1] == ("step", step - QUICK.env.num_envs)  # none is told anything more
    assert not (tmp_path / "run/DONE").exists()


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([Tape], r"the callback Tape is a class; give an instance: Tape\(\)"),
        ([print], "lacks on_step, on_episode, on_evaluation, on_checkpoint; subclass atari_dqn.Callback"),
        (Tape(), "give a list of callbacks"),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_written(callbacks, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        train(QUICK, tmp_path / "run", callbacks=callbacks)
    assert not (tmp_path / "run").exists()
