"""The interval of a CV score knows that folds depend on each other."""

import numpy as np
import pandas as pd
import pytest

from fastkaggle_plus.data import Data, Table
from fastkaggle_plus.exceptions import DataError
from fastkaggle_plus.folds import make_folds
from fastkaggle_plus.modeling import cv_interval

N, N_FEATURES = 60, 15
COLUMNS = tuple(f"c{i}" for i in range(N_FEATURES))


def noise(seed: int) -> Data:
    """Values that no feature explains: a linear model of them overfits."""
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(N + 1, N_FEATURES)), columns=list(COLUMNS))
    train = Table(x[:N], rng.normal(size=N), (), COLUMNS, "regression", ())
    test = Table(x[N:], None, (), COLUMNS, "regression", ())
    sample = pd.DataFrame({"id": [N], "y": 0})
    return Data(train, test, np.arange(N), np.array([N]), sample, x[:N], x[N:], metric="mse")


def least_squares(fits):
    def fit(table):
        x = np.column_stack([np.ones(len(table)), table.x])
        weights = np.linalg.lstsq(x, table.targs, rcond=None)[0]
        fits.append(weights[1:])
        return lambda rows: np.column_stack([np.ones(len(rows)), rows.x]) @ weights

    return fit


def test_the_interval_is_wider_than_that_of_a_cv_score_and_contains_the_truth():
    wider, covered = [], 0
    for seed in range(8):
        data, fits = noise(seed), []
        found = cv_interval(least_squares(fits), data, make_folds(data.targs), repeats=2)
        assert found.n_fits == len(fits) == 2 * 15
        assert found.cv_se <= found.se <= found.cv_se * np.sqrt(5) + 1e-12
        assert found.low < found.score < found.high and found.metric == "mse"
        wider.append(found.se / found.cv_se)
        # of a fit on four fifths, on new rows: the noise, and the error of the weights
        truth = 1 + np.mean([(w**2).sum() for w in fits[:5]])
        covered += found.low < truth < found.high
    assert np.mean(wider) > 1.15 and covered >= 6
    assert "95% interval" in str(found) and "fits" in repr(found)


def test_folds_that_leave_rows_out_are_refused():
    data = noise(0)
    with pytest.raises(DataError, match="at least 3 folds that validate every row"):
        cv_interval(least_squares([]), data, make_folds(data.targs, holdout=0.2))
    with pytest.raises(DataError, match="got random folds: 2"):
        cv_interval(least_squares([]), data, make_folds(data.targs, n_folds=2))
