"""If it cannot learn these, nothing else matters."""

import numpy as np

from atari_dqn.envs import make_envs
from atari_dqn.evaluation.play import play
from atari_dqn.evaluation.protocols import greedy
from atari_dqn.presets import cartpole
from tests.fakes import ScriptedEnvs, make_step, make_trainer, tiny_config


class IdentityEnvs(ScriptedEnvs):
    """The right answer is the question: frames show a number, the reward is 1 for the action of that number."""

    def _frames(self):
        self.asked = self.rng.integers(3, size=self.num_envs)
        return np.eye(3, dtype=np.uint8)[self.asked]

    def recv(self):
        right = (self.sent == self.asked).astype(np.float32)
        return make_step(self._frames(), reward=right)


def test_identity_is_learned_from_immediate_rewards():
    config = tiny_config(
        num_envs=4, frame_stack=1, total_steps=3_000, capacity=1_000, gamma=0.0, learning_rate=0.01, optimizer="adam",
        optimizer_eps=1e-8, loss_reduction="mean", epsilon_decay_steps=500,
    )  # fmt: skip
    envs = IdentityEnvs(4, frame_shape=(3,))
    trainer = make_trainer(config, envs)
    trainer.run()
    right = 0
    for _ in range(50):
        action = trainer.agent.predict(trainer.replay.latest_obs())
        right += (action == envs.asked).sum()
        envs.send(action)
        trainer.replay.add(action, envs.recv())
    assert right == 200


def test_cartpole_gets_much_better_than_chance_in_seconds():
    config = cartpole().replace(total_steps=12_000, eval_period=0)
    envs = make_envs(config)
    trainer = make_trainer(config, envs)
    trainer.run()
    scores = play(trainer.agent, config, greedy(config, 10), num_envs=5, seed=np.random.SeedSequence(0))
    assert np.mean([score.episode_return for score in scores]) > 100  # chance is about 20
    envs.close()
