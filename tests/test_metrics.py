"""The curves of a run: what they count, by hand; that all are explained; that none changes what a run computes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from atari_dqn.dqn import schedules
from atari_dqn.evaluation.result import EvaluationResult
from atari_dqn.networks import make_model
from atari_dqn.networks.dead_units import dead_units
from atari_dqn.replay.recent import last_actions, oldest_age
from atari_dqn.runs.tags import SHOWN_BY_FAMILY, SHOWN_BY_TAG, description
from atari_dqn.settings.learning import NetworkConfig
from atari_dqn.storage.newest import load_newest
from atari_dqn.types import EnvSpec, EpisodeScore
from tests.fakes import Recorder, ScriptedEvaluator, make_trainer, tiny_config


def run(checkpoints=None, **settings):
    config = tiny_config(**{"total_steps": 600, **settings})
    games = [EpisodeScore(0, 0, 2.0, 10), EpisodeScore(1, 1, 5.0, 10)]
    evaluator = ScriptedEvaluator(config, lambda step: games)
    trainer = make_trainer(config, logger=Recorder(), evaluator=evaluator, checkpoints=checkpoints)
    trainer.run()
    return trainer


def test_updates_per_step_are_of_the_window():
    points = dict(run(learning_starts=200, update_period=2).logger.points)
    ratios = {step: point["time/updates_per_step"] for step, point in points.items()}
    # over the whole run it would still be 1 / 3 at 600
    assert ratios == {100: 0.0, 200: 0.0, 300: 0.5, 400: 0.5, 500: 0.5, 600: 0.5}


def test_every_episode_is_told_with_its_raw_return():
    trainer = run(reward_scale=0.5)
    points = [point for _, point in trainer.logger.points]
    assert len(trainer.logger.episodes) == trainer.episodes > RECENT
    last = [score for _, score in trainer.logger.episodes[-RECENT:]]
    assert points[-1]["train/episode_return"] == pytest.approx(np.mean(last))
    steps = [step for step, _ in trainer.logger.episodes]
    assert steps == sorted(steps)


RECENT = 20


def test_shares_of_actions_are_of_those_played_since_the_last_point():
    trainer = run(total_steps=400, log_period=100)
    replay, (_, point) = trainer.replay, trainer.logger.points[-1]
    # 4 environments: 25 times of the ring; the newest frames have not been answered
    newest = replay.ring.time
    rows = [row for time in range(newest - 25, newest) for row in np.r_[replay.ring.rows_at(time)]]
    played = replay.action[rows]
    assert [point[f"actions/{name}"] for name in "abc"] == [np.mean(played == number) for number in range(3)]
    assert sorted(last_actions(replay, 100)) == sorted(played)
    assert len(last_actions(replay, 10**6)) == (replay.ring.num_times - 1) * 4, "all that are kept"


def test_the_age_of_the_oldest_transition_that_can_be_drawn():
    trainer = run(total_steps=400, capacity=200)
    replay = trainer.replay
    rows = replay.learnable.all()
    ages = [(replay.ring.time - row // 4) % replay.ring.num_times * 4 for row in rows]
    assert oldest_age(replay) == max(ages) == ages[0]
    assert oldest_age(replay, among=10) == ages[-10]


def test_the_values_of_the_same_states_are_followed_through_a_resume(tmp_path):
    settings = {"log_period": 100, "checkpoint_period": 300}
    whole = run(**settings)
    run(tmp_path, total_steps=300, **settings)
    _, state, _ = load_newest(tmp_path)
    resumed = make_trainer(tiny_config(total_steps=600, **settings), logger=Recorder())
    resumed.load_state_dict(state | {"replay": None})  # whose replay begins anew: the states stay
    assert torch.equal(resumed.metrics.held_out, whole.metrics.held_out)
    value = whole.agent.algorithm.predict(whole.metrics.held_out).max(dim=1).values.mean().item()
    assert whole.logger.points[-1][1]["train/q_held_out"] == pytest.approx(value)
    tags = [("train/q_held_out" in point) for _, point in whole.logger.points]
    assert tags == [True] * 6, "from the end of the warm-up on, 60 steps"


@pytest.mark.parametrize("noisy", [{}, {"noisy_sigma": 0.5}])
def test_what_is_logged_changes_nothing(noisy):
    often, seldom = run(log_period=20, **noisy), run(log_period=600, **noisy)
    weights = [dict(trainer.agent.algorithm.model.named_parameters()) for trainer in (often, seldom)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert often.learner.generator.bit_generator.state == seldom.learner.generator.bit_generator.state
    assert often.logger.episodes == seldom.logger.episodes


def test_an_evaluation_tells_its_spread_the_best_so_far_and_what_the_network_is_made_of():
    trainer = run(eval_period=300)
    (_, point) = next(one for one in trainer.logger.points if "eval/episode_return" in one[1])
    names = ("", "_std", "_min", "_max", "_best")
    assert [point[f"eval/episode_return{name}"] for name in names] == [3.5, 1.5, 2.0, 5.0, 3.5]
    assert 0.0 <= point["network/dead_units/hidden.1"] <= 1.0
    parameters = dict(trainer.agent.algorithm.model.named_parameters())
    expected = {f"{kind}/{name}" for kind in ("weights", "gradients") for name in parameters}
    assert set(trainer.logger.histograms) == expected | {"train/q_values"}
    assert trainer.logger.histograms["weights/hidden.0.weight"].shape == (parameters["hidden.0.weight"].numel(),)


def test_dead_units_by_hand():
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight[:, 0] = torch.tensor([1.0, -1.0, -1.0, 0.0])
        model[0].bias[:] = torch.tensor([0.0, 0.0, 2.5, 0.0])
    obs = torch.tensor([[1.0], [2.0], [3.0]])
    # x: alive. -x: dead. 2.5 - x: alive at 1 and 2. 0: dead
    assert dead_units(model, obs) == {"1": 0.5}
    assert not model[1]._forward_hooks


def test_channels_of_convolutions_are_units():
    spec = EnvSpec("pong", (84, 84), "uint8", ("a", "b"), 4)
    model = make_model(spec, NetworkConfig("nature_cnn", hidden_sizes=(16,)), frame_stack=4, seed=1)
    obs = torch.randint(0, 256, (2, 4, 84, 84), dtype=torch.uint8)
    with torch.no_grad():
        model.conv2.bias[:16] = -1e6
        largest = model.conv2(model.conv1(obs).relu()).amax(dim=(0, 2, 3))
    shares = dead_units(model, obs)
    assert set(shares) == {"conv1", "conv2", "conv3", "hidden.1"}
    assert shares["conv2"] == (largest <= 0).float().mean().item() >= 16 / 64


def test_schedules_that_are_on_are_told():
    config = tiny_config(n_step=8, n_step_end=2, n_step_decay_steps=100, replay_window_fraction=0.5)
    now = schedules.now(config, 160)
    assert set(now) == {"epsilon", "learning_rate", "n_step", "replay_window"}
    assert (now["n_step"], now["replay_window"]) == (2.0, 80.0)
    prioritized = tiny_config().replace(priority_alpha=0.6, priority_sampler="exact", priority_beta_end=1.0)
    now = schedules.now(prioritized, config.total_steps)
    assert (now["priority_alpha"], now["priority_beta"]) == (0.6, 1.0)


def test_every_curve_is_explained_with_its_axis_and_stands_in_the_tutorial():
    trainer = run(eval_period=300, n_step=2, priority_alpha=0.5, replay_window_fraction=0.9)
    tags = {tag for _, point in trainer.logger.points for tag in point} | set(trainer.logger.histograms)
    unexplained = {tag for tag in tags if not description(tag).endswith("x: agent steps.")}
    assert not unexplained
    assert description("a/stranger") == ""
    tutorial = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")
    missing = [tag for tag in (*SHOWN_BY_TAG, *SHOWN_BY_FAMILY) if f"`{tag}" not in tutorial]
    assert not missing


def test_evaluation_without_a_spread_of_scores():
    result = EvaluationResult("pong", "monitor", "zoo", episodes=2, mean=1.0, std=0.0)
    point = run(total_steps=100).metrics.of_evaluation(result, 1.0)
    assert "eval/episode_return_min" not in point
