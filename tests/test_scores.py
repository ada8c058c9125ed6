"""Published scores: the paper's own counts, and two human columns that never mix."""

import pytest

from atari_dqn.published.scores import atari_57, human_normalized, nature_49, published


def test_a_row_as_printed():
    pong = published("pong")
    assert (pong.random_nature, pong.human_nature, pong.dqn_nature, pong.dqn_nature_std) == (-20.7, 9.3, 18.9, 1.3)


def test_human_normalised_by_hand():
    # (18.9 + 20.7) / (9.3 + 20.7) = 1.32
    assert human_normalized(18.9, "pong", pair="nature") == pytest.approx(1.32)
    assert human_normalized(-20.7, "pong", pair="nature") == 0.0
    # the 30-minute human is another one: (14.6 + 20.7) / (14.6 + 20.7) = 1
    assert human_normalized(14.6, "pong", pair="zoo") == pytest.approx(1.0)


def test_the_papers_table_counts_29_of_49_at_three_quarters_and_23_above_human():
    scores = [human_normalized(published(game).dqn_nature, game, pair="nature") for game in nature_49()]
    assert len(scores) == 49
    assert sum(score >= 0.75 for score in scores) == 29
    assert sum(score >= 1.0 for score in scores) == 23


def test_the_two_human_columns_differ_in_33_games():
    rows = [published(game) for game in nature_49()]
    differing = [row for row in rows if abs(row.human_nature - row.human_zoo) > 0.006 * abs(row.human_zoo)]
    assert len(differing) >= 30
    assert len(atari_57()) == 57


def test_what_was_not_published_is_none():
    assert published("cartpole") is None
    assert human_normalized(1.0, "cartpole", pair="zoo") is None
    assert human_normalized(1.0, "pong", pair="none") is None
    assert human_normalized(1.0, "air_raid", pair="nature") is None
