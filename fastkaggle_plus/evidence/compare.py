"""A paired test of two fits: the predictions of two trained models on the same rows."""

from dataclasses import dataclass

import numpy as np

from ..data import Array
from ..exceptions import DataError
from ..metrics import Metric, pseudo_values, standard_error
from ..predictions import Predictions
from ..ui.records import Shown

ALPHA = 0.05
LEAST_ROWS = 10  # of the rarer class, for a metric that is no mean over rows
_ROUNDING = 1e-9  # of a score: smaller differences are errors of rounding
_BY_PAIRS = ("auc", "gini")


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """The difference between two fits: these trained models, on rows like these."""

    a: str
    b: str
    metric: str
    gain: float  # by how much a is better than b; positive is better for every metric
    se: float  # standard error of the gain, paired
    p_value: float  # two-sided; 1 if there is no test
    n_rows: int
    test: str  # the test of p_value; "no test: " and the reason
    wins: int  # units where a is better
    losses: int  # units where b is better
    a_score: float  # of the rows that both validated
    b_score: float
    higher_is_better: bool
    n_units: int  # rows, or groups of rows that depend on each other

    @property
    def is_noise(self) -> bool:
        """Whether the two cannot be told apart (p >= 0.05)."""
        return self.p_value >= ALPHA

    @property
    def verdict(self) -> str:
        """Of a against b: better | worse | cannot be told apart."""
        if self.is_noise:
            return "cannot be told apart"
        return "better" if self.gain > 0 else "worse"

    def _facts(self) -> dict[str, object]:
        direction = "higher" if self.higher_is_better else "lower"
        groups = f" in {self.n_units} groups" if self.n_units < self.n_rows else ""
        return {
            "metric": f"{self.metric}, {direction} is better",
            "first": f"{self.a} {self.a_score:.4f}",
            "second": f"{self.b} {self.b_score:.4f}",
            "difference": f"{self.gain:+.4f} ± {self.se:.4f}, positive if the first is better",
            "test": self._test(),
            "verdict": f"{self._verdict()} (of these fits)",
            "rows": f"{self.n_rows}{groups}; better {self.wins}, worse {self.losses}",
        }

    def __str__(self) -> str:
        decimals = 3 if abs(self.gain) >= 0.001 or not self.gain else 5
        scores = [f"{s:.{decimals}f}" for s in (self.a_score, self.b_score)]
        gain = f"{abs(self.gain):+.{decimals}f} for {self.a if self.gain > 0 else self.b}"
        direction = "higher" if self.higher_is_better else "lower"
        return (
            f"{self.a} {scores[0]} vs {self.b} {scores[1]} ({self.metric}, {direction} is better): "
            f"{gain if self.gain else 'no difference'}, {self._test()}. "
            f"Of these fits: {self._verdict()}"
        )

    def _test(self) -> str:
        if self.test.startswith("no test"):
            return self.test
        return f"p = {self.p_value:.2g} ({self.test})"

    def _verdict(self) -> str:
        if self.is_noise:
            return self.verdict
        return f"{self.a if self.gain > 0 else self.b} is better"


