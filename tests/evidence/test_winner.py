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
    assert alone.high - alone.score == pytest.approx(1.972 * alone.score_se, rel=1e-3)
    assert alone.score - alone.low == pytest.approx(alone.high - alone.score, rel=1e-3)
    assert str(alone).endswith(", the only trial")


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
    assert min(best) > 0 and np.mean(best) > 3 * abs(np.mean(corrected) - truth)


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
    assert found.low < found.corrected < found.high < 1
    low = best_of([make_values("bad", noise=2.0), make_values("good", noise=0.2)])
    assert low.name == "good" and low.corrected == pytest.approx(low.score)
    stopped = [[5.0], [6.0], [7.0]]  # an error that is as clearly higher
    kept = best_of([make_values("bad", noise=2.0), make_values("good", noise=0.2)], stopped=stopped)
    assert kept.corrected == pytest.approx(low.score, abs=0.05)


def test_the_correction_is_right_where_one_trial_is_better_and_the_interval_covers():
    """Twenty trials with correlated losses; the first is better by two standard errors."""
    rng, made = np.random.default_rng(5), make_values("t", metric="mae")
    errors, covered, n = [], 0, 80
    for _ in range(n):
        x = 9 + rng.normal(size=(200, 1)) + 0.5 * rng.normal(size=(200, 20))
        x[:, 1:] += 2 * 0.5 * np.sqrt(2 / 200)
        trials = [
            dataclasses.replace(made, name=f"t{i}", oof=(made.targs + x[:, i])[:, None])
            for i in range(20)
        ]
        found = best_of(trials)
        truth = 9 if found.name == "t0" else 9 + np.sqrt(2 / 200)
        errors.append((found.corrected - truth) / found.score_se)
        covered += found.low <= truth <= found.high
    assert abs(np.mean(errors)) < 0.2 + 2.5 / np.sqrt(n) and covered >= 0.88 * n


def test_repeats_count_as_one_trial():
    repeats = [make_predictions(f"a #{k}" if k > 1 else "a", seed=k) for k in (1, 2, 3)]
    found = best_of(repeats)
    assert (found.name, found.n_tried) == ("a", 1)
    assert found.score == pytest.approx(np.mean([p.oof_score for p in repeats]))


def test_it_says_how_many_it_was_chosen_from():
    equal = [make_predictions(f"t{i}", seed=i) for i in range(10)]
    facts = {"score": 0.7512, "score_se": 0.004, "corrected": 0.747, "low": 0.735, "high": 0.759}
    found = dataclasses.replace(best_of(equal), **facts)
    text = "best accuracy 0.7512 ± 0.0040, corrected for choosing among 10: 0.7470 "
    text += "(95% interval 0.7350 to 0.7590)"
    assert str(found) == text and text in repr(found)
    assert best_of(equal) == best_of(equal)


def test_without_a_finished_trial_there_is_no_winner():
    with pytest.raises(DataError, match="no trial finished"):
        best_of([])
