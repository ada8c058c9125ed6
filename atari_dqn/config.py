"""Every setting of a run in one frozen tree; `settings/` has its groups, `presets/` the named ones.

A setting has one name: `config.env.num_envs` in Python, `"env": {"num_envs": 8}` in config.json, `--num-envs 8` on the
command line, and `config.replace(num_envs=8)`. No name stands in two groups.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any, Protocol, Self

from tyro.conf import Suppress

from atari_dqn.errors import UsageError
from atari_dqn.settings.bounds import EpisodesOrNone, May, Name, Range, Steps
from atari_dqn.settings.checks import complaints, without_effect
from atari_dqn.settings.extensions import ExtensionsConfig
from atari_dqn.settings.from_file import settings_in
from atari_dqn.settings.learning import AlgorithmConfig, NetworkConfig, OptimizerConfig, ReplayConfig
from atari_dqn.settings.play import EnvConfig, ExplorationConfig
from atari_dqn.settings.running import EvaluationConfig, LoggingConfig, MachineConfig
from atari_dqn.settings.table import fitting, settings_of

GYM_PREFIX = "gym:"


def is_vector_game(game: str) -> bool:
    """Is it one of gymnasium's games of vectors, by its name: `cartpole` or `gym:ID`? All others are ROM ids."""
    return game == "cartpole" or game.startswith(GYM_PREFIX)


@dataclass(frozen=True)
class Config:
    """All settings of one run. The defaults are the `nature` preset.

    A new setting must default to what runs did before it was there: configs of older versions do not name it.
    """

    game: Suppress[Annotated[Name, May(change=False, differ=True)]] = "pong"
    """ROM id such as `ms_pacman`, or `cartpole`."""
    preset: Name = "nature"
    """Preset whose values apply where no flag says otherwise. Names the default run folder and the report's column."""
    seed: Annotated[int, Range(0, 2**63 - 1, why="it has 64 bits"), May(change=False, differ=True)] = 0
    """Root of every random stream of the run, >= 0."""
    total_steps: Annotated[Steps, May(change=True, differ=False)] = 50_000_000
    """Length of the run, agent steps. Paper: 50 million (200 million frames)."""
    total_episodes: Annotated[EpisodesOrNone, May(change=True, differ=False)] = None
    """Length of the run, episodes, unless `total_steps` ends it first; none: no limit. Paper: none."""
    env: EnvConfig = EnvConfig()
    replay: ReplayConfig = ReplayConfig()
    algorithm: AlgorithmConfig = AlgorithmConfig()
    exploration: ExplorationConfig = ExplorationConfig()
    network: NetworkConfig = NetworkConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    extensions: ExtensionsConfig = ExtensionsConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    logging: LoggingConfig = LoggingConfig()
    machine: MachineConfig = MachineConfig()

    def __post_init__(self) -> None:
        self._fit_types()
        for complaint in complaints(self.namespace(), SETTINGS):
            raise UsageError(complaint)

    def _fit_types(self) -> None:
        """Numbers of numpy's become Python's, lists tuples, 1e6 a whole number."""
        for group, kind in GROUP_TYPES.items():
            if not isinstance(getattr(self, group), kind):
                told = f"{group} is {getattr(self, group)!r:.80}; it must be {kind.__name__}(...)"
                raise UsageError(f"{told}, or change single settings: config.replace(num_envs=8)")
        for name, value in self.flat().items():
            if (fitted := fitting(value, SETTINGS[name])) is not value:
                group = GROUP_OF[name]
                owner = dataclasses.replace(getattr(self, group), **{name: fitted}) if group else fitted
                object.__setattr__(self, group or name, owner)

    @property
    def frames_per_step(self) -> int:
        """Emulator frames behind one agent step; 1 where there is no emulator."""
        return 1 if self.env.backend == "classic" else self.env.frame_skip

    @property
    def envs_at_once(self) -> int:
        """Environments that one vector step is about: all, or those of one group."""
        return self.env.num_envs // self.env.env_groups

    def is_over(self, steps: int, episodes: int) -> bool:
        """Is everything played that a run of this config is to play?"""
        return steps >= self.total_steps or (self.total_episodes is not None and episodes >= self.total_episodes)

    def flat(self) -> dict[str, Any]:
        """Every setting by its name, without the groups."""
        return {name: getattr(getattr(self, group) if group else self, name) for name, group in GROUP_OF.items()}

    def namespace(self) -> SimpleNamespace:
        """Every setting as an attribute, for rules about settings of many groups."""
        return SimpleNamespace(**self.flat())

    def differences(self, other: Config) -> dict[str, tuple[Any, Any]]:
        """The settings in which two configs differ: by name, the value here and the other's."""
        theirs = other.flat()
        return {name: (mine, theirs[name]) for name, mine in self.flat().items() if mine != theirs[name]}

    def replace(self, **settings: Any) -> Self:
        """The same config with other values, each by its name, whatever its group.

        Raises:
          UsageError: an unknown name, a value that cannot work, or one that does nothing beside the others, as
            `eval_period` beside `eval_period_episodes`. What stood there before may lie idle, and so may the
            paper's value, by which a setting of a preset's is taken back.
        """
        config = self.with_idle(**settings)
        changed = {name: pair for name, pair in config.differences(self).items() if pair[0] != DEFAULTS[name]}
        for complaint in without_effect(changed, config.namespace()):
            raise UsageError(complaint)
        return config

    def with_idle(self, **settings: Any) -> Self:
        """As `replace`, but a value may do nothing: for what is a record, or not yet all that is asked for."""
        changed: dict[str, Any] = {}
        for name, value in settings.items():
            if name not in GROUP_OF:
                near = difflib.get_close_matches(name, GROUP_OF, n=1)
                raise UsageError(f"there is no setting {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
            changed.setdefault(GROUP_OF[name], {})[name] = value
        own = changed.pop("", {})
        groups = {group: dataclasses.replace(getattr(self, group), **values) for group, values in changed.items()}
        return dataclasses.replace(self, **own, **groups)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what `to_json` wrote, or a flat config of an older version; settings that it lacks get their defaults.

        It is the record of a run, of a preset of that day: values that do nothing beside the others are kept.

        Raises:
          UsageError: not JSON, not an object, no game, an unknown setting, a wrong type, a value out of range.
        """
        return Config().with_idle(**settings_in(text, SETTINGS))


class Preset(Protocol):
    """A table of settings for a game; `settings` go before it."""

    def __call__(self, game: str = ..., **settings: Any) -> Config: ...


def adjustable(preset: Callable[[str], Config]) -> Preset:
    """Let a function of a game take settings that are to differ, too, by their names."""

    @functools.wraps(preset)
    def adjusted(*game: str, **settings: Any) -> Config:
        return preset(*game).replace(**settings)

    return adjusted


SETTINGS = settings_of(Config)
"""By the name of a setting: its group, bounds, unit and the like."""
GROUP_TYPES = {
    field.name: type(field.default) for field in dataclasses.fields(Config) if dataclasses.is_dataclass(field.default)
}
GROUP_OF = {name: setting.group for name, setting in SETTINGS.items()}
DEFAULTS = {name: setting.default for name, setting in SETTINGS.items()}