def compare(a: Predictions, b: Predictions) -> Comparison:
    """Test whether `a` is better than `b` on the rows that both validated, joined by id.

    The answer is about these fits, trained once on one split. Whether the better way to train wins
    again is a question about recipes: see `compare_recipes`.

    The test is McNemar's mid-p test where a row is right or wrong; otherwise gain / se is compared
    with Student's t, where the error comes from the pseudo-values of the units: rows, groups of
    rows, or blocks of time. For the AUC this is the test of DeLong. With fewer than ten rows (or
    groups) of the rarer class there is no test, and the two cannot be told apart. Raises DataError
    when the two have different metrics, rows or targets.
    Sources: Fagerland, Lydersen and Laake, The McNemar test for binary matched-pairs data: mid-p
    and asymptotic are better than exact conditional (2013); DeLong et al. (1988); for groups, the
    jackknife of MacKinnon, Nielsen and Webb, Cluster-robust inference (2023).
    """
    b = b.aligned_with(a)
    rows = a.validated & b.validated
    if not rows.any():
        raise DataError(
            f"Cannot compare {a.name} with {b.name}: they share no validated row. "
            "Use one fold assignment for both."
        )
    metric, groups = a.scoring, b.groups if a.groups is None else a.groups
    first, second = (metric.score(preds.targs[rows], preds.oof[rows]) for preds in (a, b))
    gain = metric.gain(first, second)
    diff = _values(a, rows, groups) - _values(b, rows, groups)
    diff = np.where(np.abs(diff) <= _ROUNDING * abs(first), 0, diff)
    diff *= 1 if metric.higher_is_better else -1
    wins, losses = int((diff > 0).sum()), int((diff < 0).sum())
    is_hit = metric.wants == "label" and set(np.unique(np.abs(diff))) <= {0.0, 1.0}
    units = np.arange(len(rows)) if groups is None else groups
    if reason := why_no_test(diff, metric, a.targs[rows], units[rows], has_classes=bool(a.vocab)):
        p, test = 1.0, f"no test: {reason}"
    elif groups is None and metric.rowwise is not None:
        p, test = _paired_t(gain, diff, len(diff) - 1), "paired t"
        if is_hit:
            p, test = _mid_p(wins, losses), "mid-p McNemar"
    else:
        p, test = _paired_t(gain, diff, _degrees(diff)), f"paired t of {len(diff)} groups"
        if groups is None:
            test = "DeLong" if metric.name in _BY_PAIRS else "paired t on jackknife pseudo-values"
    facts = gain, standard_error(diff), p, int(rows.sum()), test, wins, losses, first, second
    return Comparison(a.name, b.name, a.metric, *facts, metric.higher_is_better, len(diff))


def _values(preds: Predictions, rows: Array, groups: Array | None) -> Array:
    """Return the pseudo-values of the predictions on these rows."""
    if np.array_equal(rows, preds.validated) and (groups is None or preds.groups is not None):
        return preds.pseudo_values  # cached by an earlier comparison
    of_rows = None if groups is None else groups[rows]
    return pseudo_values(preds.scoring, preds.targs[rows], preds.oof[rows], of_rows)


def why_no_test(
    diff: Array, metric: Metric, targs: Array, units: Array, *, has_classes: bool
) -> str:
    """Return the reason why these rows are too few for a test; "" if they are enough."""
    if len(diff) < 2:
        return f"{len(diff)} row or group of rows"
    if metric.rowwise is None and has_classes:
        is_largest = targs == np.bincount(targs).argmax()
        fewest = min(len(np.unique(units[rows])) for rows in (is_largest, ~is_largest))
        if fewest < LEAST_ROWS:
            of = "rows" if len(np.unique(units)) == len(units) else "groups with rows"
            return f"{fewest} {of} of the rarer class, at least {LEAST_ROWS} are needed"
    return f"{metric} has no value without some rows" if np.isnan(diff).any() else ""


def _mid_p(wins: int, losses: int) -> float:
    """Return the two-sided mid-p value of a sign test: half the weight of the observed outcome."""
    from scipy.stats import binom

    n, k = wins + losses, min(wins, losses)
    return float(2 * binom.cdf(k, n, 0.5) - binom.pmf(k, n, 0.5)) if wins != losses else 1.0


def _paired_t(gain: float, diff: Array, degrees: float) -> float:
    """Return the two-sided p-value of gain / se, with these degrees of freedom."""
    from scipy.stats import t

    return float(2 * t.sf(abs(gain) / standard_error(diff), degrees)) if np.ptp(diff) else 1.0


def _degrees(diff: Array) -> float:
    """Return the degrees of freedom of the variance of the units, at most their number - 1.

    A few units may carry most of it, such as the rows of a rare class or large groups. Source:
    Satterthwaite (1946): 2 / (relative variance of the variance), here from the kurtosis.
    """
    squares = (diff - diff.mean()) ** 2
    kurtosis = (squares**2).mean() / max(squares.mean() ** 2, 1e-300)
    return float(min(len(diff) - 1, 2 * len(diff) / max(kurtosis - 1, 1e-9)))
