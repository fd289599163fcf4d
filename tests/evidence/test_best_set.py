"""The set of the best: few false claims on any board, and it finds what is clearly worse."""

import dataclasses

import numpy as np
import pytest

from fastkaggle_plus.evidence import best_set, compare
from fastkaggle_plus.evidence.best_set import ALPHA, step_down
from fastkaggle_plus.exceptions import DataError

from ..making import make_predictions, make_values


def alike(name, *, better=0.0, seed=0, number=1, groups=None, n=200):
    """Values whose errors are mostly those of every other trial; `better` is in units."""
    rng, shared = np.random.default_rng([seed, number]), np.random.default_rng(7).normal(size=n)
    made = make_values(name, n=n, metric="mae")
    errors = 5 - better + shared + 0.5 * rng.normal(size=n)
    folds = np.random.default_rng(number).permutation(n) % 5
    oof = (made.targs + errors)[:, None]
    return dataclasses.replace(made, oof=oof, folds=folds, groups=groups)


def test_a_clearly_better_trial_is_alone_and_equal_ones_are_together():
    equal = [alike(f"t{i}", seed=i) for i in range(6)]
    found = best_set(equal)
    assert set(found.names) == set(found.p_values) == {f"t{i}" for i in range(6)}
    assert found.best == min(equal, key=lambda p: p.oof_score).name == found.names[0]
    assert found.p_values[found.best] == 1 and min(found.p_values.values()) >= ALPHA
    clear = best_set([alike("good", better=0.4, seed=9), *equal])
    assert (
        clear.names == ("good",) and max(p for n, p in clear.p_values.items() if n != "good") < 0.01
    )
    assert clear.test.startswith("step-down max-T") and clear.n_units == 200
    assert "best of 7: good (" in str(clear) and "of these fits" in repr(clear)


def test_a_higher_score_is_better_where_the_metric_says_so():
    found = best_set(
        [make_predictions("bad", right=0.5, seed=1), make_predictions("good", right=0.9)]
    )
    assert found.names == ("good",) and found.p_values["bad"] < 1e-6


def test_two_trials_get_about_the_p_value_of_the_paired_test():
    a, b = alike("a", better=0.1, seed=1), alike("b", seed=2)
    joint = best_set([a, b])
    pair = compare(a, b)
    assert joint.p_values[min((a, b), key=lambda p: -p.oof_score).name] == pytest.approx(
        pair.p_value, rel=0.1
    )


def test_a_board_of_equal_trials_has_a_false_claim_in_one_of_twenty():
    """Normal units, 14 trials. The old verdicts were wrong on two of three such boards."""
    rng = np.random.default_rng(3)
    for n_units in (15, 400):
        wrong = 0
        for _ in range(80):
            x = rng.normal(size=(n_units, 1)) + 0.5 * rng.normal(size=(n_units, 14))
            wrong += step_down(x.mean(0), x).min() < ALPHA
        assert wrong <= 11  # of 80; 4 expected


def test_clearly_worse_trials_do_not_hide_a_difference():
    """Two good trials are compared nearly as if the fifteen bad ones were not there."""
    x = np.random.default_rng(0).normal(size=(1000, 17))
    scores = np.r_[2.6 * np.sqrt(2 / 1000), 0.0, np.full(15, -1.0)]
    p = step_down(scores, x)
    assert (p[2:] < 0.001).all() and p[1] < 0.03
    assert step_down(scores[:2], x[:, :2])[1] == pytest.approx(p[1], abs=0.01)
    assert step_down(np.r_[scores[:2], np.full(15, -0.001)], x)[1] > 0.2


def test_repeats_are_pooled_and_their_folds_speak_of_recipes():
    trials = [
        alike(f"t{i} #{k}" if k > 1 else f"t{i}", seed=i, number=k)
        for i in (0, 1)
        for k in (1, 2, 3)
    ]
    found = best_set(trials)
    assert set(found.p_values) == {"t0", "t1"} and found.question == "recipes"
    assert found.n_units == 15 and "recipes" in str(found)
    assert best_set(trials[:4]).question == "fits"  # the second has one run
    assert best_set(trials[:4]).n_units == 200
    one_split = [dataclasses.replace(p, folds=trials[0].folds) for p in trials]
    assert best_set(one_split).n_units == 5  # only the seeds differ


def test_groups_are_the_units():
    groups = np.arange(200) // 5
    found = best_set([alike(f"t{i}", seed=i, groups=groups) for i in range(3)])
    assert found.n_units == 40 and "pseudo-values" in found.test


def test_the_same_values_and_one_trial_are_no_evidence():
    one = alike("a")
    twin = dataclasses.replace(one, name="b")
    assert best_set([one, twin]).p_values == {"a": 1.0, "b": 1.0}
    assert best_set([one]).names == ("a",) and best_set([one]).p_values == {"a": 1.0}


def test_rows_that_some_trials_did_not_validate_are_left_out():
    full, half = alike("full"), alike("half", seed=1)
    half = dataclasses.replace(half, folds=np.where(half.folds < 3, half.folds, -1))
    assert best_set([full, half]).n_units == half.validated.sum()
    turned = half.aligned(half.ids[::-1], half.test_ids, half.vocab)
    assert best_set([full, turned]) == best_set([full, half])
    none = dataclasses.replace(full, name="none", folds=np.where(half.folds < 3, -1, 0))
    with pytest.raises(DataError, match="share no validated row"):
        best_set([half, none])


def test_trials_that_cannot_be_compared_are_refused():
    other = dataclasses.replace(alike("b"), metric="rmse")
    with pytest.raises(DataError, match="one metric"):
        best_set([alike("a"), other])
    other = dataclasses.replace(alike("b"), targs=alike("b").targs + 1)
    with pytest.raises(DataError, match="different versions of the data"):
        best_set([alike("a"), other])
    with pytest.raises(DataError, match="no trial finished"):
        best_set([])
