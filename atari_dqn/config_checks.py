"""What can be wrong with a config, as sentences that name the value and the remedy.

Knows the settings by their names only, in one namespace without groups (`Config.flat`), so that `config.py` can ask it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

AT_LEAST_ONE = (
    "num_envs",
    "env_groups",
    "frame_skip",
    "frame_stack",
    "max_episode_steps",
    "total_steps",
    "learning_starts",
    "capacity",
    "batch_size",
    "update_period",
    "target_update_period",
    "n_step",
    "n_step_end",
    "eval_steps",
    "eval_num_envs",
    "log_period",
)
AT_LEAST_ZERO = (
    "seed noop_max total_episodes game_end_updates reset_updates epsilon_decay_steps n_step_decay_steps "
    "priority_decay_steps replay_window_growth_steps replay_window_min eval_period eval_period_episodes "
    "eval_episodes checkpoint_period film_seconds torch_threads env_threads"
).split()
IN_ZERO_TO_ONE = (
    "sticky_probability",
    "epsilon_start",
    "epsilon_end",
    "epsilon_decay_factor",
    "eval_epsilon",
    "priority_alpha",
    "priority_beta",
    "priority_beta_end",
    "munchausen_alpha",
    "gamma",
    "learning_rate_end_ratio",
    "rmsprop_decay",
)
PIXEL_NETWORKS = ("nature_cnn", "nips_cnn")
DENSE_NETWORKS = (*PIXEL_NETWORKS, "mlp")  # that end in fully connected layers
LONGEST = 2**40  # agent steps
POSITIVE = ("learning_rate", "value_limit", "optimizer_eps", "reward_scale", "munchausen_temperature")
RULES: tuple[tuple[Sequence[str], Callable[[Any], bool], str], ...] = (
    (AT_LEAST_ONE, lambda value: value >= 1, "be at least 1"),
    (AT_LEAST_ZERO, lambda value: value >= 0, "be at least 0"),
    (IN_ZERO_TO_ONE, lambda value: 0.0 <= value <= 1.0, "lie in [0, 1]"),
    (POSITIVE, lambda value: 0.0 < value < math.inf, "be a positive number"),
    (["noisy_sigma"], lambda value: 0.0 <= value < math.inf, "be a number of at least 0"),
    (["atoms"], lambda value: value >= 2, "be at least 2"),
    (["max_grad_norm"], lambda value: 0.0 <= value < math.inf, "be a number of at least 0"),
    (["replay_window_fraction"], lambda value: 0.0 < value <= 1.0, "lie in (0, 1]"),
    (
        ["hidden_sizes"],
        lambda sizes: len(sizes) <= 16 and all(1 <= size <= 65_536 for size in sizes),
        "hold at most 16 sizes in [1, 65536]",
    ),
    (
        ["reset_steps", "eval_early_steps"],
        lambda steps: len(steps) <= 1_000 and all(0 <= step <= LONGEST for step in steps),
        f"hold at most 1,000 steps in [0, {LONGEST}]",
    ),
    (
        ["game", "preset", "device", "replay_device"],
        lambda word: word.isprintable() and 1 <= len(word) <= 100,
        "have 1 to 100 printable characters",
    ),
    (["epsilon_ladder"], lambda value: 1.0 <= value < math.inf, "be a number of at least 1"),
    (["value_bins"], lambda value: value == 0 or value >= 2, "be 0 or at least 2"),
    (["polynomial_degree"], lambda value: 1 <= value <= 4, "lie in [1, 4]"),
    (["table_bins"], lambda value: 2 <= value <= 100, "lie in [2, 100]"),
)
# The most that a number may be, and why: what lies beyond is no setting, but a mistake or a stranger's trap.
AT_MOST: tuple[tuple[Sequence[str], float, str], ...] = (
    (
        "total_steps total_episodes learning_starts replay_window_growth_steps replay_window_min priority_decay_steps "
        "capacity update_period target_update_period reset_updates game_end_updates n_step_decay_steps "
        "epsilon_decay_steps eval_period eval_period_episodes eval_steps eval_episodes log_period "
        "checkpoint_period".split(),
        LONGEST,
        "at 35,000 steps a second that is a year",
    ),
    (["max_episode_steps"], 10**8, "that is two months of play in one game"),
    (["num_envs", "eval_num_envs", "env_groups"], 4_096, "each is an emulator with memory of its own"),
    (["frame_skip"], 60, "that is a second of play"),
    (["noop_max"], 1_800, "that is half a minute of play"),
    (["frame_stack"], 255, "the age of a frame is a byte"),
    (["batch_size"], 65_536, "of images that is some 4 GB"),
    (["n_step", "n_step_end"], 1_000, "so many rewards are read for each transition"),
    (["value_bins", "atoms"], 4_096, "the network has so many outputs for each action"),
    (["noisy_sigma"], 100, "weights would drown in noise"),
    (["epsilon_ladder"], 1_000, "a chance to such a power is 0"),
    (["film_seconds"], 300, "the pictures are held in memory"),
    (["torch_threads", "env_threads"], 1_024, "no machine has more cores"),
    (["seed"], 2**63 - 1, "it has 64 bits"),
    ([*POSITIVE, "max_grad_norm"], 1e30, "the numbers of a network end at 3e38"),
)

# By backend: the settings that it does not use, and what may stand there; the first is the value to leave them at.
UNUSED: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "classic": {  # games without an emulator
        "frame_skip": (1,),
        "noop_max": (0,),
        "sticky_probability": (0.0,),
        "action_set": ("paper", "minimal"),
        "fire_on_reset": (False,),
        "noop_after_life_loss": (False,),
        "terminal_on_life_loss": (False,),
    },
    "reference": {"film_seconds": (0, 20)},
}
# Settings that do nothing while another one says so: their names, when they count, and what to change instead.
DEPENDENT: tuple[tuple[Sequence[str], Callable[[Any], bool], str], ...] = (
    (["priority_decay_steps", "priority_beta"], lambda c: c.priority_alpha > 0.0, "priority_alpha above 0"),
    (["n_step_end"], lambda c: c.n_step_decay_steps > 0, "n_step_decay_steps above 0"),
    (
        ["replay_window_growth_steps", "replay_window_min"],
        lambda c: c.replay_window_fraction < 1.0,
        "replay_window_fraction below 1",
    ),
    (["reset_updates"], lambda c: bool(c.reset_steps), "reset_steps"),
    (["priority_beta_end"], lambda c: c.priority_sampler == "exact", "priority_sampler exact"),
    (["atoms"], lambda c: c.distribution in ("c51", "quantiles"), "distribution c51 or quantiles"),
    (["munchausen_temperature"], lambda c: c.munchausen_alpha > 0.0, "munchausen_alpha above 0"),
    (["value_limit"], lambda c: c.value_bins > 0 or c.distribution == "c51", "value_bins above 0, or distribution c51"),
    (["loss"], lambda c: not c.value_bins and c.distribution == "none", "value_bins 0 and distribution none"),
    (["polynomial_degree"], lambda c: c.network == "polynomial", "network polynomial"),
    (["table_bins"], lambda c: c.network == "tabular", "network tabular"),
    (["hidden_sizes", "layer_norm"], lambda c: c.network in (*DENSE_NETWORKS, "own"), "a network with hidden layers"),
    (["rmsprop_decay"], lambda c: c.optimizer == "rmsprop", "optimizer rmsprop"),
    (["optimizer_eps"], lambda c: c.optimizer != "sgd", "optimizer rmsprop or adam"),
    (["update_period"], lambda c: not c.game_end_updates, "game_end_updates 0"),
    (["target_update_period"], lambda c: c.target and not c.game_end_updates, "target on, and game_end_updates 0"),
    (["epsilon_decay_steps"], lambda c: c.epsilon_decay_factor == 1.0, "epsilon_decay_factor 1"),
    (["eval_period"], lambda c: not c.eval_period_episodes, "eval_period_episodes 0"),
    (["eval_early_steps"], lambda c: c.eval_period or c.eval_period_episodes, "eval_period above 0"),
    (["eval_steps"], lambda c: not c.eval_episodes, "eval_episodes 0"),
    (["resize"], lambda c: c.backend == "workers", "backend workers"),
)


def without_effect(config: Any, base: Any) -> Iterator[str]:
    """Settings that somebody changed and that do nothing, one sentence each.

    Args:
      config: the settings of a `Config`.
      base:   those that it was made from, a preset's; what stands there as in `base` was not asked for.
    """
    for names, counts, condition in DEPENDENT:
        for name in names:
            if (value := getattr(config, name)) != getattr(base, name) and not counts(config):
                yield f"{name} is {value!r}, which does nothing here: it needs {condition}"


def complaints(config: Any, choices: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What cannot work in a `Config`, one sentence each; none if it can.

    Args:
      config:  its settings, not yet checked.
      choices: the words that a setting may hold, for those that hold words.
    """
    yield from about_single_values(config)
    for name, allowed in choices.items():
        if (value := getattr(config, name)) not in allowed:
            yield f"{name} is {value!r}; it must be one of {', '.join(allowed)}"
    if config.env_groups >= 1 and config.num_envs % config.env_groups:
        yield f"env_groups ({config.env_groups}) must divide num_envs ({config.num_envs}); change one of them"
    if config.n_step_decay_steps and config.n_step_end > config.n_step:
        yield f"n_step_end ({config.n_step_end}) is above n_step ({config.n_step}); it only falls: lower n_step_end"
    yield from _about_the_backend(config)
    yield from _about_the_learner(config)
    yield from _about_the_resets(config)
    yield from _about_the_warm_up(config)


