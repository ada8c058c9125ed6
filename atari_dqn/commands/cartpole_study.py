"""A study of CartPole settings, for the commands that compare some: from flags to finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from atari_dqn.commands import checked_jobs
from atari_dqn.commands.train import parse_command
from atari_dqn.errors import UsageError
from atari_dqn.extras import require
from atari_dqn.runs.folder import refuse_unwritable
from atari_dqn.suite.flags import by_flag, field_name

SHORTEST = 2_000  # agent steps: the preset `cartpole` begins to learn after 1,000
EVALUATIONS = 10


def budget(steps: int) -> list[str]:
    """Flags of a CartPole run of so many agent steps, evaluated ten times.

    Raises:
      UsageError: it would end before it has learned.
    """
    if steps < SHORTEST:
        raise UsageError(f"steps is {steps}; learning begins after 1,000, so give at least {SHORTEST:,}")
    return ["--total-steps", str(steps), "--eval-period", str(steps // EVALUATIONS)]


def compare_on_cartpole(
    title: str,
    variants: Mapping[str, Sequence[str]],
    *,
    seeds: Sequence[int],
    out: Path,
    jobs: int = 0,
    eval_period_episodes: int | None = None,
) -> int:
    """Train each variant with each seed, write and print what came out; returns the exit code.

    Args:
      title:    of the plot.
      variants: words after `atari-dqn train cartpole`, by the name of the variant.
      seeds:    one run of each variant for each.
      out:      folder of all files, see `suite.study`.
      jobs:     runs at a time; 0 for one a core.
      eval_period_episodes: episodes between evaluations, where those are counted in episodes; None: in agent steps.

    Raises:
      UsageError: a flag, `seeds` or `jobs` cannot work, or as `suite.study.run_study`.
    """
    jobs = checked_jobs(jobs)
    require("plot", "plots need")
    refuse_unwritable(out, "results to", "--out")
    configs = {name: parse_command("cartpole", words).config for name, words in variants.items()}
    from atari_dqn.suite import study  # torch takes seconds: wrong flags are answered before

    flags = {
        name: tuple(flag for flag in by_flag(words) if field_name(flag[0]) != "preset")
        for name, words in variants.items()
    }
    wanted = {name: study.Variant(configs[name], flags[name]) for name in variants}
    return study.run_study(study.Study(title, wanted, seeds, out, eval_period_episodes), jobs=jobs)
