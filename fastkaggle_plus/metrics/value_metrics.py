"""Metrics of predicted numbers; of several target columns, the mean over them."""

from functools import partial
from typing import Any

import numpy as np

from ..exceptions import DataError
from .metric import Array, Metric, mean_metric


def _columns(truth: Any, answers: Any) -> tuple[Array, Array]:
    """Return both as (n, targets)."""
    truth, answers = np.asarray(truth, dtype=float), np.asarray(answers, dtype=float)
    return truth.reshape(len(truth), -1), answers.reshape(len(answers), -1)


def absolute_errors(truth: Any, answers: Any) -> Array:
    """Return |y - p| of each row."""
    truth, answers = _columns(truth, answers)
    return np.asarray(np.abs(truth - answers).mean(1))


def squared_errors(truth: Any, answers: Any) -> Array:
    """Return (y - p)^2 of each row."""
    truth, answers = _columns(truth, answers)
    return np.asarray(((truth - answers) ** 2).mean(1))


def percentage_errors(truth: Any, answers: Any) -> Array:
    """Return |y - p| / |y| of each row, as a fraction: 0.05 is 5%. Raises DataError if a y is 0."""
    truth, answers = _columns(truth, answers)
    if n := int((truth == 0).any(1).sum()):
        raise DataError(
            f"mape divides by the targets, and {n} of {len(truth)} rows have a target of 0. "
            "Use smape or mae, or rmspe, which leaves such rows out."
        )
    return np.asarray((np.abs(truth - answers) / np.abs(truth)).mean(1))


def symmetric_percentage_errors(truth: Any, answers: Any) -> Array:
    """Return 200 |y - p| / (|y| + |p|) of each row, 0 to 200; 0 if y and p are both 0."""
    truth, answers = _columns(truth, answers)
    sums = np.abs(truth) + np.abs(answers)
    return np.asarray((200 * np.abs(truth - answers) / np.where(sums == 0, 1, sums)).mean(1))


def rmspe(truth: Any, answers: Any) -> float:
    """Return sqrt(mean(((y - p) / y)^2)), as a fraction.

    Values y = 0 are left out. Raises DataError if all are 0.
    """
    truth, answers = _columns(truth, answers)
    if (~(truth != 0).any(0)).any():
        raise DataError("rmspe divides by the targets, and all of them are 0. Use rmse.")
    shares = np.where(truth == 0, np.nan, (truth - answers) / np.where(truth == 0, 1, truth))
    return float(np.sqrt(np.nanmean(shares**2, 0)).mean())


def median_ae(truth: Any, answers: Any) -> float:
    """Return the median of |y - p|."""
    truth, answers = _columns(truth, answers)
    return float(np.median(np.abs(truth - answers), 0).mean())


def rmse(truth: Any, answers: Any) -> float:
    """Return sqrt(mean((y - p)^2)) of each target column, and of several the mean of them."""
    truth, answers = _columns(truth, answers)
    return float(np.sqrt(((truth - answers) ** 2).mean(0)).mean())


def rmsle(truth: Any, answers: Any) -> float:
    """Return sqrt(mean((log(1 + y) - log(1 + p))^2)) over all values.

    A negative p counts as 0. Raises DataError if a y is negative.
    """
    if np.min(truth) < 0:
        raise DataError(
            f"rmsle needs targets of zero or more, and the smallest is {np.min(truth)}: use rmse, "
            "or shift the target."
        )
    logs = np.log1p(np.clip(np.asarray(answers, dtype=float), 0, None))
    return float(np.sqrt(np.mean((logs - np.log1p(truth)) ** 2)))


def r2(truth: Any, answers: Any) -> float:
    """Return 1 - sum((y - p)^2) / sum((y - mean(y))^2); of a constant y, 1 if right, else 0."""
    from sklearn.metrics import r2_score

    return float(r2_score(truth, answers))


def correlation(truth: Any, answers: Any, *, name: str) -> float:
    """Return the correlation of y and p; 0 if one of them is constant.

    "pearsonr" is Pearson's, of the values; "spearmanr" is the same of their ranks.
    """
    from scipy import stats

    truth, answers = np.ravel(truth).astype(float), np.ravel(answers).astype(float)
    if np.ptp(truth) == 0 or np.ptp(answers) == 0:
        return 0.0  # a constant explains nothing; scipy would return NaN
    return float(getattr(stats, name)(truth, answers)[0])


def gini_values(truth: Any, answers: Any) -> float:
    """Return the normalized Gini coefficient of numbers: G(y, p) / G(y, y).

    With the rows in order of falling p, G is the mean over the rows i of (the share of the sum of y
    in the first i rows) - i / n. Rows of equal p share the mean of their y. It is 0 for a constant
    y. Raises DataError if the sum of y is not positive.
    """
    truth, answers = np.ravel(truth).astype(float), np.ravel(answers).astype(float)
    if truth.sum() <= 0:
        raise DataError("gini_values needs targets with a positive sum. Use spearman.")
    best = _gini(truth, truth)
    return _gini(truth, answers) / best if best > 1e-12 else 0.0


def _gini(truth: Array, answers: Array) -> float:
    _, group, sizes = np.unique(-answers, return_inverse=True, return_counts=True)
    means = np.bincount(group, weights=truth) / sizes
    shares = np.cumsum(means[np.sort(group)]) / truth.sum()
    return float((shares - np.arange(1, len(truth) + 1) / len(truth)).mean())


VALUE_METRICS = (
    mean_metric("mae", False, "value", absolute_errors),
    mean_metric("mse", False, "value", squared_errors),
    mean_metric("mape", False, "value", percentage_errors),
    mean_metric("smape", False, "value", symmetric_percentage_errors),
    Metric("rmse", False, "value", rmse),
    Metric("mean_columnwise_rmse", False, "value", rmse),  # the name for several targets
    Metric("rmsle", False, "value", rmsle),
    Metric("rmspe", False, "value", rmspe),
    Metric("median_ae", False, "value", median_ae),
    Metric("r2", True, "value", r2),
    Metric("pearson", True, "value", partial(correlation, name="pearsonr")),
    Metric("spearman", True, "value", partial(correlation, name="spearmanr")),
    Metric("gini_values", True, "value", gini_values, takes_any_scale=True),
)