def about_single_values(config: Any) -> Iterator[str]:
    """Each number within its bounds."""
    for names, good, rule in RULES:
        for name in names:
            if not good(value := getattr(config, name)):
                yield f"{name} is {_told(value)}; it must {rule}"
    for names, most, why in AT_MOST:
        for name in names:
            if (value := getattr(config, name)) > most:
                yield f"{name} is {_told(value)}; it must be at most {most:,}: {why}"


def _told(value: Any) -> str:
    """A value in a message; of a long one, the beginning."""
    try:
        told = repr(value)
    except ValueError:  # of an integer with thousands of digits
        return "an integer with thousands of digits"
    return told if len(told) <= 80 else f"{told[:80]}..."


def _about_the_backend(config: Any) -> Iterator[str]:
    """What the games of this backend do not know is not to be asked for."""
    wrong = [
        f"{name} {value!r} (leave it at {quiet[0]!r})"
        for name, quiet in UNUSED.get(config.backend, {}).items()
        if (value := getattr(config, name)) not in quiet
    ]
    if wrong:
        yield f"games of backend {config.backend!r} do not use {', '.join(wrong)}"
    if config.backend == "workers" and config.frame_skip < 3:
        yield (
            f"frame_skip is {config.frame_skip}, and backend 'workers' needs 3 or more: the first screen after a kept "
            "state is not always its own; use backend native"
        )


