"""What was measured besides speed and the scores of recipes."""

from __future__ import annotations

from result_tables import Measured, Result, rows_of, span


def cartpole_scores(*seeds: Result) -> str:
    """Scores and times of training of runs of CartPole."""
    means = [f"{seed['evaluation']['mean']:.1f}" for seed in seeds]
    scores = f"{means[0]} on each of" if len({*means}) == 1 else f"{', '.join(means)} on"
    return (
        f"{scores} the {len(seeds)} seeds; {span([seed['train_seconds'] for seed in seeds])} seconds of training each"
    )


def variants(rows: list[dict[str, str]]) -> str:
    """The last evaluation of each variant of a study, with the interval of the mean over seeds, and the best one."""
    return "; ".join(
        f"{row['variant']}: {row['last']} [{row['last_low']}, {row['last_high']}], best {row['best']}" for row in rows
    )


def by_num_envs(*results: Result) -> str:
    """Agent steps per second by the number of games side by side."""
    speeds = sorted((result["num_envs"], result["steps_per_second"]) for result in results)
    return ", ".join(f"{games}: {speed:.0f}" for games, speed in speeds) + " agent steps a second"


def by_groups(*results: Result) -> str:
    """Agent steps per second of each run, by the groups that take turns."""
    said = []
    for groups in sorted({result["env_groups"] for result in results}):
        runs = [result for result in results if result["env_groups"] == groups]
        speeds = ", ".join(f"{run['steps_per_second']:.0f}" for run in runs)
        idle = max(run["emulators_idle"] for run in runs)
        said.append(f"{groups}: {speeds} agent steps a second, all emulators idle {idle:.0%} of the time")
    return "; ".join(said)


def denormals(result: Result) -> str:
    """Speed without and with denormal numbers."""
    without, kept = (row["steps_per_second"] for row in result["rows"])
    return f"{without:.0f} agent steps a second, {kept:.0f} with them"


def random_play(rows: list[dict[str, str]]) -> str:
    """How many games agree with the published random scores, and which do not."""
    differ = [row["game"] for row in rows if row["agrees"] == "no"]
    return f"{len(rows) - len(differ)} of the {len(rows)} games played so far agree; {', '.join(differ)} differ"


def ends_as_ruled(result: Result) -> str:
    """How many games broke the rule of what ends a game."""
    return f"{result['games']} games, {result['surprises']} breaches of the rule"


def soaked(result: Result) -> str:
    """Did the run that was disturbed end as one that was not?"""
    return "ends bit for bit as the run that was never disturbed" if result["equal"] else "ends otherwise"


def soaked_at(result: Result) -> str:
    """The same, and where the kills met it."""
    ways = ", ".join(f"{way} ({count})" for way, count in result.get("ended", {}).items())
    places = ", ".join(f"{place} ({count})" for place, count in result["in_the_loop"].items())
    writing = sum(count for place, count in result["in_the_saver"].items() if place != "not writing")
    return f"{soaked(result)}; {ways + '; ' * bool(ways)}met {places}, and a checkpoint half written ({writing})"


def fuzzed(result: Result) -> str:
    """How many wrong inputs."""
    assert result["passed"]
    return f"{result['cases']:,} cases: each worked, or was one message and exit code 2"


def started(result: Result) -> str:
    """Seconds to the first update, and of commands that look something up."""
    said = []
    for row in result["rows"]:
        whole, play = (row["stages"][stage]["clock"] for stage in ("in all", "playing until learning begins"))
        said.append(f"`{row['preset']}`, {row['start']} start: {whole:.1f} s, of which it plays {play:.1f}")
    seconds = [time["clock"] for words, time in result["look_ups"].items() if not words.startswith("evaluate")]
    return f"{'; '.join(said)}; help, wrong flags and tables: {min(seconds)} to {max(seconds)} s"


def after_to_before(result: Result) -> str:
    """Speed of the code now as a multiple of what it was."""
    return ", ".join(f"{row['ratio']:.2f} times as fast in {row['precision']}" for row in result["rows"])


def learned(*results: Result) -> str:
    """Scores at the published points of the curve."""
    points = [(result["game"], point) for result in results for point in result["rows"]]
    return ", ".join(f"{game} {point['ours']:.1f} at {point['frames'] / 1e6:.0f} million" for game, point in points)


