"""The linear head on frozen features: the fit, the choice of its penalty, rare classes."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from fastkaggle_plus.data import Table
from fastkaggle_plus.modeling.frozen_head import PENALTIES, fit_head


def table_of(targs, *, vocab=(), groups=None, time=None):
    x = pd.DataFrame(index=range(len(targs)))
    task = "regression" if not vocab else "binary" if len(vocab) == 2 else "multiclass"
    return Table(x, np.asarray(targs), (), (), task, tuple(vocab), groups=groups, time=time)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return x[:600], y[:600], x[600:1000], y[600:1000]


def test_digits_are_classified_and_the_coefficients_are_for_unscaled_features(digits):
    x, y, new_x, new_y = digits
    head = fit_head(x, table_of(y, vocab=range(10)))
    preds = head.predict(new_x)
    assert preds.shape == (400, 10)
    assert (preds.argmax(1) == new_y).mean() > 0.9
    assert head.coef.shape == (10, 64) and head.intercept.shape == (10,)
    assert np.allclose(softmax(new_x @ head.coef.T + head.intercept, 1), preds)
    assert head.penalty in PENALTIES


def test_a_head_is_the_fit_of_scikit_learn_also_with_more_features_than_rows(digits):
    x, y, new_x, _ = digits
    for rows in (slice(0, 600), slice(0, 50)):  # 50 rows have fewer rows than features
        scaler = StandardScaler().fit(x[rows])
        n = len(y[rows])
        plain = LogisticRegression(C=1 / (0.1 * n), max_iter=1000).fit(
            scaler.transform(x[rows]), y[rows]
        )
        head = fit_head(x[rows], table_of(y[rows], vocab=range(10)), penalties=[0.1])
        expected = plain.predict_proba(scaler.transform(new_x))
        assert np.abs(head.predict(new_x) - expected).max() < 0.01


def test_values_of_several_targets_are_those_of_ridge_within_the_range_of_the_targets():
    x, y = load_diabetes(return_X_y=True)
    both = np.column_stack([y, -10 * y])
    head = fit_head(x[:300], table_of(both[:300]), penalties=[0.3])
    scaler = StandardScaler().fit(x[:300])
    ridge = Ridge(alpha=0.3 * 300).fit(scaler.transform(x[:300]), both[:300])
    expected = ridge.predict(scaler.transform(x[300:])).clip(both[:300].min(0), both[:300].max(0))
    assert np.allclose(head.predict(x[300:]), expected)
    assert head.coef.shape == (2, 10)
    assert fit_head(x[:300], table_of(y[:300])).predict(x[300:]).shape == (142, 1)


def test_noise_gets_a_stronger_penalty_than_signal(digits):
    x, y, *_ = digits
    rng = np.random.default_rng(0)
    noise = fit_head(rng.normal(size=x.shape), table_of(y, vocab=range(10)))
    assert noise.penalty > fit_head(x, table_of(y, vocab=range(10))).penalty


def test_the_penalty_is_chosen_on_whole_groups():
    """Features that only name the group help on rows of known groups, and not on new ones."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 15)
    x = rng.normal(size=(40, 200))[groups] + 0.1 * rng.normal(size=(600, 200))
    y = rng.integers(0, 2, 40)[groups]
    by_rows = fit_head(x, table_of(y, vocab=("a", "b")))
    by_groups = fit_head(x, table_of(y, vocab=("a", "b"), groups=groups))
    assert by_rows.penalty == min(PENALTIES)
    assert by_groups.penalty == max(PENALTIES)


def test_the_penalty_is_chosen_on_the_latest_rows():
    """A signal that ended before the latest rows asks for a strong penalty."""
    rng = np.random.default_rng(2)
    time, x = np.arange(500), rng.normal(size=(500, 20))
    y = np.where(time < 400, x @ rng.normal(size=20), rng.normal(size=500))
    assert fit_head(x, table_of(y)).penalty < fit_head(x, table_of(y, time=time)).penalty


def test_a_class_without_rows_is_predicted_with_almost_no_probability(digits):
    x, y, new_x, _ = digits
    few = y < 2
    head = fit_head(x[few], table_of(y[few], vocab=range(10)))
    assert head.predict(new_x)[:, 2:].max() < 1e-8
    assert np.isfinite(head.intercept).all()
    one = fit_head(x[y == 3], table_of(y[y == 3], vocab=range(10)))
    assert (one.predict(new_x)[:, 3] > 0.999).all()


def test_constant_features_and_repeated_fits_change_nothing(digits):
    x, y, new_x, _ = digits
    table = table_of(y, vocab=range(10))
    first, again = fit_head(x, table), fit_head(x, table)
    assert np.array_equal(first.coef, again.coef)
    wider = fit_head(np.hstack([x, np.full((600, 3), 7.0)]), table)
    assert np.allclose(
        wider.predict(np.hstack([new_x, np.full((400, 3), 7.0)])), first.predict(new_x), atol=1e-3
    )
