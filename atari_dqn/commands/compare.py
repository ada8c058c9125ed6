"""`atari-dqn compare PRESET... --games GAME...`: does it pay? A suite for each preset, then one report of all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from atari_dqn.commands import report, suite
from atari_dqn.commands.flags import refuse_misfits
from atari_dqn.commands.train import flag_value
from atari_dqn.errors import UsageError
from atari_dqn.presets import preset_named

HELP = """usage: atari-dqn compare PRESET ... --games GAME ... [OPTIONS]

Train several presets on the same games with the same seeds, and report them.

  --games GAME ...   ROM ids, cartpole, or sets: atari49, atari57, atari10
  --seeds INT ...    a run for each (default: 0)
  --runs-dir PATH    folder of the runs (default: runs)
  --out PATH         folder of the report (default: report)
  --dry-run          print the jobs, and start nothing

All other flags are those of `atari-dqn suite` and of `atari-dqn train`. What is
finished is not done again: interrupt a comparison and go on with it, or add a
preset, a game or a seed later.

  e.g. atari-dqn compare nature rainbow --games breakout pong --seeds 0 1 2"""


def run(words: Sequence[str]) -> int:
    """Train and report; returns the exit code: that of the first suite that did not end well, else the report's."""
    if {"-h", "--help"} & set(words):
        print(HELP)
        return 0
    refuse_misfits(report.Report, words)
    presets, flags = _split(words)
    out = flag_value("--out", words) or "report"
    report.check_out(Path(out))
    # all of them before hours go into the first
    suites = [suite.understand(["--preset", preset, *flags], prog="atari-dqn compare") for preset in presets]
    from atari_dqn.commands.suite_jobs import run_jobs  # torch takes seconds: wrong flags are answered before

    for understood in suites:
        code = run_jobs(*understood)
        if code:
            return code
    command = suites[0].command
    return 0 if command.dry_run else report.run([str(command.runs_dir), "--out", out])


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The presets, and the words for the suite.

    Raises:
      UsageError: fewer than two presets, or one that does not exist.
    """
    first_flag = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    presets, flags = list(dict.fromkeys(words[:first_flag])), list(words[first_flag:])
    for preset in presets:
        preset_named(preset)
    if len(presets) < 2:
        raise UsageError("compare needs two presets or more, before the flags: atari-dqn compare nature rainbow ...")
    if flag_value("--preset", flags) is not None:
        raise UsageError("presets stand before the flags: atari-dqn compare nature rainbow --games ...")
    for place, word in enumerate(flags):
        if word == "--out" or word.startswith("--out="):  # the report's
            del flags[place : place + (1 if "=" in word else 2)]
            break
    return presets, flags
