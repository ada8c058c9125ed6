"""The state of a run in a checkpoint, field by field: what `Trainer.state_dict` gives, and all that may be loaded.

A checkpoint may be damaged or a stranger's, and its checksums made to match. The shapes of weights are not told here:
the network knows them, and compares.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from atari_dqn.config import Config
from atari_dqn.dqn.metrics import HELD_OUT_STATES, RECENT_EPISODES
from atari_dqn.dqn.parts import networks_draw
from atari_dqn.extensions.sum_tree import LARGEST_TOTAL
from atari_dqn.replay.buffer import FrameReplay
from atari_dqn.storage.schema import (
    ANY_OBJECT,
    LARGEST_INTEGER,
    CheckpointError,
    Kind,
    array,
    integer,
    none_or,
    number,
    row,
    several,
    table,
    text,
)
from atari_dqn.types import EnvSpec, LearnStats

SEEDS = 2**31  # of a game

GENERATOR = table(
    {
        "bit_generator": text("PCG64"),
        "state": table({"state": integer(0, 2**128 - 1), "inc": integer(0, 2**128 - 1)}),
        "has_uint32": integer(0, 1),
        "uinteger": integer(0, 2**32 - 1),
    }
)
COUNTERS = table(
    {
        **dict.fromkeys(("step", "episodes", "learn_after", "evaluated_at", "evaluated_episodes"), integer(0)),
        "best_score": number(-math.inf),
        "best_step": integer(-1),
        "last_score": none_or(number()),
    }
)


def run_state(config: Config, spec: EnvSpec, replay: FrameReplay) -> Kind:
    """State of a whole run, whose replay has these sizes."""
    n, turn, groups, actions = config.env.num_envs, config.envs_at_once, config.env.env_groups, spec.num_actions
    newest = {
        "frames": array((None, turn, *spec.frame_shape), spec.frame_dtype),
        "age": array((None, turn), "uint8"),
    }
    tracker = {"episode_return": array((n,), "float64"), "episode_length": array((n,), "int64", 0)}
    check_fields = table(
        {
            "agent": agent_state(config, spec),
            "learner": _learner_state(config, replay),
            "envs": _envs_state(config, spec),
            "answers": several(array((turn,), "int64", 0, actions - 1), most=groups),
            "newest_frames": table(newest),
            "replay": none_or(_replay_state(spec, replay)),
            "tracker": table(tracker),
            "recent": several(row(number(), integer(0)), most=RECENT_EPISODES),
            "counters": COUNTERS,
        },
        optional={  # not in older checkpoints
            "window": several(number(), most=LARGEST_INTEGER),
            "logged_at": integer(0),
            "held_out": none_or(array((HELD_OUT_STATES, config.env.frame_stack, *spec.frame_shape), spec.frame_dtype)),
            "openings": table({"pending": array((n, None), "int64", -1, actions - 1)}),
        },
    )

    def check(state: Any, place: str) -> None:
        check_fields(state, place)
        if state["replay"] and "end" in (known := state["learner"].get("priorities", {})):
            learnable = state["replay"]["learnable"]
            for name in ("first", "end"):
                integer(0, learnable[name])(known[name], f"learner.priorities.{name}")
        frames, age = state["newest_frames"]["frames"], state["newest_frames"]["age"]
        if len(frames) != len(age) or len(age) not in range(groups, config.env.frame_stack * groups + 1, groups):
            raise CheckpointError(f"newest_frames has {len(frames)} times of frames and {len(age)} of their age")

    return check


def agent_state(config: Config, spec: EnvSpec) -> Kind:
    """State of an agent; `Algorithm.load_state_dict` compares the tensors with those of the network."""
    held = {"held": array((config.env.num_envs,), "int64", 0, spec.num_actions - 1)}
    exploration = {"generator": GENERATOR, **held, "left": array((config.env.num_envs,), "int64", 0)}
    weights = dict.fromkeys(("model", "target", "optimizer"), ANY_OBJECT)
    chance = {"chance": table({"generator": array((None,), "uint8")})} if networks_draw(config.extensions) else {}
    return table({"algorithm": table(weights | chance), "exploration": table(exploration)})


def _learner_state(config: Config, replay: FrameReplay) -> Kind:
    fields = {
        "generator": GENERATOR,
        "updates": integer(0),
        "stats_sum": array((len(LearnStats._fields),), "float32"),
        "stats_count": integer(0),
    }
    if config.extensions.priority_alpha > 0.0 and config.extensions.priority_sampler == "exact":
        fields["priorities"] = _exact_priorities(len(replay.learnable.ring))
    elif config.extensions.priority_alpha > 0.0:
        error = array((replay.ring.num_rows,), "float32", 0)
        fields["priorities"] = table({"error": error, "newest": integer(-1)})
    return table(fields, optional={"owed": integer(0, config.extensions.reset_updates)})


def _exact_priorities(capacity: int) -> Kind:
    """See `ProportionalPriorities`: a leaf has a priority where a transition lies, and none elsewhere."""
    check_fields = table(
        {
            "leaves": array((capacity,), "int64", 0, LARGEST_TOTAL // capacity),  # their sum fits in 64 bits
            "largest": array((), "float32", 1),
            "first": integer(0),
            "end": integer(0),
        }
    )

    def check(state: Any, place: str) -> None:
        check_fields(state, place)
        integer(state["first"], state["first"] + capacity)(state["end"], f"{place}.end")
        held = np.zeros(capacity, bool)
        held[np.arange(state["first"], state["end"]) % capacity] = True
        if ((np.asarray(state["leaves"]) > 0) != held).any():
            raise CheckpointError(f"{place}.leaves are not those of {held.sum()} transitions from {state['first']} on")

    return check


def _envs_state(config: Config, spec: EnvSpec) -> Kind:
    turn, groups = config.envs_at_once, config.env.env_groups
    one = _saved_games(turn) if config.env.backend == "workers" else _played_games(turn, spec)
    if groups == 1:
        return one
    facts = dict.fromkeys(("terminated", "truncated", "started", "finished"), array((turn,), "bool"))
    picture = (2, spec.screens.height, spec.screens.width) if spec.screens else spec.frame_shape
    frame = array((turn, *picture), spec.frame_dtype)
    step = table({"frame": frame, "reward": array((turn,), "float32"), **facts})
    turns = {"turn": integer(0, groups - 1), "arrived": several(step, most=groups)}
    return table({"groups": several(one, least=groups, most=groups), **turns})


def _saved_games(n: int) -> Kind:
    """What the emulators of n environments said of themselves, see `WorkerEnvs`."""
    fields = {"saved": array((n, None), "uint8"), "length": array((n,), "int64", 0), "ale_py": text(r"[\w.+-]{1,40}")}

    def check(state: Any, place: str) -> None:
        table(fields)(state, place)
        array((n,), "int64", 0, state["saved"].shape[1])(state["length"], f"{place}.length")

    return check


def _played_games(n: int, spec: EnvSpec) -> Kind:
    """Seeds and actions of n environments, see `envs.contract.Course`."""
    check_fields = table(
        {
            "seeds": array((n,), "int64", 0, SEEDS - 1),
            "log": array((None, n), "uint8", 0, spec.num_actions - 1),
            "begin": array((n,), "int64", 0),
            "next_seed": array((n,), "int64", -1, SEEDS - 1),
            "fresh_seeds": GENERATOR,
        },
        optional={"traces": array((3, n), "float64")},
    )

    def check(state: Any, place: str) -> None:
        check_fields(state, place)
        array((n,), "int64", 0, len(state["log"]))(state["begin"], f"{place}.begin")

    return check


def _replay_state(spec: EnvSpec, replay: FrameReplay) -> Kind:
    """Everything but the frames; see `FrameReplay` and `SampleIndex`."""
    rows, ring, learnable = replay.ring.num_rows, replay.ring, replay.learnable
    index = {
        "ring": array(learnable.ring.shape, "int32", 0, rows - 1),
        "admitted": array(learnable.admitted.shape, "int32", 0, ring.envs_at_once),
        "first": integer(0),
        "end": integer(0),
    }
    check_fields = table(
        {
            "action": array((rows,), "uint8", 0, spec.num_actions - 1),
            "reward": array((rows,), "float32"),
            "terminated": array((rows,), "bool"),
            "age": array((rows,), "uint8"),
            "time": integer(0),
            "first_time": integer(0),
            "learnable": table(index),
        }
    )

    def check(state: Any, place: str) -> None:
        check_fields(state, place)
        known = state["learnable"]
        held = int(known["admitted"].sum())
        integer(max(0, known["end"] - len(learnable.ring)), known["end"])(known["first"], f"{place}.learnable.first")
        if held != known["end"] - known["first"]:
            raise CheckpointError(f"{place}.learnable holds {known['end'] - known['first']} rows, but admitted {held}")

    return check
