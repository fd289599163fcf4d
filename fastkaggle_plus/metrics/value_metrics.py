"""Metrics of predicted numbers; of several target columns, the mean over them."""

from typing import Any

import numpy as np

from ..exceptions import DataError
from .jackknife import sum_metric
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


def median_ae(truth: Any, answers: Any) -> float:
    """Return the median of |y - p|."""
    truth, answers = _columns(truth, answers)
    return float(np.median(np.abs(truth - answers), 0).mean())


def spearman(truth: Any, answers: Any) -> float:
    """Return the correlation of the ranks of y and p; 0 if one of them is constant."""
    from scipy import stats

    truth, answers = np.ravel(truth).astype(float), np.ravel(answers).astype(float)
    if np.ptp(truth) == 0 or np.ptp(answers) == 0:
        return 0.0  # a constant explains nothing; scipy would return NaN
    return float(stats.spearmanr(truth, answers)[0])


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


def _squares(truth: Any, answers: Any) -> Array:
    truth, answers = _columns(truth, answers)
    return np.asarray((truth - answers) ** 2)


def _squared_logs(truth: Any, answers: Any) -> Array:
    """Return (log(1 + y) - log(1 + p))^2; a negative p counts as 0."""
    if np.min(truth) < 0:
        raise DataError(
            f"rmsle needs targets of zero or more, and the smallest is {np.min(truth)}: use rmse, "
            "or shift the target."
        )
    truth, answers = _columns(truth, answers)
    return np.asarray(((np.log1p(answers.clip(0)) - np.log1p(truth)) ** 2).mean(1))


def _root_means(sums: Array, counts: Array) -> Array:
    """Return the root of the mean of each column, and of several the mean of them."""
    return np.asarray(np.sqrt(sums.clip(0) / counts[:, None]).mean(1))


def _squared_shares(truth: Any, answers: Any) -> Array:
    """Return ((y - p) / y)^2, 0 for y = 0, and whether y is not 0."""
    truth, answers = _columns(truth, answers)
    used = truth != 0
    if (~used.any(0)).any():
        raise DataError("rmspe divides by the targets, and all of them are 0. Use rmse.")
    shares = np.where(used, (truth - answers) / np.where(used, truth, 1), 0)
    return np.hstack([shares**2, used])


def _root_ratios(sums: Array, counts: Array) -> Array:
    """Return the root of the mean over the values that are not 0, as a fraction: 0.05 is 5%."""
    squares, used = np.split(sums, 2, axis=1)
    return np.asarray(np.sqrt(squares.clip(0) / used).mean(1))


def _explained_rows(truth: Any, answers: Any) -> Array:
    """Return (y - p)^2, y and y^2, with y around its mean."""
    truth, answers = _columns(truth, answers)
    centered = (truth - truth.mean(0)) * (np.ptp(truth, 0) > 0)
    return np.hstack([(truth - answers) ** 2, centered, centered**2])


def _explained(sums: Array, counts: Array) -> Array:
    """Return the share of the variance that is explained; of a constant y, 1 if right, else 0."""
    errors, values, squares = np.split(sums, 3, axis=1)
    spread = squares - values**2 / counts[:, None]
    ratios = errors / np.where(spread > 0, spread, 1)
    return np.asarray((1 - np.where(spread > 0, ratios, errors > 0)).mean(1))


def _products(truth: Any, answers: Any) -> Array:
    """Return y, p, yy, pp and yp, with both scaled to mean 0 and variance 1."""
    truth, answers = _columns(truth, answers)
    y, p = ((v - v.mean()) / (v.std() if np.ptp(v) else np.inf) for v in (truth, answers))
    return np.column_stack([values.mean(1) for values in (y, p, y * y, p * p, y * p)])


def _correlations(sums: Array, counts: Array) -> Array:
    """Return Pearson's correlation; 0 if y or p is constant."""
    y, p, yy, pp, yp = sums.T / counts
    variances = (yy - y * y) * (pp - p * p)
    is_constant = variances < 1e-12
    return np.where(is_constant, 0.0, (yp - y * p) / np.sqrt(np.where(is_constant, 1, variances)))


VALUE_METRICS = (
    mean_metric("mae", False, "value", absolute_errors),
    mean_metric("mse", False, "value", squared_errors),
    mean_metric("mape", False, "value", percentage_errors),
    mean_metric("smape", False, "value", symmetric_percentage_errors),
    sum_metric("rmse", False, "value", _squares, _root_means),
    # the name for several targets
    sum_metric("mean_columnwise_rmse", False, "value", _squares, _root_means),
    sum_metric("rmsle", False, "value", _squared_logs, _root_means),
    sum_metric("rmspe", False, "value", _squared_shares, _root_ratios),
    Metric("median_ae", False, "value", median_ae),
    sum_metric("r2", True, "value", _explained_rows, _explained),
    sum_metric("pearson", True, "value", _products, _correlations),
    Metric("spearman", True, "value", spearman),
    Metric("gini_values", True, "value", gini_values, takes_any_scale=True),
)
