"""compare_recipes: the published test, pairs of repeats, looking again, what it says."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fastkaggle_plus import compare_recipes, make_folds
from fastkaggle_plus.evidence.resampled_t import resampled_t
from fastkaggle_plus.exceptions import DataError

from ..benchmarks.calibration_parts import recipes as bench
from ..making import make_values


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


def test_the_test_is_the_corrected_resampled_t():
    a, b = repeats("a", 1.0), repeats("b", 1.1)
    found = compare_recipes(a, b)
    diffs = gains(a, b)
    n, n_train = diffs.size, len(a[0].ids) * 4 / 5
    se = np.sqrt((1 / n + (len(a[0].ids) - n_train) / n_train) * diffs.var(ddof=1))
    assert found.gain == pytest.approx(diffs.mean()) and found.gain > 0  # a lower rmse is better
    assert found.se == pytest.approx(se, rel=0.01)
    t = found.gain / found.se
    assert found.p_value_once == pytest.approx(2 * stats.t.sf(abs(t), n - 1))
    assert (found.n_repeats, found.n_splits, found.n_folds) == (3, 3, 5)
    assert (found.a, found.b) == ("a", "b")


def test_the_bayesian_test_has_three_probabilities_of_the_same_distribution():
    a, b = repeats("a", 1.0), repeats("b", 1.1)
    found = compare_recipes(a, b)
    assert found.p_better == pytest.approx(1 - found.p_value_once / 2)
    with_rope = compare_recipes(a, b, rope=0.05)
    probabilities = with_rope.p_better, with_rope.p_same, with_rope.p_worse
    assert sum(probabilities) == pytest.approx(1) and with_rope.p_better < found.p_better
    expected = stats.t.cdf((-0.05 - found.gain) / found.se, 14)
    assert with_rope.p_worse == pytest.approx(expected)
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


def test_seeds_on_one_split_are_averaged_first():
    a, b = repeats("a", 1.0, splits=(0, 0, 0)), repeats("b", 1.1, splits=(0, 0, 0))
    found = compare_recipes(a, b)
    assert (found.n_repeats, found.n_splits) == (3, 1) and "3 seeds on one split" in str(found)
    mean = gains(a, b).mean(0)
    assert found.se == pytest.approx(np.sqrt((1 / 5 + 1 / 4) * mean.var(ddof=1)), rel=0.01)


def test_along_time_the_rows_before_are_those_fitted_on():
    blocks = np.arange(200) * 6 // 200 - 1  # the first is only fitted on
    a, b = (
        [replace(p, about={"split": "time"}, folds=blocks) for p in repeats(name, noise)]
        for name, noise in (("a", 1.0), ("b", 1.1))
    )
    found = compare_recipes(a, b)
    mean = gains(a, b).mean(0)
    ratio = np.mean([1 / k for k in range(1, 6)])
    assert found.se == pytest.approx(np.sqrt((1 / 5 + ratio) * mean.var(ddof=1)), rel=0.02)


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


def test_equal_differences_and_folds_without_a_score_decide_nothing_by_themselves():
    assert resampled_t(np.full((2, 1), 0.01), 0.25).p_value == 1
    some = np.random.default_rng(0).normal(size=(3, 5))
    some[1, 2] = np.nan
    assert resampled_t(some, 0.25).n == 14


def test_one_may_look_after_each_repeat():
    """Recipes of equal skill, with the covariance that the test assumes."""
    rng, n_sets = np.random.default_rng(0), 800
    noise, shared = rng.normal(size=(n_sets, 10, 5)), rng.normal(size=(n_sets, 1, 1))
    sets = bench.Sets(noise + 0.5 * shared, np.ones(n_sets))
    looks = [[sets.test(i, k) for k in range(2, 11)] for i in range(n_sets)]
    corrected = np.mean([min(t.p_value for t in tests) < 0.05 for tests in looks])
    once = np.mean([min(t.p_value_once for t in tests) < 0.05 for tests in looks])
    assert 0.025 < corrected < 0.065 < once
    assert all(t.p_value >= t.p_value_once for tests in looks[:20] for t in tests)


def test_a_very_small_p_value_stays_small():
    found = resampled_t(1 + 0.1 * np.random.default_rng(0).normal(size=(10, 5)), 0.25)
    assert 0 < found.p_value < 1e-15


@pytest.mark.parametrize("recipe", [bench.view_tree, bench.random_tree])
def test_recipes_of_equal_skill_cannot_be_told_apart(recipe, monkeypatch):
    monkeypatch.setattr(bench, "N_REPEATS", 3)
    found = bench.simulate(300, 12, np.random.default_rng(0), recipe, views=(0, 1))
    for sets in found.values():
        assert sum(sets.test(i, 3).p_value < 0.05 for i in range(12)) <= 3
