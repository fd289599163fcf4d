"""compare_recipes: the published test, pairs of repeats, looking again, what it says."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fastkaggle_plus import compare_recipes, make_folds
from fastkaggle_plus.evidence.repeated_t import RepeatedT, resampled_t, rows_and_repeats_t
from fastkaggle_plus.exceptions import DataError

from ..benchmarks.calibration_parts import recipes as bench
from ..making import make_predictions, make_values


def repeats(name, noise, *, metric="rmse", splits=(0, 1, 2)):
    """Return repeats of a recipe whose predictions have errors of this size."""
    made = []
    for k, seed in enumerate(splits):
        preds = make_values(name, noise=noise, metric=metric, seed=100 * k + round(10 * noise))
        split = make_folds(preds.targs, n_folds=5, seed=seed).assignment
        number = f" #{k + 1}" if k else ""
        made.append(replace(preds, name=name + number, folds=split))
    return made


def gains(a, b):
    """Return by how much `a` has a lower score than `b`, by repeat and fold."""
    return np.array([np.subtract(q.fold_scores, p.fold_scores) for p, q in zip(a, b, strict=True)])


def test_rows_and_repeats_are_two_sources_of_error():
    a, b = repeats("a", 1.0), repeats("b", 1.1)
    found = compare_recipes(a, b)
    values = np.array([q.pseudo_values - p.pseudo_values for p, q in zip(a, b, strict=True)])
    of_rows = (1 / 3 + 5 / 4) * values.mean(0).var(ddof=1) / 200
    of_luck = values.mean(1).var(ddof=1) / 3
    assert found.gain == pytest.approx(values.mean()) and found.gain > 0  # a lower rmse is better
    assert found.se == pytest.approx(np.sqrt(of_rows + of_luck))
    df = (of_rows + of_luck) ** 2 / (of_rows**2 / 199 + of_luck**2 / 2)
    assert found.p_value_once == pytest.approx(2 * stats.t.sf(found.gain / found.se, df))
    assert (found.n_repeats, found.n_splits, found.n_folds) == (3, 3, 5)
    assert (found.a, found.b) == ("a", "b")
    assert found.a_score == pytest.approx(np.mean([p.oof_score for p in a]))


def test_the_corrected_resampled_t_is_that_of_its_authors():
    diffs = gains(repeats("a", 1.0), repeats("b", 1.1))
    se = np.sqrt((1 / 15 + 40 / 160) * diffs.var(ddof=1))
    found = resampled_t(diffs, 0.25)
    assert found.se == pytest.approx(se)
    assert found.p_value_once == pytest.approx(2 * stats.t.sf(abs(diffs.mean()) / se, 14))
    assert compare_recipes(repeats("a", 1.0), repeats("b", 1.1)).p_resampled == found.p_value_once


def test_repeated_holdouts_have_other_rows_each_and_get_the_resampled_t():
    held = [
        [replace(p, folds=np.where(p.folds == 0, 0, -1)) for p in repeats(name, noise)]
        for name, noise in (("a", 1.0), ("b", 3.0))
    ]
    found = compare_recipes(*held)
    assert found.test == "corrected resampled t" and found.n_folds == 1
    diffs = gains(*held)
    assert found.se == pytest.approx(np.sqrt((1 / 3 + 40 / 160) * diffs.var(ddof=1)))
    assert "over 3 repeats x 1 fold" in str(found)


def test_the_bayesian_test_has_three_probabilities_of_the_same_distribution():
    a, b = repeats("a", 1.0), repeats("b", 1.1)
    found = compare_recipes(a, b)
    assert found.p_better == pytest.approx(1 - found.p_value_once / 2)
    with_rope = compare_recipes(a, b, rope=0.05)
    probabilities = with_rope.p_better, with_rope.p_same, with_rope.p_worse
    assert sum(probabilities) == pytest.approx(1) and with_rope.p_better < found.p_better
    assert "P(within 0.05)" in str(with_rope) and "P(a is better)" in str(found)


def test_clear_and_unclear_differences_have_verdicts():
    a, b = repeats("a", 1.0), repeats("b", 3.0)
    worse, better = compare_recipes(b, a), compare_recipes(a, b)
    assert (worse.verdict, better.verdict) == ("worse", "better")
    assert str(better).startswith("recipes: a ") and ": a is better;" in str(better)
    assert "over 3 repeats x 5 folds (rmse, lower is better)" in str(better)
    same = compare_recipes(a, a)
    assert (same.gain, same.p_value, same.verdict) == (0, 1, "cannot be told apart")
    assert "corrected resampled t" in repr(better)


def test_seeds_on_one_split_are_called_so():
    found = compare_recipes(repeats("a", 1.0, splits=(0, 0)), repeats("b", 1.1, splits=(0, 0)))
    assert (found.n_repeats, found.n_splits) == (2, 1) and "2 seeds on one split" in str(found)


def test_along_time_the_rows_before_are_those_fitted_on():
    blocks = np.arange(200) * 6 // 200 - 1  # the first is only fitted on
    a, b = (
        [replace(p, about={"split": "time"}, folds=blocks) for p in repeats(name, noise)]
        for name, noise in (("a", 1.0), ("b", 1.1))
    )
    values = np.array([q.pseudo_values - p.pseudo_values for p, q in zip(a, b, strict=True)])
    ratio = np.mean([1 / k for k in range(1, 6)])
    assert compare_recipes(a, b).se == pytest.approx(
        rows_and_repeats_t(values, ratio, 5).se, rel=0.02
    )


def test_repeats_that_are_no_pairs_are_refused():
    a, b = repeats("a", 1.0), repeats("b", 1.1)
    for pair in ((a[:1], b[:1]), (a, b[:2]), ([], [])):
        with pytest.raises(DataError, match="at least 2 repeats"):
            compare_recipes(*pair)
    with pytest.raises(DataError, match="other folds"):
        compare_recipes(a, b[::-1])
    with pytest.raises(DataError, match="one metric"):
        compare_recipes(a, repeats("b", 1.1, metric="mae"))
    with pytest.raises(DataError, match="rope of 0 or more"):
        compare_recipes(a, b, rope=-0.1)


def test_too_few_rows_of_a_class_give_no_test():
    truth = (np.arange(200) < 5).astype(int)
    a, b = (
        [
            replace(
                make_predictions(name, right=right, seed=k, metric="auc"),
                targs=truth,
                folds=np.roll(np.arange(200) % 5, k),
            )
            for k in range(2)
        ]
        for name, right in (("a", 0.9), ("b", 0.6))
    )
    found = compare_recipes(a, b)
    assert found.p_value == 1 and found.test.startswith("no test: 5 rows of the rarer class")


def test_equal_differences_and_folds_without_a_score_decide_nothing_by_themselves():
    assert resampled_t(np.full((2, 1), 0.01), 0.25).p_value == 1
    some = np.random.default_rng(0).normal(size=(3, 5))
    some[1, 2] = np.nan
    assert resampled_t(some, 0.25).df == 13


def test_one_may_look_after_each_repeat():
    """Recipes of equal skill, whose variances are known."""
    rng, n_sets = np.random.default_rng(0), 600
    shared, own = rng.normal(size=(n_sets, 1)), rng.normal(size=(n_sets, 10))
    looks = [
        [RepeatedT(s + o[:k].mean(), 1.0, 1.0, k, 1e6) for k in range(2, 11)]
        for s, o in zip(shared[:, 0], own, strict=True)
    ]
    corrected = np.mean([min(t.p_value for t in tests) < 0.05 for tests in looks])
    once = np.mean([min(t.p_value_once for t in tests) < 0.05 for tests in looks])
    assert 0.02 < corrected < 0.065 < once
    assert all(t.p_value >= t.p_value_once for tests in looks[:20] for t in tests)


def test_more_repeats_are_no_help_where_they_tell_nothing_new():
    assert RepeatedT(2.0, 1.0, 0.0, 3, 50).p_value == RepeatedT(2.0, 1.0, 0.0, 3, 50).p_value_once
    few, many = RepeatedT(2.0, 1.0, 0.1, 3, 50), RepeatedT(2.0, 0.1, 3.0, 3, 50)
    assert few.p_value / few.p_value_once < many.p_value / many.p_value_once


def test_a_very_small_p_value_stays_small():
    found = RepeatedT(1.0, 1e-4, 1e-4, 10, 100)
    assert found.p_value_once < found.p_value < 1e-15


@pytest.mark.parametrize("recipe", [bench.view_tree, bench.random_tree])
def test_recipes_of_equal_skill_cannot_be_told_apart(recipe, monkeypatch):
    monkeypatch.setattr(bench, "N_REPEATS", 3)
    found = bench.simulate(200, 6, np.random.default_rng(0), recipe, views=(0, 1))
    for sets in found.values():
        assert sum(s.tests[-1].p_value < 0.05 for s in sets) <= 2
