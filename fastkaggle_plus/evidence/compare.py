"""A paired test of two trials' predictions on the same rows."""

from dataclasses import dataclass

import numpy as np

from ..exceptions import DataError
from ..metrics import pseudo_values, standard_error
from ..predictions import Predictions
from ..ui.records import Shown

ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The difference between two trials, and whether chance alone explains it."""

    a: str
    b: str
    metric: str
    gain: float  # by how much a is better than b; positive is better for every metric
    se: float  # standard error of the gain, paired
    p_value: float  # two-sided
    n_rows: int
    test: str  # the test that gave p_value
    wins: int  # rows, or groups of rows, where a is better
    losses: int  # rows, or groups of rows, where b is better
    a_score: float  # of the rows that both validated
    b_score: float
    higher_is_better: bool

    @property
    def is_noise(self) -> bool:
        """Whether chance alone may explain the difference (p >= 0.05)."""
        return self.p_value >= ALPHA

    @property
    def rows_factor(self) -> float:
        """How many times the rows are needed to detect this gain with 80% power at p < 0.05.

        A normal approximation.
        """
        from scipy.stats import norm

        if self.gain == 0 or not np.isfinite(self.se):
            return float("inf")
        return float(((norm.ppf(1 - ALPHA / 2) + norm.ppf(POWER)) * self.se / abs(self.gain)) ** 2)

    def _facts(self) -> dict[str, object]:
        direction = "higher" if self.higher_is_better else "lower"
        return {
            "metric": f"{self.metric}, {direction} is better",
            "first": f"{self.a} {self.a_score:.4f}",
            "second": f"{self.b} {self.b_score:.4f}",
            "difference": f"{self.gain:+.4f} ± {self.se:.4f}, positive if the first is better",
            "p": f"{self.p_value:.2g} ({self.test})",
            "verdict": self._verdict(),
            "rows": f"{self.n_rows}; better {self.wins}, worse {self.losses}",
        }

    def __str__(self) -> str:
        decimals = 3 if abs(self.gain) >= 0.001 or not self.gain else 5
        scores = [f"{s:.{decimals}f}" for s in (self.a_score, self.b_score)]
        gain = f"{abs(self.gain):+.{decimals}f} for {self.a if self.gain > 0 else self.b}"
        direction = "higher" if self.higher_is_better else "lower"
        return (
            f"{self.a} {scores[0]} vs {self.b} {scores[1]} ({self.metric}, {direction} is better): "
            f"{gain if self.gain else 'no difference'}, p = {self.p_value:.2g}: {self._verdict()}"
        )

    def _verdict(self) -> str:
        if not self.is_noise:
            return "more than noise"
        factor = self.rows_factor
        if not np.isfinite(factor):
            return "noise, more rows would not help"
        if factor >= 1.5:
            return f"noise, needs about {factor:.0f} times as many rows"
        return "noise, one more repeat may be enough"


def compare(a: Predictions, b: Predictions) -> Comparison:
    """Test whether `a` is better than `b` on the rows that both validated, joined by id.

    Where a row is right or wrong, the test is an exact McNemar test. For another mean over rows it
    is a paired t-test, and for all other metrics (AUC, RMSE, ...) a paired t-test on jackknife
    pseudo-values. Raises DataError when the two have different metrics, rows or targets. Source:
    Dietterich, Approximate statistical tests for comparing supervised classification learning
    algorithms (1998).
    """
    if a.metric != b.metric:
        raise DataError(
            f"Cannot compare {a.name}, scored by {a.metric}, with {b.name}, scored by {b.metric}. "
            "Compare two trials on one metric."
        )
    b = b.aligned(a.ids, a.test_ids, a.vocab)
    if not np.array_equal(a.targs, b.targs):
        raise DataError(
            f"Cannot compare {a.name} with {b.name}: they have different targets for the same ids, "
            "so they come from different versions of the data. Run both on the same data."
        )
    rows = a.validated & b.validated
    if not rows.any():
        raise DataError(
            f"Cannot compare {a.name} with {b.name}: they share no validated row. "
            "Use one fold assignment for both."
        )
    metric = a.scoring
    diff = _values(a, rows) - _values(b, rows)
    diff = diff[~np.isnan(diff)] * (1 if metric.higher_is_better else -1)
    wins, losses = int((diff > 0).sum()), int((diff < 0).sum())
    if metric.rowwise is None:
        p, test = _paired_t(diff), "paired t on jackknife pseudo-values"
    elif metric.wants == "label" and set(np.unique(np.abs(diff))) <= {0.0, 1.0}:
        p, test = _mcnemar(wins, losses), "exact McNemar"
    else:
        p, test = _paired_t(diff), "paired t"
    first, second = (metric.score(preds.targs[rows], preds.oof[rows]) for preds in (a, b))
    gain, se, n_rows = metric.gain(first, second), standard_error(diff), int(rows.sum())
    facts = gain, se, p, n_rows, test, wins, losses, first, second, metric.higher_is_better
    return Comparison(a.name, b.name, a.metric, *facts)


def _values(preds: Predictions, rows: np.ndarray) -> np.ndarray:
    """Return the predictions' values per row, or per group of rows, on these rows only."""
    if np.array_equal(rows, preds.validated):
        return preds.pseudo_values  # cached by an earlier comparison
    return pseudo_values(preds.scoring, preds.targs[rows], preds.oof[rows])


def _mcnemar(wins: int, losses: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def _paired_t(diff: np.ndarray) -> float:
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(diff, 0).pvalue) if len(diff) > 1 and np.ptp(diff) > 0 else 1.0
