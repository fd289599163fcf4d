"""The best of many equal trials is lucky, and the corrected score has little of that luck."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.evidence import winner
from fastkaggle_plus.exceptions import DataError

from ..making import make_predictions, make_values


def test_one_trial_is_not_corrected():
    alone = winner([make_predictions("a")])
    assert alone.corrected == alone.score == make_predictions("a").oof_score


@pytest.mark.parametrize("make", [make_predictions, make_values])
def test_the_luck_of_the_best_of_equal_trials_is_taken_off(make):
    """Forty trials whose true score is known; some were stopped, and count as tried."""
    truth = 0.8 if make is make_predictions else 0.5
    best, corrected = [], []
    for first in range(0, 400, 40):
        equal = [make(f"t{i}", seed=first + i) for i in range(40)]
        found = winner([*equal, None])
        assert found.n_tried == 41 and found.score in {p.oof_score for p in equal}
        best.append(abs(found.score - truth))
        corrected.append(found.corrected)
    assert min(best) > 0 and np.mean(best) > 5 * abs(np.mean(corrected) - truth)


def test_a_clear_winner_keeps_its_score():
    found = winner([make_predictions("good", right=0.95), make_predictions("bad", right=0.6)])
    assert (found.name, found.corrected) == ("good", pytest.approx(found.score, abs=1e-9))
    low = winner([make_values("bad", noise=2.0), make_values("good", noise=0.2)])
    assert low.name == "good" and low.corrected == pytest.approx(low.score)


def test_it_says_how_many_it_was_chosen_from():
    equal = [make_predictions(f"t{i}", seed=i) for i in range(10)]
    found = dataclasses.replace(winner(equal), score=0.7512, score_se=0.004, corrected=0.747)
    text = "best accuracy 0.7512 ± 0.0040, corrected for choosing among 10: 0.7470"
    assert str(found) == text and "0.7470, for choosing among 10" in repr(found)
    assert winner(equal) == winner(equal)
    assert "choosing among 12 (10 finished): 0." in str(winner([*equal, None, None]))


def test_without_a_finished_trial_there_is_no_winner():
    with pytest.raises(DataError, match="no trial finished"):
        winner([None, None])
