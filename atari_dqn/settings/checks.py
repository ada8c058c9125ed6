"""What can be wrong with a config, as sentences that name the value and the remedy.

Knows the settings by their names only, in one namespace without groups (`Config.flat`), so that `config.py` can ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any

from atari_dqn.settings.table import Setting, type_complaint

DENSE_NETWORKS = ("nature_cnn", "minatar_cnn", "mlp")  # that end in fully connected layers
AXES = {"nature_cnn": 2, "minatar_cnn": 3}  # of the frames that a network takes; the others take vectors
MOST_PAIRS = 2**28  # numbers of float32 in 1 GiB

ONLY_GYM: Mapping[str, tuple[Any, ...]] = {"env_kwargs": ("",), "wrapper": ("",)}
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
        "game_mode": (None,),
        "difficulty": (None,),
    },
    "native": ONLY_GYM,
    "workers": ONLY_GYM,
    "reference": ONLY_GYM,
}
# Settings that do nothing while another one says so: their names, when they count, and what to change instead.
DEPENDENT: tuple[tuple[Sequence[str], Callable[[Any], bool], str], ...] = (
    (
        ["priority_decay_steps", "priority_beta", "priority_sampler"],
        lambda c: c.priority_alpha > 0.0,
        "priority_alpha above 0",
    ),
    (["n_step_end"], lambda c: c.n_step_decay_steps is not None, "n_step_decay_steps"),
    (["n_step_decay_steps"], lambda c: c.n_step_end < c.n_step, "n_step above n_step_end"),
    (["replay_window_fraction"], lambda c: c.replay, "replay on"),
    (
        ["replay_window_growth_steps", "replay_window_min"],
        lambda c: c.replay_window_fraction < 1.0,
        "replay_window_fraction below 1",
    ),
    (["reset_updates"], lambda c: bool(c.reset_steps), "reset_steps"),
    (["reset_steps"], lambda c: not c.reset_steps or min(c.reset_steps) < c.total_steps, "a step before total_steps"),
    (["priority_beta_end"], lambda c: c.priority_sampler == "exact", "priority_sampler exact"),
    (["atoms"], lambda c: c.distribution in ("c51", "quantiles"), "distribution c51 or quantiles"),
    (["munchausen_temperature"], lambda c: c.munchausen_alpha > 0.0, "munchausen_alpha above 0"),
    (
        ["value_support"],
        lambda c: c.categorical_bins is not None or c.distribution == "c51",
        "categorical_bins, or distribution c51",
    ),
    (
        ["loss"],
        lambda c: not c.categorical_bins and c.distribution == "none",
        "categorical_bins none and distribution none",
    ),
    (["polynomial_degree"], lambda c: c.network == "polynomial", "network polynomial"),
    (["table_bins"], lambda c: c.network == "tabular", "network tabular"),
    (["hidden_sizes", "layer_norm"], lambda c: c.network in (*DENSE_NETWORKS, "own"), "a network with hidden layers"),
    (["rmsprop_decay"], lambda c: c.optimizer == "rmsprop", "optimizer rmsprop"),
    (["optimizer_eps"], lambda c: c.optimizer != "sgd", "optimizer rmsprop or adam"),
    (["update_period"], lambda c: not c.game_end_updates, "game_end_updates none"),
    (["target_update_period"], lambda c: c.target and not c.game_end_updates, "target on, and game_end_updates none"),
    (["epsilon_from_zero"], lambda c: c.random_warm_up, "random_warm_up on"),
    (["epsilon_decay_steps"], lambda c: c.epsilon_decay_factor is None, "epsilon_decay_factor none"),
    (["epsilon_ladder"], lambda c: c.epsilon_start > 0 or c.epsilon_end > 0, "epsilon_start or epsilon_end above 0"),
    (["eval_period"], lambda c: not c.eval_period_episodes, "eval_period_episodes none"),
    (["eval_early_steps"], lambda c: c.eval_period or c.eval_period_episodes, "eval_period above 0"),
    (
        ["eval_early_steps"],
        lambda c: not c.eval_early_steps or min(c.eval_early_steps) <= c.total_steps,
        "a step up to total_steps",
    ),
    (["eval_steps"], lambda c: not c.eval_episodes, "eval_episodes none"),
    (["pad_stack"], lambda c: c.frame_stack > 1, "frame_stack above 1"),
    (["resize"], lambda c: c.backend == "workers", "backend workers"),
)


# What does not go together in the DQN family: when, and what is said of it.
OF_THE_FAMILY: tuple[tuple[Callable[[Any], Any], str], ...] = (
    (
        lambda c: c.distribution != "none" and c.network not in DENSE_NETWORKS,
        "distribution is {c.distribution!r}, but network {c.network!r} has no such end; use none",
    ),
    (
        lambda c: c.distribution != "none" and c.categorical_bins,
        "distribution {c.distribution!r}, categorical_bins {c.categorical_bins}: set one to none",
    ),
    (
        lambda c: c.distribution != "none" and c.own_loss,
        "distribution is {c.distribution!r}, which brings its own loss; use none, or give no loss",
    ),
    (
        lambda c: c.distribution in ("c51", "quantiles") and c.batch_size * c.atoms**2 > MOST_PAIRS,
        "atoms is {c.atoms} and batch_size {c.batch_size}: all pairs of atoms are compared for each transition, which "
        "takes more than a GiB; lower one of the two",
    ),
    (
        lambda c: c.distribution == "iqn" and c.network == "nature_cnn" and c.batch_size > 1_024,
        "batch_size is {c.batch_size}, and distribution 'iqn' holds the features of each image 64 times, 0.8 GiB at "
        "1,024; lower it to that",
    ),
    (
        lambda c: c.distribution == "iqn" and c.subtract_mean_frame,
        "subtract_mean_frame is on, which distribution 'iqn' does not know; leave it off",
    ),
    (
        lambda c: c.noisy_sigma > 0.0 and c.network not in DENSE_NETWORKS,
        "noisy_sigma is {c.noisy_sigma}, but network {c.network!r} has no hidden layers; set it to 0",
    ),
    (
        lambda c: c.munchausen_alpha > 0.0 and (c.categorical_bins or c.distribution == "c51"),
        "munchausen_alpha is above 0, which needs values or quantiles: use 0, or drop categorical_bins and c51",
    ),
    (
        lambda c: c.munchausen_alpha > 0.0 and c.double_q,
        "munchausen_alpha is above 0, whose soft maximum takes the place of double_q; leave that off",
    ),
    (
        lambda c: c.munchausen_alpha > 0.0 and not c.target,
        "munchausen_alpha is above 0, whose bonus comes from the target network; leave target on",
    ),
    (
        lambda c: c.priority_sampler == "exact" and c.priority_decay_steps,
        "priority_decay_steps is {c.priority_decay_steps}, which only priority_sampler 'candidates' knows; set it to "
        "none",
    ),
    (
        lambda c: c.priority_sampler == "exact" and c.priority_alpha > 0.0 and c.replay_window_fraction < 1.0,
        "replay_window_fraction is {c.replay_window_fraction}, which only priority_sampler 'candidates' knows; set it "
        "to 1",
    ),
)


def without_effect(changed: Mapping[str, tuple[Any, Any]], config: Any) -> Iterator[str]:
    """Settings that somebody asked for and that do nothing, one sentence each.

    Args:
      changed: what differs from before: by name, the value and the one before.
      config:  all settings.
    """
    for names, counts, condition in DEPENDENT:
        for name in names:
            if name in changed and not counts(config):
                yield f"{name} is {changed[name][0]!r}, which does nothing here: it needs {condition}"


def complaints(config: Any, settings: Mapping[str, Setting]) -> Iterator[str]:
    """What cannot work in a `Config`, one sentence each; none if it can.

    Args:
      config:   its settings, not yet checked.
      settings: what is known of them.
    """
    yield from about_single_values(vars(config), settings)
    if config.num_envs % config.env_groups:
        yield f"env_groups ({config.env_groups}) must divide num_envs ({config.num_envs}); change one of them"
    if config.n_step_decay_steps and config.n_step_end > config.n_step:
        yield f"n_step_end ({config.n_step_end}) is above n_step ({config.n_step}); it only falls: lower n_step_end"
    yield from _about_the_backend(config)
    yield from _about_the_learner(config)
    yield from _about_the_resets(config)
    yield from _about_the_warm_up(config)


def about_the_observations(network: str, game: str, shape: Sequence[int], *, ranges: bool) -> Iterator[str]:
    """A network for frames of this shape: vectors, whose numbers have known ranges or not, planes, or channels."""
    if (axes := len(shape)) != AXES.get(network, 1):
        kind = ("vectors", "images", f"pictures of {' x '.join(map(str, shape))}")[axes - 1]
        right = ("'mlp'", "'nature_cnn', as in --preset pixels", "'minatar_cnn', as in --preset minatar")[axes - 1]
        yield f"network is {network!r}, but {game} shows {kind}: use {right}"
    elif network in ("tabular", "linear", "polynomial") and not ranges:
        yield f"network is {network!r}, but numbers that {game} shows have no known range: use 'mlp'"


def about_single_values(values: Mapping[str, Any], settings: Mapping[str, Setting]) -> Iterator[str]:
    """Each value of its type, each number within its bounds, each word one of those that there are."""
    for name, setting in settings.items():
        value = values[name]
        if wanted := type_complaint(value, setting):
            yield f"{name} is {_told(value)}; it must be {wanted}"
            continue
        if setting.bounds is not None and (rule := setting.bounds.complaint(value)):
            yield f"{name} is {_told(value)}; it must {'be none, or ' if NoneType in setting.kinds else ''}{rule}"
        if setting.words and value not in setting.words:
            yield f"{name} is {value!r}; it must be one of {', '.join(setting.words)}"


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
    if config.backend == "native" and (config.game_mode, config.difficulty) != (None, None):
        yield (
            f"game_mode is {config.game_mode} and difficulty {config.difficulty}, and backend 'native' plays each "
            "game's own only: use --backend workers, or reference where there are no worker processes (Windows)"
        )
    if config.replay_tiles and (config.backend == "classic" or config.replay_device.startswith("cuda")):
        has = "shows numbers" if config.backend == "classic" else f"has the replay on {config.replay_device}"
        yield f"replay_tiles is on, for pictures on the host, but {config.game} {has}: leave it off, or change that"
    if config.backend == "workers" and config.frame_skip < 3:
        yield (
            f"frame_skip is {config.frame_skip}, and backend 'workers' needs 3 or more: the first screen after a kept "
            "state is not always its own; use backend native"
        )


def _about_the_learner(config: Any) -> Iterator[str]:
    """Options that only some networks have, or that need another one."""
    if config.subtract_mean_frame and config.network != "nature_cnn":
        yield f"subtract_mean_frame is on, but network {config.network!r} is not nature_cnn; leave it off"
    if config.dueling and config.network not in DENSE_NETWORKS:
        yield f"dueling is on, but network {config.network!r} has no such end; leave it off"
    if config.dueling and (not config.hidden_sizes or config.hidden_sizes[-1] < 2):
        yield f"dueling halves the last hidden layer, and hidden_sizes is {config.hidden_sizes}: give it 2 or more"
    if config.categorical_bins and config.network not in DENSE_NETWORKS:
        yield f"categorical_bins is {config.categorical_bins}, but network {config.network!r} has no such end; use none"
    if config.categorical_bins and config.own_loss:
        yield f"categorical_bins is {config.categorical_bins}, which brings its own loss; use none, or give no loss"
    yield from _about_the_family(config)
    for name in ("fire_on_reset", "noop_after_life_loss"):
        if getattr(config, name) and not config.terminal_on_life_loss:
            yield f"{name} is on, but no lost life is reported: leave it off, or terminal_on_life_loss on"
    if config.priority_alpha and not config.replay:
        yield f"priority_alpha is {config.priority_alpha}, but replay is off: nothing is drawn; set it to 0"


def _about_the_family(config: Any) -> Iterator[str]:
    """Distributions, Munchausen, noisy layers, exact priorities: what does not go together."""
    for wrong, told in OF_THE_FAMILY:
        if wrong(config):
            yield told.format(c=config)


def _about_the_resets(config: Any) -> Iterator[str]:
    """A network is reset after it has learned, and only if we know how."""
    if not config.reset_steps:
        return
    if (first := min(config.reset_steps)) <= config.learning_starts:
        yield f"reset_steps holds {first}, and learning_starts is {config.learning_starts}; leave the earlier one out"
    if config.network not in DENSE_NETWORKS:
        yield f"reset_steps is {config.reset_steps}, but network {config.network!r} cannot be drawn again; leave it out"
    if not config.replay:
        yield f"reset_steps is {config.reset_steps}, but replay is off: a new network has nothing to learn from"
    if config.game_end_updates:
        yield f"reset_steps is {config.reset_steps}, which needs updates within episodes: set game_end_updates to none"


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
            f"capacity ({config.capacity}) must hold the warm-up of whole episodes: raise it to learning_starts "
            f"({warm_up}) or more, or lower learning_starts"
        )
    if config.batch_size > config.capacity:
        yield f"batch_size ({config.batch_size}) is larger than capacity ({config.capacity}): lower it, or raise that"
    if config.batch_size > warm_up:
        yield (
            f"batch_size ({config.batch_size}) is larger than the warm-up: lower it to "
            f"learning_starts ({warm_up}) or less, or raise learning_starts"
        )
