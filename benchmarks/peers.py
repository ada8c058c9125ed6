"""The DQNs that `bench_train.py` is measured beside, as their users have them, on the clock after a warm-up.

    sb3        stable-baselines3's DQN, the settings of its model zoo for Atari, any number of environments
    one_file   a loop in one file in CleanRL's manner: one environment behind gymnasium's and sb3's wrappers,
               sb3's replay, plain PyTorch, CleanRL's settings
    envpool    the same loop over EnvPool's environments in C++

All learn the paper's network from batches of 32, once for every 4 agent steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from atari_dqn import host

UPDATE_PERIOD = 4  # agent steps, ours and the peers'
BATCH_SIZE = 32
CAPACITY = 100_000
TARGET_PERIOD = {"sb3": 10_000, "one_file": 1_000}  # agent steps
EPSILON = 0.1


def wait(device: str) -> None:
    """Until a GPU has done what it was told."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def threads(options: argparse.Namespace) -> int:
    """Of torch, as many as cores unless told otherwise."""
    torch.set_num_threads(options.torch_threads or host.cores())
    return torch.get_num_threads()


def run_sb3(options: argparse.Namespace) -> dict[str, Any]:
    """stable-baselines3's DQN with the settings of its model zoo for Atari, and the paper's batch and ratio."""
    import ale_py
    import gymnasium
    import stable_baselines3
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecFrameStack

    gymnasium.register_envs(ale_py)
    num_envs, torch_threads = options.num_envs, threads(options)
    kind = SubprocVecEnv if options.subprocesses else DummyVecEnv
    envs = VecFrameStack(make_atari_env(f"{game(options)}NoFrameskip-v4", num_envs, seed=0, vec_env_cls=kind), 4)
    agent = stable_baselines3.DQN(
        "CnnPolicy",
        envs,
        learning_rate=1e-4,
        buffer_size=CAPACITY,
        learning_starts=options.warm_up // 2,
        batch_size=BATCH_SIZE,
        train_freq=max(1, UPDATE_PERIOD // num_envs),
        gradient_steps=max(1, num_envs // UPDATE_PERIOD),
        target_update_interval=TARGET_PERIOD["sb3"],
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        optimize_memory_usage=True,
        replay_buffer_kwargs={"handle_timeout_termination": False},
        device=options.device,
    )
    agent.learn(options.warm_up)
    wait(options.device)
    began, first, updates = time.perf_counter(), agent.num_timesteps, agent._n_updates
    agent.learn(options.steps, reset_num_timesteps=False)
    wait(options.device)
    seconds = time.perf_counter() - began
    envs.close()
    return {
        "steps_per_second": (agent.num_timesteps - first) / seconds,
        "updates_per_step": (agent._n_updates - updates) / (agent.num_timesteps - first),
        "precision": "fp32",
        "torch_threads": torch_threads,
        "num_envs": num_envs,
        "version": stable_baselines3.__version__,
    }


def run_one_file(options: argparse.Namespace) -> dict[str, Any]:
    """One environment behind wrappers of gymnasium and sb3."""
    import ale_py
    import gymnasium
    from gymnasium import wrappers
    from stable_baselines3.common import atari_wrappers

    gymnasium.register_envs(ale_py)

    def one() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(f"{game(options)}NoFrameskip-v4")
        env = atari_wrappers.MaxAndSkipEnv(atari_wrappers.NoopResetEnv(env, noop_max=30), skip=4)
        env = atari_wrappers.EpisodicLifeEnv(env)
        if "FIRE" in env.unwrapped.get_action_meanings():
            env = atari_wrappers.FireResetEnv(env)
        env = wrappers.ResizeObservation(atari_wrappers.ClipRewardEnv(env), (84, 84))
        return wrappers.FrameStackObservation(wrappers.GrayscaleObservation(env), 4)

    envs = gymnasium.vector.SyncVectorEnv([one] * options.num_envs)
    return _loop(options, envs) | {"version": gymnasium.__version__}


def run_envpool(options: argparse.Namespace) -> dict[str, Any]:
    """Environments of EnvPool, in as many threads as there are cores."""
    import envpool

    envs = envpool.make(
        f"{game(options)}-v5",
        env_type="gymnasium",
        num_envs=options.num_envs,
        num_threads=options.env_threads or host.cores(),
        episodic_life=True,
        reward_clip=True,
        noop_max=30,
        seed=0,
    )
    return _loop(options, envs) | {"version": envpool.__version__}


def game(options: argparse.Namespace) -> str:
    """As gymnasium writes it."""
    return "".join(part.capitalize() for part in options.game.split("_"))


def _network(actions: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(4, 32, 8, stride=4), nn.ReLU(), nn.Conv2d(32, 64, 4, stride=2), nn.ReLU(),
        nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, actions),
    )  # fmt: skip


def _loop(options: argparse.Namespace, envs: Any) -> dict[str, Any]:
    """DQN as one would write it down: act, store, learn, one after the other."""
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3.common.buffers import ReplayBuffer

    torch_threads, device, num_envs = threads(options), options.device, options.num_envs
    actions = int(getattr(envs, "single_action_space", envs.action_space).n)
    online, target = _network(actions).to(device), _network(actions).to(device)
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-4)
    replay = ReplayBuffer(
        CAPACITY, Box(0, 255, (4, 84, 84), np.uint8), Discrete(actions), device, num_envs,
        optimize_memory_usage=True, handle_timeout_termination=False,
    )  # fmt: skip
    numbers = np.random.default_rng(0)

    def learn() -> None:
        batch = replay.sample(BATCH_SIZE)
        with torch.no_grad():
            best = target(batch.next_observations / 255.0).max(dim=1).values
            wanted = batch.rewards.flatten() + 0.99 * best * (1 - batch.dones.flatten())
        told = online(batch.observations / 255.0).gather(1, batch.actions).squeeze()
        loss = nn.functional.mse_loss(wanted, told)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    obs, steps, updates = np.asarray(envs.reset()[0]), 0, 0

    def play(until: int) -> None:
        nonlocal obs, steps, updates
        while steps < until:
            with torch.no_grad():
                greedy = online(torch.as_tensor(obs, device=device) / 255.0).argmax(dim=1).cpu().numpy()
            action = np.where(numbers.random(num_envs) < EPSILON, numbers.integers(actions, size=num_envs), greedy)
            following, reward, over, cut, _ = envs.step(action)
            replay.add(obs, np.asarray(following), action, reward, over | cut, [{}] * num_envs)
            obs, before, steps = np.asarray(following), steps, steps + num_envs
            for _ in range(steps // UPDATE_PERIOD - before // UPDATE_PERIOD if steps > options.warm_up // 2 else 0):
                learn()
                updates += 1
            if steps // TARGET_PERIOD["one_file"] > before // TARGET_PERIOD["one_file"]:
                target.load_state_dict(online.state_dict())

    play(options.warm_up)
    wait(device)
    began, first, learned = time.perf_counter(), steps, updates
    play(steps + options.steps)
    wait(device)
    seconds = time.perf_counter() - began
    envs.close()
    return {
        "steps_per_second": (steps - first) / seconds,
        "updates_per_step": (updates - learned) / (steps - first),
        "precision": "fp32",
        "torch_threads": torch_threads,
        "num_envs": num_envs,
    }


PEERS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "sb3": run_sb3,
    "one_file": run_one_file,
    "envpool": run_envpool,
}
