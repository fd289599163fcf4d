"""The best of many equal trials is lucky, and the corrected score has little of that luck."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.evidence import best_of
from fastkaggle_plus.exceptions import DataError

from ..making import make_predictions, make_values


def test_one_trial_is_not_corrected():
    alone = best_of([make_predictions("a")])
    assert alone.corrected == alone.score == make_predictions("a").oof_score


@pytest.mark.parametrize("make", [make_predictions, make_values])
def test_the_luck_of_the_best_of_equal_trials_is_removed(make):
    """The true score of forty trials is known."""
    truth = 0.8 if make is make_predictions else 0.5
    best, corrected = [], []
    for first in range(0, 400, 40):
        equal = [make(f"t{i}", seed=first + i) for i in range(40)]
        found = best_of(equal)
        assert found.n_tried == 40 and found.score in {p.oof_score for p in equal}
        best.append(abs(found.score - truth))
        corrected.append(found.corrected)
    assert min(best) > 0 and np.mean(best) > 5 * abs(np.mean(corrected) - truth)


def test_the_luck_on_the_first_fold_is_removed_where_others_were_stopped_on_it():
    """Of forty equal trials, those that are good on the first fold finish."""
    best, by_rows, corrected = [], [], []
    for first in range(0, 1600, 40):
        equal = [make_predictions(f"t{i}", seed=first + i) for i in range(40)]
        equal.sort(key=lambda p: -p.fold_scores[0])
        finished, stopped = equal[:6], [p.fold_scores[:1] for p in equal[6:]]
        found = best_of(finished, stopped=stopped)
        assert found.n_tried == 40
        best.append(found.score - 0.8)
        by_rows.append(best_of(finished).corrected - 0.8)
        corrected.append(found.corrected - 0.8)
    assert np.mean(best) > 0.03 and np.mean(by_rows) > 0.01
    assert abs(np.mean(corrected)) < np.mean(by_rows) / 2


def test_a_clear_winner_keeps_its_score():
    found = best_of([make_predictions("good", right=0.95), make_predictions("bad", right=0.6)])
    assert (found.name, found.corrected) == ("good", pytest.approx(found.score, abs=1e-9))
    low = best_of([make_values("bad", noise=2.0), make_values("good", noise=0.2)])
    assert low.name == "good" and low.corrected == pytest.approx(low.score)
    stopped = [[5.0], [6.0], [7.0]]  # an error that is as clearly higher
    kept = best_of([make_values("bad", noise=2.0), make_values("good", noise=0.2)], stopped=stopped)
    assert kept.corrected == pytest.approx(low.score, abs=0.05)


def test_it_says_how_many_it_was_chosen_from():
    equal = [make_predictions(f"t{i}", seed=i) for i in range(10)]
    found = dataclasses.replace(best_of(equal), score=0.7512, score_se=0.004, corrected=0.747)
    text = "best accuracy 0.7512 ± 0.0040, corrected for choosing among 10: 0.7470"
    assert str(found) == text and text in repr(found)
    assert best_of(equal) == best_of(equal)


def test_without_a_finished_trial_there_is_no_winner():
    with pytest.raises(DataError, match="no trial finished"):
        best_of([])
