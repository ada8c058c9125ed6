"""What bf16 does to one step of learning: values, chosen actions and gradients beside those in fp32.

    python benchmarks/precision_error.py RUN [--checkpoint last] [--steps 4000] [--minibatches 50]

RUN is a run on Atari, or pretrained:<game>. Its network plays `steps` agent steps with epsilon 0.05; then the same
network answers and learns, in both precisions, from the same minibatches of what was played. Rounding that errs the
same way in every minibatch would add up, so the means of the gradients are compared, too. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from measuring import finish, parse_with_player

from atari_dqn.config import Config
from atari_dqn.dqn import schedules
from atari_dqn.dqn.agent import Agent, make_agent
from atari_dqn.envs import make_envs, spec_of
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.runs.train import replay_layout
from atari_dqn.types import Transitions

EPSILON = 0.05


def played(agent: Agent, config: Config, steps: int, at_step: int) -> FrameReplay:
    """What the agent does from the start of its games, with the bootstrap distance that the run had at `at_step`."""
    envs = make_envs(config)
    replay = FrameReplay(replay_layout(config, envs.spec), device="cpu", frames_on="cpu")
    replay.n_step = schedules.n_step(config, at_step)
    replay.start(envs.reset(np.arange(config.env.num_envs)))
    for _ in range(steps // config.env.num_envs):
        action = agent.sample(replay.latest_obs(), EPSILON)
        envs.send(action)
        replay.add(action, envs.recv())
    envs.close()
    return replay


def in_precision(agent: Agent, config: Config, precision: str) -> Agent:
    """The same weights, online and target, in another precision; updates leave them as they are."""
    twin = make_agent(config.replace(precision=precision), spec_of(config))
    twin.set_weights(agent.get_weights())
    twin.sync_target()
    for group in twin.algorithm.optimizer.param_groups:
        group["lr"] = 0.0
    return twin


def gradients(agent: Agent, batch: Transitions) -> dict[str, torch.Tensor]:
    """Of one update on this minibatch, by name of the weights."""
    agent.learn(batch)
    named = agent.algorithm.model.named_parameters()
    return {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


def errors_of_values(fp32: Agent, bf16: Agent, obs: torch.Tensor) -> dict[str, float]:
    """How far Q-values are apart, and what choosing by those in bf16 costs."""
    exact, rounded = (agent.algorithm.predict(obs) for agent in (fp32, bf16))
    best = exact.topk(2, dim=1).values
    chosen = exact.gather(1, rounded.argmax(1, keepdim=True)).squeeze(1)
    return {
        "mean_q": round(exact.mean().item(), 4),
        "mean_gap_of_best_action": round((best[:, 0] - best[:, 1]).mean().item(), 4),
        "mean_error_of_q": round((exact - rounded).abs().mean().item(), 5),
        "same_best_action": round((exact.argmax(1) == rounded.argmax(1)).float().mean().item(), 4),
        "mean_q_lost_by_choice": round((best[:, 0] - chosen).mean().item(), 6),
    }


def errors_of_gradients(fp32: Agent, bf16: Agent, batches: list[Transitions]) -> list[dict[str, Any]]:
    """Directions and lengths of the gradients of each layer, and of their means over the minibatches."""
    pairs = [(gradients(fp32, batch), gradients(bf16, batch)) for batch in batches]
    rows = []
    for name in pairs[0][0]:
        exact, rounded = (torch.stack([pair[side][name].flatten() for pair in pairs]) for side in (0, 1))
        row = {
            "cosine": F.cosine_similarity(exact, rounded).mean().item(),
            "cosine_of_means": F.cosine_similarity(exact.mean(0), rounded.mean(0), 0).item(),
            "length_of_means": (rounded.mean(0).norm() / exact.mean(0).norm()).item(),
        }
        rows.append({"of": name} | {key: round(value, 4) for key, value in row.items()})
    return rows


def main() -> None:
    """Play, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--minibatches", type=int, default=50)
    parser.add_argument("--out", type=Path)
    options, player = parse_with_player(parser)
    config = player.config.replace(capacity=options.steps, learning_starts=options.steps, env_groups=1)
    replay = played(player.agent, config, options.steps, player.step)
    fp32, bf16 = (in_precision(player.agent, config, precision) for precision in ("fp32", "bf16"))
    generator = np.random.default_rng(0)
    batches = [replay.sample(config.replay.batch_size, generator) for _ in range(options.minibatches)]
    obs = torch.cat([batch.obs for batch in batches])
    result = {"bench": "precision_error", "game": config.game, "step": player.step, "observations": len(obs)}
    rows = errors_of_gradients(fp32, bf16, batches)
    print("gradients in bf16 and fp32          cosine  of their means  length of means, bf16 / fp32")
    for row in rows:
        print("{of:<34} {cosine:>7.4f} {cosine_of_means:>15.4f} {length_of_means:>29.4f}".format(**row))
    finish(result | errors_of_values(fp32, bf16, obs) | {"gradients": rows}, options.out)


if __name__ == "__main__":
    main()