def _about_the_learner(config: Any) -> Iterator[str]:
    """Options that only some networks have, or that need another one."""
    if config.center_pixels and config.network not in PIXEL_NETWORKS:
        yield f"center_pixels is on, but network {config.network!r} is none of ours for images; leave it off"
    if config.dueling and config.network not in DENSE_NETWORKS:
        yield f"dueling is on, but network {config.network!r} has no such end; leave it off"
    if config.dueling and (not config.hidden_sizes or config.hidden_sizes[-1] < 2):
        yield f"dueling halves the last hidden layer, and hidden_sizes is {config.hidden_sizes}: give it 2 or more"
    if config.value_bins and config.network not in DENSE_NETWORKS:
        yield f"value_bins is {config.value_bins}, but network {config.network!r} has no such end; set it to 0"
    if config.value_bins and config.own_loss:
        yield f"value_bins is {config.value_bins}, which brings its own loss; set it to 0, or give none of yours"
    yield from _about_the_family(config)
    for name in ("fire_on_reset", "noop_after_life_loss"):
        if getattr(config, name) and not config.terminal_on_life_loss:
            yield f"{name} is on, but no lost life is reported: leave it off, or terminal_on_life_loss on"
    if config.priority_alpha and not config.replay:
        yield f"priority_alpha is {config.priority_alpha}, but replay is off: nothing is drawn; set it to 0"


