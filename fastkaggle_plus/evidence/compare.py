"""A paired test of two predictions on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import DataError
from ..metrics import get_metric, pseudo_values, standard_error
from ..predictions import Predictions

Array = np.ndarray[Any, Any]
ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Comparison:
    "What the difference between two trials is worth."

    a: str
    b: str
    metric: str
    gain: float  # how much better a is than b; positive is better, whatever the metric's direction
    se: float  # standard error of the gain, paired
    p_value: float  # two-sided
    n_rows: int
    test: str  # the test that gave p_value
    wins: int  # rows, or groups of rows, where a is better
    losses: int  # and where b is

    @property
    def is_noise(self) -> bool:
        "Whether a difference like this is what chance gives (p >= 0.05)."
        return self.p_value >= ALPHA

    @property
    def rows_factor(self) -> float:
        "How many times the rows a gain of this size needs to be found 4 times out of 5 at p < 0.05 (normal approximation)."
        from scipy.stats import norm

        if self.gain == 0 or not np.isfinite(self.se):
            return float("inf")
        return float(((norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) * self.se / abs(self.gain)) ** 2)

    def __str__(self) -> str:
        head = f"{self.gain:+.3f}, paired p = {self.p_value:.2g}"
        if not self.is_noise:
            return f"{head}: {self.a if self.gain > 0 else self.b} is better"
        factor = self.rows_factor
        if not np.isfinite(factor):
            return f"{head}: noise, no number of rows would tell"
        return f"{head}: noise, " + (
            f"needs about {factor:.0f}x the rows" if factor >= 1.5 else "one more repeat may tell"
        )


def compare(a: Predictions, b: Predictions) -> Comparison:
    """Test whether `a` is better than `b` on the rows that both validated, joined by id. Raises DataError.

    Right or wrong per row: exact McNemar test. Another mean over rows: paired t-test. Otherwise (AUC, RMSE, ...): paired t-test on jackknife
    pseudo-values. Source: Dietterich, Approximate statistical tests for comparing supervised classification learning algorithms (1998).
    """
    if a.metric != b.metric:
        raise DataError(
            f"{a.name} is scored by {a.metric} and {b.name} by {b.metric}. Compare two trials on one metric."
        )
    b = b.aligned(a.ids, a.test_ids, a.vocab)
    if not np.array_equal(a.targs, b.targs):
        raise DataError(
            f"{a.name} and {b.name} have other targets for the same ids: they come from different versions of the data."
        )
    if not (rows := a.validated & b.validated).any():
        raise DataError(
            f"{a.name} and {b.name} share no validated row. Use one fold assignment for both."
        )
    metric = get_metric(a.metric)
    diff = _values(a, rows) - _values(b, rows)
    diff = diff[~np.isnan(diff)] * (1 if metric.higher_is_better else -1)
    gain = metric.gain(
        metric.score(a.targs[rows], a.oof[rows]), metric.score(b.targs[rows], b.oof[rows])
    )
    wins, losses, counted = int((diff > 0).sum()), int((diff < 0).sum()), np.unique(np.abs(diff))
    if metric.rowwise is None:
        p, test = _paired_t(diff), "paired t on jackknife pseudo-values"
    elif metric.wants == "label" and set(counted) <= {0.0, 1.0}:
        p, test = _mcnemar(wins, losses), "exact McNemar"
    else:
        p, test = _paired_t(diff), "paired t"
    return Comparison(
        a.name, b.name, a.metric, gain, standard_error(diff), p, int(rows.sum()), test, wins, losses
    )


def _values(preds: Predictions, rows: Array) -> Array:
    "The predictions' values by row or group of rows, on these rows alone."
    if np.array_equal(rows, preds.validated):
        return preds.pseudo_values  # kept from an earlier comparison
    return pseudo_values(get_metric(preds.metric), preds.targs[rows], preds.oof[rows])


def _mcnemar(wins: int, losses: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _paired_t(diff: Array) -> float:
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(diff, 0).pvalue) if len(diff) > 1 and np.ptp(diff) > 0 else 1.0