def last_networks(*results: Result) -> str:
    """Scores of last networks."""
    return ", ".join(
        f"{result['game']} {result['mean']:.1f} ± {result['std']:.1f} at {4 * result['step'] / 1e6:.1f} million"
        for result in results
    )


MORE = [
    Measured(
        "CartPole, 100 greedy games after 100,000 steps, one core, another run beside it",
        "cartpole_202611/results.jsonl",
        lambda seeds: cartpole_scores(*seeds),
        "bash scripts/reproduce_cartpole.sh FOLDER",
    ),
    Measured(
        "Q-functions on CartPole after 20,000 steps, five seeds; `tabular` is the Q table",
        "approximators_202611/table.csv",
        variants,
        "atari-dqn compare-approximators",
    ),
    Measured(
        "replay and target network on CartPole after 20,000 steps, five seeds",
        "ablation_cartpole_202611/table.csv",
        variants,
        "atari-dqn ablation",
    ),
    Measured(
        "the recipes `cartpole_tf2` (500 is the maximum) and `cartpole_parl` (200), ten seeds",
        "cartpole_recipes_202611/table.csv",
        variants,
        "bash scripts/reproduce_cartpole_recipes.sh FOLDER",
    ),
    Measured(
        "the paper's 49 games start, play, and end where we say they end",
        "sweep_games_202611/sweep_games.json",
        ends_as_ruled,
        "python benchmarks/sweep_games.py",
    ),
    Measured(
        "random play at 10 Hz, `nature` protocol, 30 games each, beside the published random scores of the paper's 49",
        "random_scores_202611/random_scores.csv",
        random_play,
        "python benchmarks/random_scores.py",
    ),
    Measured(
        "number of games side by side, two cores without AMX, bf16, Breakout, one run each",
        "num_envs_cpu2_avx512_202611/*.json",
        by_num_envs,
    ),
    Measured(
        "denormal numbers taken for 0, Pong, `quick` as it was then (`nips_cnn`), bf16, one network thread, "
        "2,000 steps after 8,000, once each",
        "bench_denormals_cpu2_amx_202611.json",
        denormals,
        "python benchmarks/bench_train.py --keep-denormals",
    ),
    Measured(
        "64 games in one group or in two that take turns (`--env-groups 2`), two cores with AVX2, fp32, Breakout, "
        "three runs each",
        "env_groups_cpu2_avx2_202611/*.json",
        by_groups,
    ),
    Measured(
        "500 kills of one Pong run",
        "soak_pong_202611.json",
        soaked_at,
        "python benchmarks/soak.py --kills 500 --game pong --folder FOLDER",
    ),
    Measured(
        "60 lives of one CartPole run, which was made longer half-way; 'stopped' is SIGSTOP",
        "soak_cartpole_202611.json",
        soaked_at,
        "python benchmarks/soak.py --kills 60 --seed 32 --folder FOLDER",
    ),
    Measured(
        "wrong command lines, configs, checkpoints and damaged files",
        "fuzz_202611.json",
        fuzzed,
        "python benchmarks/fuzz.py --cases 2800",
    ),
    Measured(
        "the same, with a stranger's run folder among them: links, pipes and devices for files, and values of any type "
        "in the state of a checkpoint; nothing outside was changed",
        "fuzz_strangers_202611.json",
        fuzzed,
        "python benchmarks/fuzz.py --cases 150",
    ),
    Measured(
        "from the command to the first update (before it, an agent plays at random), Pong, two cores without AMX",
        "bench_startup_cpu2_avx512_202611.json",
        started,
        "python benchmarks/bench_startup.py",
    ),
    Measured(
        "the learner after the code was put into rooms, beside the code before it (5a7dfe0), in turns, one core; "
        "the same final weights since a9a5d41",
        "before_after_update_cpu1_avx512_202611.json",
        after_to_before,
        "python benchmarks/before_after.py",
    ),
    Measured(
        "the same of training",
        "before_after_train_cpu1_avx512_202611.json",
        after_to_before,
        "python benchmarks/before_after.py",
    ),
    Measured(
        "`nature`, bf16 on an H100, one seed, evaluations in training; frames",
        "nature_h100_202611/*/learning.json",
        learned,
        "bash benchmarks/learning.sh GAME MINUTES FOLDER",
    ),
    Measured(
        "30 games of its last networks, paper's protocol; frames",
        "nature_h100_202611/*/evaluations/nature_last.json",
        last_networks,
    ),
]


def measured() -> str:
    """What else was measured."""
    return rows_of(MORE)
