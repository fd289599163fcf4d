"""Ranks and medals by Kaggle's rule."""

import numpy as np
import pytest

from fastkaggle_plus.evidence.gap import Rows, Scores
from fastkaggle_plus.evidence.placing import final_place, medal_of, medal_ranks, place


@pytest.mark.parametrize(
    ("n_teams", "gold", "silver", "bronze"),
    [
        (1, 1, 1, 1),
        (50, 5, 10, 20),
        (99, 9, 19, 39),
        (100, 10, 20, 40),
        (249, 10, 49, 99),
        (250, 10, 50, 100),
        (500, 11, 50, 100),
        (999, 11, 50, 100),
        (1000, 12, 50, 100),
        (5000, 20, 250, 500),
    ],
)
def test_medals_depend_on_the_number_of_teams(n_teams, gold, silver, bronze):
    assert medal_ranks(n_teams) == {"gold": gold, "silver": silver, "bronze": bronze}


def test_the_medal_of_a_rank():
    medals = [medal_of(rank, 1000) for rank in (1, 12, 13, 50, 51, 100, 101)]
    assert medals == ["gold", "gold", "silver", "silver", "bronze", "bronze", "none"]


def test_a_published_leaderboard_gives_the_rank():
    found = final_place(0.8, [0.9, 0.85, 0.8, 0.7], higher_is_better=True)
    assert (found.rank, found.n_teams, found.is_final) == (3, 5, True)
    assert final_place(0.8, [0.9, 0.7], higher_is_better=False).rank == 2


def one(public, n, **options):
    values = np.random.default_rng(0).random(n) < 0.8
    se = values.std(ddof=1) / np.sqrt(n)
    return Scores("a", 0.8, se, public, values=values.astype(float), units="same", ref=1)


def test_more_rows_give_a_narrower_rank():
    others = list(np.linspace(0.7, 0.9, 200))
    few = place([one(0.8, 400)], others, Rows(400, 100, 100))
    many = place([one(0.8, 40_000)], others, Rows(40_000, 10_000, 10_000))
    assert few.public_rank == many.public_rank == 101
    assert many.highest - many.lowest < (few.highest - few.lowest) / 3
    assert many.lowest <= many.rank <= many.highest
    assert sum(few.chances.values()) == pytest.approx(1)


def test_luck_in_public_is_expected_to_end():
    """Far above its CV score: the private rank is worse than the public one."""
    found = place([one(0.88, 4000)], list(np.linspace(0.7, 0.9, 200)), Rows(4000, 200, 2000))
    assert found.public_rank < found.rank


def test_without_a_submission_there_is_no_place():
    assert place([Scores("trial", 0.8, 0.01)], [0.5], Rows(10, 5, 5)) is None
