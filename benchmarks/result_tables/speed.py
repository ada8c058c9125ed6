"""How fast it is, and how much memory it needs."""

from __future__ import annotations

import statistics

from measuring import median_ratio

from result_tables import Measured, Result, rows_of


def row_of(result: Result, precision: str) -> Result:
    """The row of one precision."""
    return next(row for row in result["rows"] if row["precision"] == precision)


def against_peer(result: Result, precision: str) -> str:
    """Ratio to each way the peer was run, and the speeds."""
    row = row_of(result, precision)
    ratios = ", ".join(
        f"{row['ratios'][peer['name']]} times {peer['name']} ({peer['steps_per_second']:,.0f})"
        for peer in result["peers"]
    )
    return f"{row['steps_per_second']:,.0f} agent steps/s: {ratios}"


def envs_share(result: Result) -> str:
    """Ours as a share of the bare emulators, for each number of environments."""
    shares = (f"{row['ratio']:.1%} at {row['num_envs']}" for row in result["rows"])
    return ", ".join(shares) + " environments"


def flat_memory(result: Result) -> str:
    """Resident memory when the replay was full and at the end, with handles and threads."""
    memory, handles, threads = (result[name] for name in ("resident_bytes", "file_handles", "threads"))
    return (
        f"{memory['when_full'] / 1e9:.3f} GB when full, {memory['at_end'] / 1e9:.3f} GB after {result['hours']} hours "
        f"and {result['steps']:,} steps; {handles['at_end']} file handles, {threads['at_end']} threads throughout"
    )


def checkpoint_cost(result: Result) -> str:
    """Size and time of the first checkpoint and of the next."""
    first, following = result["first"], result["next"]
    return (
        f"{first['bytes'] / 1e9:.2f} GB in {first['seconds']:.0f} s, the next (250,000 new) "
        f"{following['bytes'] / 1e9:.2f} GB in {following['seconds']:.0f} s; training stands still for "
        f"{following['blocking_seconds']:.2f} s of it; {result['of_ceiling']:.0%} of plain writing"
    )


def frame_rates(result: Result) -> str:
    """Emulator frames per second of training in each precision."""
    return ", ".join(f"{row['frames_per_second']:,} in {row['precision']}" for row in result["rows"])


def update_rates(result: Result) -> str:
    """Updates per second of each precision."""
    rates = (f"{row['updates_per_second']:,.0f} in {row['precision']}" for row in result["rows"])
    return ", ".join(rates)


def updates_and_the_ceiling(result: Result) -> str:
    """Each precision beside the peer, and beside the machine's fastest product of as many operations."""
    speeds, told = result["speeds"], []
    for row in result["rows"]:
        precision, peer = row["precision"], result["peer"]
        share = median_ratio(speeds[f"ceiling {precision}"], speeds[peer])
        told.append(
            f"{row['updates_per_second']:.0f} in {precision}, {row['ratio']} times {peer} "
            f"(one matrix product of as many operations: {share:.2f})"
        )
    return "; ".join(told)


def own_kernels(result: Result) -> str:
    """Updates per second of our own kernels and of torch's, which ran in turns."""
    ours, torchs = (statistics.median(result["speeds"][name]) for name in ("kernels bf16", "ours bf16"))
    return f"{ours:,.0f} updates/s: {ours / torchs:.2f} times torch's compiler ({torchs:,.0f})"


def by_game(result: Result) -> str:
    """Agent steps per second of each game and number of environments."""
    return ", ".join(
        f"{row['steps_per_second']:,.0f} on {row['game'].title()} with {row['num_envs']} environments"
        + f" in {row['env_groups']} groups" * (row["env_groups"] > 1)
        for row in result["rows"]
    )


def tiled(result: Result) -> str:
    """Memory of a million frames at the cost of a recording's second half: least, and most."""
    cost = {row["second_half"] / 1e3: game for game, row in result["bytes_per_frame"].items()}
    least, most = min(cost), max(cost)
    whole = max(row["all"] for row in result["bytes_per_frame"].values()) / 1e3
    reading = sorted(row["ratio"] for row in result["batches_per_second"].values())
    return (
        f"{least:.2f} GB ({cost[least]}) to {most:.2f} GB ({cost[most]}), {whole:.2f} GB with its first half; "
        f"drawn from at {reading[0]:.0%} to {reading[-1]:.0%} of the speed of plain frames, so they are not the default"
    )


def two_threads(result: Result, *, beside: bool) -> str:
    """Agent steps per second of whole operations, and of divided ones: alone, or beside a busy neighbour."""
    rows = [row for row in result["rows"] if (row["neighbour"] is not None) == beside]
    return "; ".join(
        f"`{row['preset']}` in {row['precision']}: {row['whole']:,.0f} and {row['divided']:,.0f}, "
        f"{row['ratio']:.2f} times"
        for row in rows
    )


