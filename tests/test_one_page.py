"""The page that reads like the paper, and the trainer that is fast, learn the same; pages quote it word for word."""

import re
from pathlib import Path

import pytest

from atari_dqn.dqn import one_page
from atari_dqn.dqn.agent import make_agent
from atari_dqn.envs import make_envs
from atari_dqn.presets import nature
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.train import replay_layout
from tests.fakes import ScriptedEnvs, make_trainer, tiny_config

PAGE = Path(one_page.__file__)
QUOTED_IN = ["README.md", "docs/tutorial.md"]

BREAKOUT = nature("breakout").replace(
    num_envs=1, overlap=False, total_steps=160, learning_starts=80, capacity=500, batch_size=8,
    target_update_period=50, epsilon_decay_steps=100, hidden_sizes=(16,), eval_period=0, checkpoint_period=0,
    device="cpu", torch_threads=1, env_threads=1,
)  # fmt: skip
VECTORS = tiny_config(num_envs=1, overlap=False, total_steps=1_000)


@pytest.mark.parametrize("config", [VECTORS, BREAKOUT], ids=["vectors", "pixels"])
def test_one_page_ends_with_the_weights_of_the_trainer(config):
    def games():
        return make_envs(config) if config is BREAKOUT else ScriptedEnvs(1, frame_shape=(3,))

    envs = games()
    trainer = make_trainer(config, envs)
    trainer.run()
    fresh = make_agent(config, envs.spec).get_weights()
    envs.close()

    envs = games()
    agent = make_agent(config, envs.spec)
    one_page.train(config, envs, agent, FrameReplay(replay_layout(config, envs.spec)))
    envs.close()

    plain, fast = agent.get_weights(), trainer.agent.get_weights()
    assert all((plain[name] == fast[name]).all() for name in fast)
    assert any((fresh[name] != fast[name]).any() for name in fast)


def test_it_is_one_page():
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 60


@pytest.mark.parametrize("page", QUOTED_IN)
def test_pages_quote_it_word_for_word(page):
    text = (PAGE.parent.parent.parent / page).read_text(encoding="utf-8")
    quotes = [block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if "def train(" in block]
    code = PAGE.read_text(encoding="utf-8")
    assert quotes and all(quote.strip() == code[code.index("def train(") :].strip() for quote in quotes)
