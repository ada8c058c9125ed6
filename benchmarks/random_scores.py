"""Random play by the `nature` protocol on the paper's 49 games, beside the published random scores.

The published agent picks a uniform action at 10 Hz, every 6 frames (Mnih et al. 2015, Methods); so does ours here,
policy `random-10hz`. Policy `random` acts every 4 frames, as our agents do, and is another player.

    python benchmarks/random_scores.py --out FOLDER [--games pong breakout]

Writes FOLDER/random_scores.csv, a row as soon as its game is done (games that stand there already are skipped), and
FOLDER/README.md. Last line of stdout: one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

from atari_dqn.published.scores import nature_49, published
from atari_dqn.runs.evaluate import Selection, evaluate_policy
from atari_dqn.runs.provenance import hardware

EPISODES = 30
# Student's t, 97.5 %, for the mean of 30 games and for the difference of two such means
T_MEAN, T_DIFFERENCE = 2.045, 2.002
COLUMNS = (
    "game mean std low high random_nature random_zoo margin agrees mean_length episodes seed seconds commit"
).split()
COMMENTS = {
    "hero": "most games end with 0 or 75 points, the others with about 2,300, so the mean of 30 counts how many of "
    "them went well. Thirty more games, seed 1 (`hero_seed1.json`), have the mean 932 and agree.",
    "qbert": "no cause is known; games are few and scores coarse (0 to 550). Thirty more, seed 1 (`qbert_seed1.json`), "
    "have the mean 185.8 and agree, so chance is enough.",
}

README = """# Random play beside the published random scores

{episodes} games of each of {games} of the paper's 49 by the `nature` protocol (games of at most 5 minutes, up to 30
no-ops at the start, no sticky actions, minimal action set), seed {seed}, played through `atari_dqn.evaluation`. The
action is uniform every 6 frames (10 Hz), as in the paper: policy `random-10hz`.

- **interval**: of the mean, 95 %, Student's t: mean -+ {t_mean} std / sqrt({episodes}), std with n - 1.
- **agrees**: the published number is printed without a spread or a count of games. We take it to be a mean of as many
  games with the spread that we measure: it agrees if it differs from our mean by at most
  `margin` = {t_difference} std sqrt(2 / {episodes}) + half of the last digit printed. By chance alone one game in
  twenty would fail this.
- random_zoo (DQN Zoo; games of 30 minutes) is the same as random_nature up to rounding, in all 49 games.

**{agreeing} of {games} games agree.** {strict} of the published numbers lie even in the interval of our mean.

| game | mean | std | interval | random_nature | random_zoo | agrees |
|---|---|---|---|---|---|---|
{rows}

## Those that differ, and why

{comments}

{missing}Measured: commit {commit}, ale-py {ale}; {seconds:,.0f} s on {cpu} that were shared with other work.

    {command}
"""


def play(game: str) -> dict[str, object]:
    """One row of the table."""
    began = time.monotonic()
    result = evaluate_policy(game, "random-10hz", Selection("nature", EPISODES, num_envs=10)).result
    mean, std = statistics.fmean(result.scores), statistics.stdev(result.scores)
    scores = published(game)
    assert scores is not None and scores.random_nature is not None
    digit = 0.1 if scores.random_nature % 1 else 1.0
    margin = T_DIFFERENCE * std * math.sqrt(2 / EPISODES) + digit / 2
    half = T_MEAN * std / math.sqrt(EPISODES)
    agrees = "yes" if abs(mean - scores.random_nature) <= margin else "no"
    numbers = [round(number, 2) for number in (mean, std, mean - half, mean + half)]
    values: list[object] = [game, *numbers, scores.random_nature, scores.random_zoo, round(margin, 2), agrees]
    values += [round(result.mean_length or 0.0, 1), EPISODES, result.seed]
    values += [round(time.monotonic() - began, 1), hardware()["commit"]]
    return dict(zip(COLUMNS, values, strict=True))


def readme(rows: list[dict[str, str]]) -> str:
    """The table for people, from the rows of the CSV."""
    lines, comments = [], []
    for row in rows:
        cells = [row["game"], row["mean"], row["std"], f"{row['low']} to {row['high']}", row["random_nature"]]
        cells += [row["random_zoo"], row["agrees"]]
        lines.append("| " + " | ".join(cells) + " |")
        if row["agrees"] == "no":
            told = COMMENTS.get(row["game"], "not explained yet.")
            difference = float(row["mean"]) - float(row["random_nature"])
            comments.append(f"- **{row['game']}** ({difference:+.1f}, margin {row['margin']}): {told}")
    about = hardware()
    missing = [game for game in nature_49() if game not in {row["game"] for row in rows}]
    told = f"Not played yet: {', '.join(missing)}; the command below goes on with them.\n\n" if missing else ""
    return README.format(
        missing=told,
        episodes=EPISODES,
        seed=rows[0]["seed"],
        t_mean=T_MEAN,
        t_difference=T_DIFFERENCE,
        agreeing=sum(row["agrees"] == "yes" for row in rows),
        strict=sum(float(row["low"]) <= float(row["random_nature"]) <= float(row["high"]) for row in rows),
        games=len(rows),
        rows="\n".join(lines),
        comments="\n".join(comments) or "None.",
        commit=", ".join(sorted({row["commit"] for row in rows})),
        seconds=sum(float(row["seconds"]) for row in rows),
        cpu=f"{about['cores']} cores of {about['cpu']}",
        ale=about["packages"]["ale-py"],
        command="python benchmarks/random_scores.py --out FOLDER",
    )


def main() -> int:
    """Play what is missing, then write the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--games", nargs="+", default=list(nature_49()))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    table, began = options.out / "random_scores.csv", time.monotonic()
    done = {row["game"] for row in csv.DictReader(table.open())} if table.exists() else set()
    for game in options.games:
        if game not in done:
            row = play(game)
            with table.open("a", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(row)
            print(f"{time.monotonic() - began:6.0f} s  {row}", flush=True)
    rows = sorted(csv.DictReader(table.open()), key=lambda row: row["game"])
    (options.out / "README.md").write_text(readme(rows))
    agreeing = [row["game"] for row in rows if row["agrees"] == "yes"]
    summary = {"bench": "random_scores", "games": len(rows), "agree": len(agreeing), "cores": os.cpu_count()}
    print(json.dumps(summary | {"differ": sorted({row["game"] for row in rows} - set(agreeing))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
