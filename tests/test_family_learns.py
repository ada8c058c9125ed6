"""Each head in the learning algorithm itself: it finds the values of a chain, which are known.

state     0     1     2     3     4         action 1 goes right, action 0 goes left and earns nothing
reward                            1, end    for going right in state 4
value    g^4   g^3   g^2    g     1
"""

import pytest
import torch
import torch.nn.functional as F

from atari_dqn.dqn.algorithm import DQN
from atari_dqn.extensions.c51 import CategoricalHead
from atari_dqn.extensions.iqn import ImplicitQuantileNetwork
from atari_dqn.extensions.noisy import NoisyLinear
from atari_dqn.extensions.quantiles import QuantileHead
from atari_dqn.extensions.random_buffers import draw_noise, silence
from atari_dqn.networks import initialize
from atari_dqn.networks.heads import Ending
from atari_dqn.networks.vector import MLP
from atari_dqn.settings.learning import AlgorithmConfig
from atari_dqn.types import Transitions

GAMMA, STATES, BATCH = 0.8, 5, 32


def random_steps(generator):
    state = torch.randint(STATES, (BATCH,), generator=generator)
    action = torch.randint(2, (BATCH,), generator=generator)
    ended = (state == STATES - 1) & (action == 1)
    next_state = (state + 2 * action - 1).clamp(0, STATES - 1)
    seen, next_seen = (F.one_hot(each, STATES).float() for each in (state, next_state))
    return Transitions(seen, action, ended.float()[:, None], torch.ones(BATCH, dtype=torch.int64), ended, next_seen)


def make_network(member):
    head = {"c51": CategoricalHead(51, limit=2.0), "quantiles": QuantileHead(20)}.get(member)
    network = MLP(STATES, 2, (64,), ending=Ending(head))
    if member == "iqn":
        network = ImplicitQuantileNetwork(network, rows=BATCH)
    if member == "noisy":
        network.last = NoisyLinear(64, 2)
    initialize(network, torch.Generator().manual_seed(1))
    return network


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("member", ["c51", "quantiles", "iqn", "noisy"])
def test_the_values_of_a_chain_are_found(member, double_q):
    network, generator = make_network(member), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    learner = DQN(network, optimizer, AlgorithmConfig(gamma=GAMMA, double_q=double_q, loss_reduction="mean"))
    for update in range(1, 301):
        draw_noise(learner.model, generator)
        draw_noise(learner.target, generator)
        learner.learn(random_steps(generator))
        if update % 20 == 0:
            learner.sync_target()
    silence(learner.model)
    values = learner.predict(torch.eye(STATES))
    assert values.argmax(dim=1).tolist() == [1] * STATES
    expected = GAMMA ** torch.arange(STATES - 1, -1, -1.0)
    torch.testing.assert_close(values[:, 1], expected, atol=0.1, rtol=0)