def beside_a_neighbour(result: Result) -> str:
    """What a process of low priority takes of the machine, and what training loses."""
    alone, beside = result["rows"]
    lost = 1.0 - beside["steps_per_second"] / alone["steps_per_second"]
    return f"it takes {beside['neighbour_took']:.0%} of the machine, training loses {lost:.0%} of its speed"


SPEED = [
    Measured(
        "two CPU cores, Breakout, fp32, against stable-baselines3",
        "bench_train_cpu2_amx_202611.json",
        lambda r: against_peer(r, "fp32"),
    ),
    Measured("the same in bf16", "bench_train_cpu2_amx_202611.json", lambda r: against_peer(r, "bf16")),
    Measured(
        "two CPU cores without AMX, Breakout, fp32, beside other DQNs",
        "bench_train_cpu2_avx512_202611.json",
        lambda r: against_peer(r, "fp32"),
    ),
    Measured("the same in bf16", "bench_train_cpu2_avx512_202611.json", lambda r: against_peer(r, "bf16")),
    Measured(
        "there, agent steps/s of updates by two threads and whole operations, and of operations that torch divides",
        "bench_two_threads_nice19_cpu2_avx512_202611.json",
        lambda r: two_threads(r, beside=False),
    ),
    Measured(
        "the same beside a process of equal priority that keeps one core busy",
        "bench_two_threads_cpu2_avx512_202611.json",
        lambda r: two_threads(r, beside=True),
    ),
    Measured(
        "the same beside one of the lowest priority",
        "bench_two_threads_nice19_cpu2_avx512_202611.json",
        lambda r: two_threads(r, beside=True),
    ),
    Measured(
        "there, what `nature` in fp32 loses to such a process",
        "bench_train_neighbour_cpu2_avx512_202611.json",
        beside_a_neighbour,
    ),
    Measured(
        "learner alone on two CPU cores with AMX, updates/s",
        "bench_update_cpu2_amx_202611.json",
        updates_and_the_ceiling,
    ),
    Measured("the same without AMX", "bench_update_cpu2_avx512_202611.json", updates_and_the_ceiling),
    Measured(
        "emulators through our layer, against bare `AtariVectorEnv`", "bench_envs_cpu2_amx_202611.json", envs_share
    ),
    Measured(
        "replay of one million transitions, host memory",
        "bench_replay_cpu2_amx_202611.json",
        lambda r: f"{r['bytes'] / 1e9:.2f} GB; sampling at {r['of_ceiling']:.0%} of a bare copy",
    ),
    Measured(
        "the same in tiles (`--replay-tiles`), random play of 12 games, 10,000 frames each",
        "replay_tiles_202611.json",
        tiled,
    ),
    Measured("memory of a long run, replay of 200,000 transitions", "soak_memory_202611/memory.json", flat_memory),
    Measured(
        "a checkpoint with a replay of one million transitions",
        "bench_checkpoint_cpu2_avx512_202611.json",
        checkpoint_cost,
    ),
    Measured(
        "seeding games afresh, part of the emulators' time",
        "bench_envs_cpu2_avx512_202611.json",
        lambda r: f"{r['reseeding_share']:.2%}",
    ),
    Measured(
        "one H200 with 16 cores, `nature`, Breakout, 64 environments, frames/s",
        "bench_train_h200_202611.json",
        frame_rates,
    ),
    Measured(
        "the same in bf16, against stable-baselines3", "bench_train_h200_202611.json", lambda r: against_peer(r, "bf16")
    ),
    Measured(
        "the same in fp32, against stable-baselines3", "bench_train_h200_202611.json", lambda r: against_peer(r, "fp32")
    ),
    Measured("one H100 with 16 cores, `nature` in bf16, agent steps/s", "gpu_h100_202611/num_envs.json", by_game),
    Measured("learner alone there, by torch's kernels, updates/s", "bench_update_h100_202611.json", update_rates),
    Measured("learner alone on an H200, by torch's kernels, updates/s", "bench_update_h200_202611.json", update_rates),
    Measured(
        "one H200, `nature` in bf16, Breakout, 256 games in 4 groups, worker processes, frames made on the GPU",
        "gpu_h200_202611/workers_train_breakout.json",
        lambda r: f"{r['steps_per_second']:,.0f} agent steps/s: {r['frames_per_second']:,} frames/s, torch's kernels",
    ),
    Measured(
        "learner alone on an H200 in bf16, by our own kernels", "bench_update_kernels_h200_202611.json", own_kernels
    ),
]


def speed() -> str:
    """How fast it is."""
    return rows_of(SPEED)
