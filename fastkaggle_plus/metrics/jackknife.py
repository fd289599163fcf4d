"""Pseudo-values: one number for each row, or group of rows, whose scatter is a score's error.

Many scores depend on sums over the rows only, and the AUC on ranks. Their value without a part of
the rows needs one subtraction, and no new score.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from ..exceptions import DataError
from .metric import Array, Metric

_MOST_SCORES = 100  # scores that are computed again, if no faster way is known
_MOST_SUMS = 2_000_000  # numbers in memory at a time


def pseudo_values(
    metric: Metric,
    targs: Array,  # (n,) class codes, or (n,) or (n, k) values
    preds: Array,  # (n, n_outputs)
    groups: Array | None = None,  # (n,) rows of one group depend on each other
) -> Array:
    """Return (n_units,) values whose mean is about the score, and whose scatter is its error.

    A unit is a row or, with groups, a group, in the order of their values. Without groups, these
    are the scores of the rows if the score is their mean. All others are jackknife pseudo-values,
    N score - (N - 1) (score without the unit), for N units. A score without `leave_out` is computed
    again for each, so at most 100 units are made, at random. NaN if there is no score without it.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11.
    """
    if groups is None and (rows := metric.per_row(targs, preds)) is not None:
        return rows
    unit = np.arange(len(targs))
    if groups is not None:
        unit = np.unique(groups, return_inverse=True)[1]
    leave_out = metric.leave_out or partial(_scored_again, score=metric.compare)
    if metric.rowwise is not None:
        leave_out = partial(without_sums, rows=metric.rowwise, score=_mean)
    elif metric.leave_out is None and unit.max() >= _MOST_SCORES:
        # the same units for every model
        merged = np.random.default_rng(0).permutation(np.arange(unit.max() + 1) % _MOST_SCORES)
        unit = merged[unit]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = leave_out(np.asarray(targs), metric.answers(preds), unit)
    without[~np.isfinite(without)] = np.nan
    return len(without) * metric.score(targs, preds) - (len(without) - 1) * without


def standard_error(values: Array) -> float:
    """Return the standard error of the mean of (n,) pseudo-values; NaN if one of them is NaN."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def without_sums(
    truth: Any,
    answers: Any,
    unit: Array,  # (n,) codes
    *,
    rows: Callable[[Any, Any], Any],  # (truth, answers) -> (n,) or (n, k), may be sparse
    score: Callable[[Array, Array], Array],  # sums (m, k) and counts (m,) of rows -> (m,) scores
) -> Array:
    """Return the score without each unit, for a score of sums over the rows."""
    from scipy import sparse

    values = rows(truth, answers)
    values = values if values.ndim > 1 else values[:, None]
    counts = np.bincount(unit)
    members = sparse.csr_array((np.ones(len(unit)), (unit, np.arange(len(unit)))))
    sums, total = members @ values, values.sum(0)
    step = max(_MOST_SUMS // values.shape[1], 1)
    without = []
    for start in range(0, len(counts), step):
        part = sums[start : start + step]
        part = part.toarray() if sparse.issparse(part) else part
        without.append(score(total - part, len(unit) - counts[start : start + step]))
    return np.concatenate(without)


def sum_metric(
    name: str,
    higher_is_better: bool,
    wants: str,
    rows: Callable[[Any, Any], Any],  # both as in `without_sums`
    score: Callable[[Array, Array], Array],
    **options: Any,  # further fields of Metric
) -> Metric:
    """Return a metric whose score is a function of sums over the rows."""
    compare = partial(_of_sums, rows=rows, score=score)
    leave_out = partial(without_sums, rows=rows, score=score)
    return Metric(name, higher_is_better, wants, compare, leave_out=leave_out, **options)


def without_pairs(
    positive: Array,  # (n,) bool
    answers: Array,  # (n,) larger for a positive row
    unit: Array,  # (n,) codes
    *,
    n_units: int,
) -> Array:
    """Return the AUC without each of the units; NaN if only one class is left.

    The right pairs of a positive and a negative row are counted by ranks, for each row and within
    each unit. If units are rows, the pseudo-values are the structural components of DeLong.
    Sources: DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated
    receiver operating characteristic curves (1988); Obuchowski, Nonparametric analysis of clustered
    ROC curve data (1997).
    """
    from scipy.stats import rankdata

    ranks = rankdata(answers)
    own = np.empty(len(ranks))  # rank within the row's class
    for rows in (positive, ~positive):
        own[rows] = rankdata(answers[rows])
    n_of = [np.bincount(unit, rows, n_units) for rows in (positive, ~positive)]
    n_positive, n_negative = n_of[0].sum(), n_of[1].sum()
    right = np.where(positive, ranks - own, n_positive - (ranks - own))  # pairs of the row
    starts = np.cumsum(np.bincount(unit, minlength=n_units)) - np.bincount(unit, minlength=n_units)
    within = rankdata(unit * (len(unit) + 1.0) + ranks) - starts[unit]  # rank within the unit
    inside = np.bincount(unit, within * positive, n_units) - n_of[0] * (n_of[0] + 1) / 2
    pairs = right[positive].sum() - np.bincount(unit, right, n_units) + inside
    with np.errstate(divide="ignore", invalid="ignore"):
        return pairs / ((n_positive - n_of[0]) * (n_negative - n_of[1]))


def _of_sums(
    truth: Any,
    answers: Any,
    *,
    rows: Callable[[Any, Any], Any],
    score: Callable[[Array, Array], Array],
) -> float:
    values = rows(truth, answers)
    return float(score(np.atleast_2d(values.sum(0)), np.array([len(truth)]))[0])


def _mean(sums: Array, counts: Array) -> Array:
    return sums[:, 0] / counts


def _scored_again(
    truth: Any, answers: Any, unit: Array, *, score: Callable[[Any, Any], float]
) -> Array:
    without = np.full(unit.max() + 1, np.nan)
    for u in range(len(without)):
        if (keep := unit != u).any():
            with suppress(DataError):
                without[u] = score(truth[keep], answers[keep])
    return without
