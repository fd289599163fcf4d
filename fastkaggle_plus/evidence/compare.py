"""A paired test of two predictions on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..exceptions import DataError
from ..metrics import Metric, get_metric
from ..predictions import Predictions

Array = np.ndarray[Any, Any]
ALPHA = 0.05
POWER = 0.8
RESAMPLES = 2000


@dataclass(frozen=True)
class Comparison:
    "What the difference between two trials is worth."
    a: str
    b: str
    metric: str
    gain: float         # how much better a is than b; positive is better, whatever the metric's direction
    se: float           # standard error of the gain, paired
    p_value: float      # two-sided
    n_rows: int
    test: str           # the test that gave p_value
    wins: int           # rows where a is better
    losses: int         # rows where b is better

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
        return f"{head}: noise, " + (f"needs about {factor:.0f}x the rows" if factor >= 1.5 else "one more repeat may tell")


def compare(a: Predictions, b: Predictions) -> Comparison:
    """Test whether `a` is better than `b` on the rows that both validated, joined by id. Raises DataError.

    Right or wrong per row: exact McNemar test. Another mean over rows: paired t-test. Otherwise (AUC, RMSE, ...): paired bootstrap.
    Source: Dietterich, Approximate statistical tests for comparing supervised classification learning algorithms (1998).
    """
    if a.metric != b.metric:
        raise DataError(f"{a.name} is scored by {a.metric} and {b.name} by {b.metric}. Compare two trials on one metric.")
    b = b.aligned(a.ids, a.test_ids, a.vocab)
    if not np.array_equal(a.targs, b.targs):
        raise DataError(f"{a.name} and {b.name} have other targets for the same ids: they come from different versions of the data.")
    if not (rows := a.validated & b.validated).any():
        raise DataError(f"{a.name} and {b.name} share no validated row. Use one fold assignment for both.")
    metric, targs, pa, pb = get_metric(a.metric), a.targs[rows], a.oof[rows], b.oof[rows]
    gain = metric.gain(metric.score(targs, pa), metric.score(targs, pb))
    each, other = metric.per_row(targs, pa), metric.per_row(targs, pb)
    if each is None or other is None:
        se, p, wins, losses, test = _bootstrap(metric, targs, pa, pb, gain)
    else:
        diff = (each - other) * (1 if metric.higher_is_better else -1)
        wins, losses = int((diff > 0).sum()), int((diff < 0).sum())
        se = float(diff.std(ddof=1) / np.sqrt(len(diff))) if len(diff) > 1 else float("nan")
        p, test = _mcnemar(wins, losses) if set(np.unique(each)) | set(np.unique(other)) <= {0.0, 1.0} else _paired_t(diff)
    return Comparison(a.name, b.name, a.metric, gain, se, p, int(rows.sum()), test, wins, losses)


def _mcnemar(wins: int, losses: int) -> tuple[float, str]:
    from scipy.stats import binomtest

    return (float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0), "exact McNemar"


def _paired_t(diff: Array) -> tuple[float, str]:
    from scipy.stats import ttest_1samp

    return (float(ttest_1samp(diff, 0).pvalue) if len(diff) > 1 and np.ptp(diff) > 0 else 1.0), "paired t"


def _bootstrap(metric: Metric, targs: Array, pa: Array, pb: Array, gain: float) -> tuple[float, float, int, int, str]:
    rng, gains = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        i = rng.integers(0, len(targs), len(targs))
        try:
            gains.append(metric.gain(metric.score(targs[i], pa[i]), metric.score(targs[i], pb[i])))
        except ValueError:  # a resample with one class only has no AUC
            continue
    shifted = np.array(gains) - np.mean(gains)  # the gains as they would scatter if there were none
    p = (1 + int((np.abs(shifted) >= abs(gain)).sum())) / (1 + len(shifted)) if gain else 1.0
    closer = np.abs(pa - _one_hot(targs, pa)).sum(1) - np.abs(pb - _one_hot(targs, pb)).sum(1)
    return float(np.std(gains, ddof=1)), float(p), int((closer < 0).sum()), int((closer > 0).sum()), f"paired bootstrap, {len(gains)} resamples"


def _one_hot(targs: Array, preds: Array) -> Array:
    if np.issubdtype(targs.dtype, np.integer) and preds.shape[1] > 1:
        return np.eye(preds.shape[1])[targs]
    return targs.reshape(len(targs), -1)
