"""The loop: the order of events, the exact ratio, what is logged, evaluated and saved."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from atari_dqn.config import Config
from atari_dqn.dqn.bellman import NoChance, ScalarHead
from atari_dqn.dqn.divergence import TrainingDiverged
from atari_dqn.dqn.progress import EpisodeTracker
from atari_dqn.envs.in_turns import EnvsInTurns
from atari_dqn.evaluation.play import result_of
from atari_dqn.evaluation.protocols import monitor
from atari_dqn.presets import nature
from atari_dqn.report.read_runs import training_pair
from atari_dqn.storage import checkpoint
from atari_dqn.storage.newest import load_newest
from atari_dqn.storage.steps import list_steps, step_directory
from atari_dqn.types import EpisodeScore, LearnStats
from tests.fakes import Recorder, ScriptedEnvs, ScriptedEvaluator, make_step, make_trainer, tiny_config


class TapeEnvs(ScriptedEnvs):
    def __init__(self, tape, **kwargs):
        super().__init__(**kwargs)
        self.tape = tape

    def send(self, action):
        self.tape.append("send")
        super().send(action)

    def recv(self):
        self.tape.append("recv")
        return super().recv()


class TapeAgent:
    exploration = SimpleNamespace(act=lambda step, **_: None)
    algorithm = SimpleNamespace(
        surprise=None, head=ScalarHead(torch.square), chance=NoChance(), model=torch.nn.Identity(), optimizer=None,
        predict=lambda obs: torch.zeros(len(obs), 3),
    )  # fmt: skip

    def __init__(self, tape, num_actions=3, *, asks=False):
        self.tape, self.num_actions = tape, num_actions
        self.asks = asks  # note when actions are asked for, too, and not only when they are there

    def actor(self, observe):
        return self

    def ask(self, seen, coins):
        self.tape += ["ask"] * self.asks
        self.count = len(seen)

    def answer(self):
        self.tape.append("act")
        return np.zeros(self.count, np.int64)

    def learn(self, batch, updates=1, weights=None):
        self.tape += ["learn"] * updates
        return LearnStats(*torch.zeros(4))

    def sync_target(self):
        self.tape.append("sync")


def tape_of(*, asks=False, **settings):
    tape = []
    config = tiny_config(**{"num_envs": 4, "update_period": 4, "learning_starts": 8, "batch_size": 2, **settings})
    groups = [TapeEnvs(tape, num_envs=config.envs_at_once) for _ in range(config.env.env_groups)]
    trainer = make_trainer(config, EnvsInTurns(groups), TapeAgent(tape, asks=asks))
    trainer.run()
    return tape


def test_a_gpu_gets_its_updates_before_anyone_waits_for_its_actions():
    """The launch that acts, then at once that of the updates: the device is never idle while the host sends."""
    quiet, lesson = ["ask", "act", "send", "recv"], ["ask", "learn", "act", "send", "recv"]
    assert tape_of(asks=True, device="cuda", total_steps=16) == quiet * 2 + lesson * 2
    serial = quiet * 2 + [*quiet, "learn"] * 2
    assert tape_of(asks=True, device="cuda", total_steps=16, overlap=False) == serial
    on_cpu = ["ask", "act", "send", "learn", "recv"]  # there the caller itself computes: the emulators go first
    assert tape_of(asks=True, total_steps=16) == quiet * 2 + on_cpu * 2


def test_the_network_learns_while_the_emulators_play():
    tape = tape_of(total_steps=16)
    assert tape == ["act", "send", "recv"] * 2 + ["act", "send", "learn", "recv"] * 2


def test_without_overlap_learning_waits_for_the_emulators():
    tape = tape_of(total_steps=16, overlap=False)
    assert tape == ["act", "send", "recv"] * 2 + ["act", "send", "recv", "learn"] * 2


def test_with_groups_one_always_plays_while_another_is_acted_for():
    quiet, lesson = ["act", "send", "recv"], ["act", "send", "learn", "recv"]
    assert tape_of(total_steps=16, env_groups=2) == ["act", "send"] + quiet * 5 + lesson + quiet + lesson


def test_groups_that_take_turns_learn_from_what_each_played():
    """Of two groups with scripts of their own the replay and the scores hold what each would have alone."""
    config = tiny_config(num_envs=4, env_groups=2, total_steps=400, epsilon_end=1.0)
    trainer = make_trainer(config)
    alone = [ScriptedEnvs(2, seed=seed, frame_shape=(3,)) for seed in (0, 1)]
    played = [group.reset(None) for group in alone]
    trackers = [EpisodeTracker(2), EpisodeTracker(2)]
    scores = []
    for turn in range(200):
        alone[turn % 2].send(np.zeros(2, int))
        step = alone[turn % 2].recv()
        scores += [game.episode_return for game in trackers[turn % 2].update(step)]
        played[turn % 2] = step
    seen = []
    note = trainer.tracker.update
    trainer.tracker.update = lambda step, first: [seen.append(game) or game for game in note(step, first)]
    trainer.run()
    assert [game.episode_return for game in seen] == scores
    assert {game.number for game in seen} == {0, 1, 2, 3}
    for back, step in ((0, played[1]), (1, played[0])):
        assert (trainer.replay.latest_obs(back)[:, -1].numpy() == step.frame).all()


def test_the_target_is_copied_at_its_agent_step_after_the_update_due_there():
    tape = tape_of(total_steps=20, update_period=2, target_update_period=10)
    turns = " ".join(tape).split("act send ")[1:]
    # steps 9 10 11 12: update at 10, copy at 10, update at 12; the next copy falls on 20
    assert [turn.split() for turn in turns] == [
        ["recv"], ["recv"],
        ["learn", "sync", "learn", "recv"],
        ["learn", "learn", "recv"],
        ["learn", "learn", "sync", "recv"],
    ]  # fmt: skip


class ThreeStepGames(TapeEnvs):
    """Every game ends with its third step, by the time limit."""

    def recv(self):
        self.tape.append("recv")
        self.count += 1
        end = np.full(self.num_envs, self.count % 4 == 3)  # the fourth step opens the next game
        return make_step(self._frames(), truncated=end, started=np.full(self.num_envs, self.count % 4 == 0))

    def _frames(self):
        return np.full((self.num_envs, *self.spec.frame_shape), self.count + 1, np.uint8)


def of_games(num_envs=1, **settings):
    tape = []
    defaults = {"num_envs": num_envs, "frame_stack": 1, "learning_starts": 2 * num_envs, "batch_size": 2}
    config = tiny_config(**(defaults | settings))
    trainer = make_trainer(config, ThreeStepGames(tape, num_envs=num_envs), TapeAgent(tape))
    return trainer, tape


def test_games_are_counted_and_learned_from_when_they_end():
    trainer, tape = of_games(game_end_updates=3, total_episodes=3, learning_starts=4)
    trainer.run()
    play = ["act", "send", "recv"]
    lesson = ["learn"] * 3 + ["sync"]
    # the first game is over before the warm-up of 4 steps; the second ends with step 7, the third with step 11
    assert tape == play * 7 + lesson + play * 4 + lesson
    assert (trainer.episodes, trainer.step, trainer.learner.updates) == (3, 11, 6)


def test_two_games_that_end_at_once_are_two_lessons():
    trainer, tape = of_games(2, game_end_updates=3, total_episodes=2)
    trainer.run()
    assert tape == ["act", "send", "recv"] * 3 + (["learn"] * 3 + ["sync"]) * 2


def test_a_warm_up_of_whole_games_ends_with_a_game():
    trainer, tape = of_games(whole_game_warm_up=True, learning_starts=4, update_period=2, total_steps=12)
    trainer.run()
    # after step 3 the replay holds 3 transitions, after step 7, the end of the second game, 6
    assert tape.index("learn") == 3 * 7 + 2  # act, send, and the update that falls on step 8
    assert trainer.learning_starts_at == 7
    waiting, _ = of_games(whole_game_warm_up=True)
    assert waiting.learning_starts_at is None and not waiting.learns  # not before a game ends


def test_a_time_limit_can_count_as_an_end():
    rows = {}
    for counts in (False, True):
        trainer, _ = of_games(terminal_on_time_limit=counts, total_steps=8)
        trainer.run()
        rows[counts] = trainer.replay.terminated[:8].tolist()
        assert trainer.episodes == 2
    assert rows == {False: [False] * 8, True: [False, False, True, False, False, False, True, False]}


def test_evaluations_can_be_counted_in_games():
    trainer, _ = of_games(eval_period_episodes=2, total_episodes=5)
    seen = []
    games = [EpisodeScore(0, 0, 1.0, 1)]
    trainer.evaluator = ScriptedEvaluator(trainer.config, lambda step: seen.append((step, trainer.episodes)) or games)
    trainer.run()
    assert seen == [(7, 2), (15, 4), (19, 5)]  # and the end


def test_without_replay_the_latest_transitions_are_learned_in_order():
    trainer, _ = of_games(replay=False, update_period=1, total_steps=24, learning_starts=4, target_update_period=1000)
    drawn, index_batch = [], trainer.replay.index_batch
    trainer.replay.index_batch = lambda rows: drawn.append(rows.tolist()) or index_batch(rows)
    trainer.run()
    newest = [row for row in range(24) if row % 4 != 3]  # a game's last frame leads nowhere
    assert drawn[-1] == newest[-2:] == [21, 22]  # of the frames 0 to 23: the last one waits for what follows it
    assert trainer.learner.updates == 20


def test_fewer_rewards_are_summed_as_the_run_goes_on():
    settings = {"n_step": 4, "n_step_end": 1, "n_step_decay_steps": 200, "learning_starts": 100, "total_steps": 400}
    trainer = make_trainer(tiny_config(num_envs=4, **settings))
    learn, seen = trainer.agent.learn, []

    def spy(batch, updates, weights):
        seen.append((trainer.step, int(batch.num_steps.max())))
        return learn(batch, updates)

    trainer.agent.learn = spy
    trainer.run()
    assert [max(most for step, most in seen if first <= step < first + 50) for first in (100, 200, 300)] == [4, 2, 1]


def test_pixels_are_centered_once_on_the_frames_before_the_first_update():
    settings = {"network": "nature_cnn", "subtract_mean_frame": True, "total_steps": 100}
    trainer = make_trainer(tiny_config(num_envs=4, **settings), ScriptedEnvs(4, frame_shape=(36, 36)))
    learn, means = trainer.agent.learn, []

    def spy(batch, updates, weights):
        algorithm = trainer.agent.algorithm
        assert torch.equal(algorithm.model.mean_frame, algorithm.target.mean_frame)
        means.append((algorithm.model.mean_frame.clone(), trainer.replay.ring.mean_frame()))
        return learn(batch, updates)

    trainer.agent.learn = spy
    trainer.run()
    first_used, first_seen = means[0]
    assert first_seen.min() > 0
    assert torch.equal(first_used, first_seen.round().to(torch.uint8))
    last_used, last_seen = means[-1]
    assert not torch.equal(last_seen, first_seen), "the games went on"
    assert torch.equal(last_used, first_used)


@pytest.mark.parametrize("num_envs", [1, 3, 8, 50])
def test_the_update_ratio_is_exact_for_every_number_of_environments(num_envs):
    config = tiny_config(num_envs=num_envs, learning_starts=200, total_steps=1_000, update_period=4)
    tape = []
    trainer = make_trainer(config, TapeEnvs(tape, num_envs=num_envs), TapeAgent(tape))
    trainer.run()
    assert trainer.step >= 1_000
    assert tape.count("learn") == trainer.learner.updates == trainer.step // 4 - 200 // 4


@pytest.mark.parametrize(("capacity", "filled_after"), [(100, 100), (400, 200)])
def test_a_replay_that_was_not_saved_fills_up_and_no_longer_before_learning_goes_on(capacity, filled_after):
    config = tiny_config(num_envs=4, learning_starts=200, capacity=capacity, total_steps=600)
    saved = make_trainer(config.replace(save_replay=False))
    saved.run()
    resumed = make_trainer(config.replace(total_steps=1_200))
    resumed.load_state_dict(saved.state_dict())
    assert resumed.learning_starts_at == 600 + filled_after
    resumed.run()
    learned = 1_200 - 600 - filled_after
    assert resumed.learner.updates - saved.learner.updates == learned // config.algorithm.update_period


def test_epsilon_is_one_in_the_warm_up_and_decays_from_its_end():
    trainer = make_trainer(tiny_config(learning_starts=100, epsilon_decay_steps=1_000, epsilon_end=0.1))
    seen = []
    for trainer.step in (0, 99, 100, 600, 1_100, 50_000):
        seen.append(trainer.epsilon)
    assert seen == pytest.approx([1.0, 1.0, 1.0, 0.55, 0.1, 0.1])


def test_every_tag_is_logged_once_a_period():
    logger = Recorder()
    trainer = make_trainer(tiny_config(total_steps=600, log_period=100), logger=logger)
    trainer.run()
    assert [step for step, _ in logger.points] == list(range(100, 601, 100))
    denominators = {f"train/rmsprop_denominator/{name}" for name, _ in trainer.agent.algorithm.model.named_parameters()}
    assert sum(point["train/episodes"] for _, point in logger.points) > 0
    for (_, before), (_, now) in itertools.pairwise(logger.points):
        assert ("train/window_return" in now) == (now["train/episodes"] > before["train/episodes"])
    assert set(logger.points[-1][1]) - {"train/window_return"} == denominators | {
        "train/episode_return", "train/episode_length", "train/episodes", "train/loss", "train/q",
        "train/td_error", "train/grad_norm", "train/epsilon", "train/learning_rate", "time/steps_per_second",
        "time/frames_per_second", "time/updates_per_second", "time/updates_per_step", "train/n_step",
        "train/q_held_out", "actions/a", "actions/b", "actions/c", "replay/transitions", "replay/oldest_age",
        "machine/memory_gib",
    }  # fmt: skip


def test_evaluations_come_at_their_period_and_at_the_end_and_the_best_is_kept(tmp_path):
    logger, means = Recorder(), {200: 3.0, 400: 7.0, 600: 5.0, 700: 6.0}
    config = tiny_config(total_steps=700, eval_period=200, checkpoint_period=100)
    evaluator = ScriptedEvaluator(
        config, lambda step: [EpisodeScore(0, 0, means[step] - 1, 10), EpisodeScore(1, 1, means[step] + 1, 10)]
    )
    trainer = make_trainer(config, logger=logger, checkpoints=tmp_path, evaluator=evaluator)
    trainer.run()
    assert [(result.step, result.mean, result.std, best) for result, best in logger.rows] == [
        (200, 3.0, 1.0, True), (400, 7.0, 1.0, True), (600, 5.0, 1.0, False), (700, 6.0, 1.0, False),
    ]  # fmt: skip
    kept = [int(path.name.removeprefix("step_")) for path in list_steps(tmp_path)]
    assert kept == [400, 600, 700]  # the best and the newest two
    assert trainer.evaluations.best_step == 400
    assert evaluator.shown == [("eval/best_game", 200), ("eval/best_game", 400)]


def test_early_evaluations_come_besides_and_are_shown_whatever_they_score(tmp_path):
    games = lambda step: [EpisodeScore(0, 0, {0: 5.0, 24: 4.0}.get(step, 3.0), 10)]  # noqa: E731
    config = tiny_config(total_steps=300, eval_period=200, eval_early_steps=(0, 22), checkpoint_period=100)
    logger, evaluator = Recorder(), ScriptedEvaluator(config, games)
    trainer = make_trainer(config, logger=logger, checkpoints=tmp_path, evaluator=evaluator)
    trainer.run()
    assert [(result.step, best) for result, best in logger.rows] == [(0, True), (24, False), (200, False), (300, False)]
    assert evaluator.shown == [("eval/best_game", 0), ("eval/early_game", 24)]
    kept = [int(path.name.removeprefix("step_")) for path in list_steps(tmp_path)]
    assert kept == [0, 200, 300]

    again = make_trainer(config, checkpoints=tmp_path, evaluator=evaluator)  # goes on from the checkpoint of step 0
    state, _ = checkpoint.load(step_directory(tmp_path, 0))
    again.load_state_dict(state)
    assert not again.evaluations.is_due(again.step, again.episodes)
    without = make_trainer(config.replace(eval_early_steps=()).replace(eval_period=0))
    without.run()
    for name, weights in without.agent.get_weights().items():
        np.testing.assert_array_equal(weights, trainer.agent.get_weights()[name])


@pytest.mark.parametrize(("frame_skip", "minutes"), [(4, 5), (7, 5), (4, 30)])
def test_training_command_and_report_compare_with_the_human_of_the_same_time_limit(frame_skip, minutes, tmp_path):
    config = tiny_config(
        game="pong",
        total_steps=100,
        eval_period=100,
        frame_skip=frame_skip,
        max_episode_steps=minutes * 3_600 // frame_skip,
    )
    pair = "nature" if minutes == 5 else "zoo"
    logger = Recorder()
    games = [EpisodeScore(0, 0, 9.0, 10), EpisodeScore(1, 1, 10.0, 10)]
    trainer = make_trainer(config, logger=logger, evaluator=ScriptedEvaluator(config, lambda step: games))
    trainer.run()
    ((training, _),) = logger.rows
    assert training.human_pair == training_pair(config.flat()) == pair
    command = result_of(config, monitor(config), [EpisodeScore(0, 0, 9.5, 10)])
    assert (command.human_pair, command.human_normalized) == (pair, training.human_normalized)
    # Pong: random -20.7 in both, human 9.3 in games of 5 minutes and 14.6 in games of 30
    expected = (9.5 + 20.7) / ((9.3 if minutes == 5 else 14.6) + 20.7)
    assert training.human_normalized == pytest.approx(expected)
    (point,) = [values for _, values in logger.points if "eval/human_normalized" in values]
    assert point["eval/human_normalized"] == training.human_normalized


def test_an_evaluation_given_up_is_due_again():
    calls = []
    config = tiny_config(total_steps=400, eval_period=200)
    trainer = make_trainer(config)

    def give_up(step):
        calls.append(step)
        trainer.stop_requested = True

    trainer.evaluator = ScriptedEvaluator(config, give_up)
    trainer.run()
    assert calls == [200]
    assert trainer.evaluations.evaluated_at == 0
    trainer.stop_requested, games = False, [EpisodeScore(0, 0, 1.0, 1)]
    trainer.evaluator = ScriptedEvaluator(config, lambda step: calls.append(step) or games)
    trainer.run()
    assert calls == [200, 200, 400]


def test_a_stop_request_ends_after_the_vector_step_and_saves(tmp_path):
    trainer = make_trainer(tiny_config(total_steps=1_000), checkpoints=tmp_path)

    class StopAt(Recorder):
        def log(self, step, values):
            trainer.stop_requested = step == 200

    trainer.logger = StopAt()
    trainer.run()
    assert trainer.step == 200
    assert [path.name for path in list_steps(tmp_path)] == ["step_0000000200"]


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_step(tmp_path):
    trainer = make_trainer(tiny_config(total_steps=1_000), checkpoints=tmp_path)
    learn = trainer.agent.learn

    def diverge(*args):
        return learn(*args)._replace(loss=torch.tensor(float("nan")))

    trainer.agent.learn = diverge
    with pytest.raises(TrainingDiverged, match="at step 100"):
        trainer.run()
    assert list_steps(tmp_path) == []


def test_counters_epsilon_target_phase_and_moments_come_back(tmp_path):
    config = tiny_config(total_steps=300)
    trainer, resumed = make_trainer(config, checkpoints=tmp_path), make_trainer(config)
    trainer.run()
    _, state, meta = load_newest(tmp_path)
    assert (meta["game"], meta["step"]) == (config.game, 300)
    resumed.load_state_dict(state)
    assert (resumed.step, resumed.episodes) == (trainer.step, trainer.episodes)
    assert resumed.learner.updates == trainer.learner.updates
    assert list(resumed.metrics.recent) == list(trainer.metrics.recent)
    assert resumed.metrics.window == trainer.metrics.window
    assert torch.equal(resumed.metrics.held_out, trainer.metrics.held_out)
    assert torch.equal(resumed.replay.latest_obs(), trainer.replay.latest_obs())
    for name in ("model", "target", "optimizer"):
        one, two = (each.agent.algorithm.state_dict()[name] for each in (trainer, resumed))
        assert_same(one, two)
    # with an empty replay nothing is learned until it has been warmed up again
    assert resumed.learning_starts_at == 300 + config.replay.learning_starts
    resumed.config = config.replace(total_steps=300 + 2 * config.replay.learning_starts)
    resumed.run()
    assert (
        resumed.learner.updates
        == trainer.learner.updates + config.replay.learning_starts // config.algorithm.update_period
    )


def assert_same(one, two):
    assert one.keys() == two.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            assert_same(value, two[key])
        else:
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(two[key])), key


def weights_after(**settings):
    trainer = make_trainer(tiny_config(total_steps=400, **settings))
    trainer.run()
    return torch.cat([param.detach().flatten() for param in trainer.agent.algorithm.model.parameters()])


def test_same_seed_same_weights_and_another_seed_others():
    assert torch.equal(weights_after(seed=3), weights_after(seed=3))
    assert not torch.equal(weights_after(seed=3), weights_after(seed=4))


def test_overlap_changes_nothing_but_the_lag():
    """The serial order on rows up to the previous vector step is the overlapped order, bit for bit."""
    config = tiny_config(total_steps=400)
    overlapped = make_trainer(config)
    overlapped.run()
    lagging = make_trainer(config.replace(overlap=False))
    sample, pending = lagging.replay.add, []

    def add_late(action, step):  # the learner below runs before the row is there, as with overlap
        lagging.learner.learn_what_is_due(lagging.step, lagging.learning_starts_at)
        pending.append(step)
        sample(action, step)

    lagging.replay.add = add_late
    learn = lagging.learner.learn_what_is_due
    calls = iter([True, False] * 10_000)
    lagging.learner.learn_what_is_due = lambda *now: learn(*now) if next(calls) else None
    lagging.run()
    for one, two in zip(
        overlapped.agent.algorithm.model.parameters(), lagging.agent.algorithm.model.parameters(), strict=True
    ):
        assert torch.equal(one, two)


def test_a_trainer_of_the_nature_preset_is_the_papers():
    """The numbers of the paper's table, once more and in one place."""
    config = nature("breakout")
    papers = Config(game="breakout").replace(
        total_steps=50_000_000, batch_size=32, capacity=1_000_000, frame_stack=4,
        learning_starts=50_000, update_period=4, target_update_period=10_000, gamma=0.99, n_step=1,
        double_q=False, epsilon_start=1.0, epsilon_end=0.1, epsilon_decay_steps=1_000_000,
        eval_epsilon=0.05, eval_period=250_000, eval_steps=125_000, clip_reward=True,
        loss="huber", loss_reduction="sum", optimizer="rmsprop", learning_rate=0.00025,
        rmsprop_decay=0.95, optimizer_eps=0.01, frame_skip=4, noop_max=30, sticky_probability=0.0,
        action_set="paper", terminal_on_life_loss=True, hidden_sizes=(512,), precision="fp32",
    )  # fmt: skip
    assert config == papers


def test_the_windows_of_the_log_hold_every_game_once():
    logger, trainer = Recorder(), make_trainer(tiny_config(total_steps=600, log_period=100))
    trainer.logger, returns = logger, []
    note = trainer.tracker.update

    def remember(step, first):
        games = note(step, first)
        returns.extend(game.episode_return for game in games)
        return games

    trainer.tracker.update = remember
    trainer.run()
    counts = np.diff([0.0, *(point["train/episodes"] for _, point in logger.points)])
    means = [point.get("train/window_return", 0.0) for _, point in logger.points]
    assert counts @ means == pytest.approx(sum(returns))