def _about_the_family(config: Any) -> Iterator[str]:
    """Distributions, Munchausen, noisy layers: what does not go together."""
    if config.distribution != "none":
        if config.network not in DENSE_NETWORKS:
            yield f"distribution is {config.distribution!r}, but network {config.network!r} has no such end; use none"
        if config.value_bins:
            yield f"distribution is {config.distribution!r} and value_bins {config.value_bins}: set one of them to none"
        if config.own_loss:
            yield f"distribution is {config.distribution!r}, which brings its own loss; use none, or give no loss"
    if config.distribution == "iqn" and config.center_pixels:
        yield "center_pixels is on, which distribution 'iqn' does not know; leave it off"
    if config.noisy_sigma and config.network not in DENSE_NETWORKS:
        yield f"noisy_sigma is {config.noisy_sigma}, but network {config.network!r} has no hidden layers; set it to 0"
    if config.munchausen_alpha and (config.value_bins or config.distribution == "c51"):
        yield "munchausen_alpha is above 0, which needs values or quantiles: set it to 0, or drop value_bins and c51"
    if config.munchausen_alpha and config.double_q:
        yield "munchausen_alpha is above 0, whose soft maximum takes the place of double_q; leave that off"
    if config.priority_sampler == "exact" and config.priority_decay_steps:
        yield "priority_decay_steps is above 0, which only priority_sampler 'candidates' knows; set it to 0"


def _about_the_resets(config: Any) -> Iterator[str]:
    """A network is drawn anew after it has learned, and only if we know how."""
    if not config.reset_steps:
        return
    if (first := min(config.reset_steps)) <= config.learning_starts:
        yield f"reset_steps holds {first}, and learning_starts is {config.learning_starts}; leave the earlier one out"
    if config.network not in DENSE_NETWORKS:
        yield f"reset_steps is {config.reset_steps}, but network {config.network!r} cannot be drawn again; leave it out"
    if not config.replay:
        yield f"reset_steps is {config.reset_steps}, but replay is off: a new network has nothing to learn from"
    if config.game_end_updates:
        yield f"reset_steps is {config.reset_steps}, which needs updates between games: set game_end_updates to 0"


def _about_the_warm_up(config: Any) -> Iterator[str]:
    """Everything that the first update needs must be there when learning starts."""
    warm_up, needed = config.learning_starts, (config.n_step + 1) * config.num_envs
    if warm_up < needed:
        yield (
            f"learning_starts ({warm_up}) is too short: the first {config.n_step}-step transitions "
            f"of {config.num_envs} environments exist after {needed} steps; raise it to {needed} "
            "or more, or lower num_envs"
        )
    if config.capacity < needed:
        yield (
            f"capacity ({config.capacity}) is too small: {config.num_envs} environments with {config.n_step}-step "
            f"transitions need {needed}; raise it to {needed} or more, or lower num_envs"
        )
    if config.whole_game_warm_up and config.capacity < warm_up:
        yield (
            f"capacity ({config.capacity}) must hold the warm-up of whole games: raise it to learning_starts "
            f"({warm_up}) or more, or lower learning_starts"
        )
    if config.batch_size > config.capacity:
        yield f"batch_size ({config.batch_size}) is larger than capacity ({config.capacity}): lower it, or raise that"
    if config.batch_size > warm_up:
        yield (
            f"batch_size ({config.batch_size}) is larger than the warm-up: lower it to "
            f"learning_starts ({warm_up}) or less, or raise learning_starts"
        )
