"""Metrics by name: the score function, its direction, and the kind of prediction it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .exceptions import DataError, UnknownName

Array = np.ndarray[Any, Any]
JACKKNIFE_GROUPS = 100
_MOST_GRADES = 1000  # a wider range of whole numbers is not a scale of grades


@dataclass(frozen=True)
class Metric:
    """One way to score predictions."""

    name: str
    higher_is_better: bool
    wants: str  # label | probability | value | ranking
    compare: Callable[[Any, Any], float]  # (truth, answers) as written in csv files -> score
    rowwise: Callable[[Any, Any], Array] | None = None  # score of each row, if their mean counts
    k: int = 0  # answers per row, for a ranking
    takes_any_scale: bool = False  # only the order counts, so ranks and logits are valid answers

    def answers(self, preds: Array) -> Array:
        """Convert model output to the answers that `compare` takes.

        preds: (n, c) probability rows for classes, (n, k) values for a regression.
        Labels are the likeliest class, or the whole number nearest to a single value.
        """
        preds = np.asarray(preds, dtype=float).reshape(len(preds), -1)
        if self.wants == "label":
            return preds.argmax(1) if preds.shape[1] > 1 else np.rint(preds[:, 0]).astype(int)
        if self.wants == "ranking":
            return np.argsort(-preds, axis=1, kind="stable")[:, : self.k]
        if self.wants == "probability" and preds.shape[1] == 2:
            return preds[:, 1]
        return preds[:, 0] if preds.shape[1] == 1 else preds

    def score(self, targs: Array, preds: Array) -> float:
        """Score model output (n, n_outputs) against class codes (n,), or values (n,) or (n, k)."""
        return float(self.compare(np.asarray(targs), self.answers(preds)))

    def per_row(self, targs: Array, preds: Array) -> Array | None:
        """Return (n,) scores whose mean is the score; None if the metric is not such a mean."""
        if self.rowwise is None:
            return None
        return np.asarray(self.rowwise(np.asarray(targs), self.answers(preds)), dtype=float)

    def gain(self, new: float, old: float) -> float:
        """Return how much better `new` is than `old`; positive is better for every metric."""
        return new - old if self.higher_is_better else old - new


def _sk(name: str, truth: Any, answers: Any, **options: Any) -> float:
    import sklearn.metrics

    return float(getattr(sklearn.metrics, name)(truth, answers, **options))


def _hits(truth: Array, answers: Array) -> Array:
    return np.asarray(np.asarray(truth) == np.asarray(answers), dtype=float)


def _log_losses(truth: Array, answers: Array) -> Array:
    """Return the log loss of each row, rescaled and clipped as on Kaggle."""
    answers = np.asarray(answers, dtype=float)
    if answers.ndim == 1:
        answers = np.column_stack([1 - answers, answers])
    answers = np.clip(answers, 0, None)
    answers = answers / answers.sum(1, keepdims=True).clip(1e-15)
    of_truth = answers[np.arange(len(answers)), np.asarray(truth, dtype=int)]
    return -np.log(np.clip(of_truth, 1e-15, 1))


def _auc(truth: Array, answers: Array) -> float:
    """Return the area under the curve; for several classes the mean of each against the others.

    Classes without rows are skipped; NaN if there is only one class.
    """
    from sklearn.metrics import roc_auc_score

    truth, answers = np.asarray(truth), np.asarray(answers, dtype=float)
    if len(np.unique(truth)) < 2:
        return float("nan")
    if answers.ndim == 1:
        return float(roc_auc_score(truth, answers))
    present = [c for c in range(answers.shape[1]) if (truth == c).any()]
    return float(np.mean([roc_auc_score(truth == c, answers[:, c]) for c in present]))


def _quadratic_kappa(truth: Array, answers: Array) -> float:
    """Return Cohen's kappa with squared distances; whole numbers without rows keep their place."""
    from sklearn.metrics import cohen_kappa_score

    truth, answers = np.asarray(truth), np.asarray(answers)
    if np.array_equal(truth, answers):
        return 1.0  # sklearn divides by zero if there is one class
    labels = None
    if np.issubdtype(truth.dtype, np.number) and np.issubdtype(answers.dtype, np.number):
        both = np.concatenate([truth, answers])
        if (both % 1 == 0).all() and np.ptp(both) < _MOST_GRADES:
            truth, answers = truth.astype(int), answers.astype(int)
            labels = np.arange(both.min(), both.max() + 1).astype(int)
    return float(cohen_kappa_score(truth, answers, weights="quadratic", labels=labels))


def _rmsle(truth: Array, answers: Array) -> float:
    if np.min(truth) < 0:
        raise DataError(
            f"rmsle needs targets of zero or more, and the smallest is {np.min(truth)}: use rmse, "
            "or shift the target."
        )
    logs = np.log1p(np.clip(np.asarray(answers, dtype=float), 0, None))
    return float(np.sqrt(np.mean((logs - np.log1p(truth)) ** 2)))


def _correlation(name: str, truth: Any, answers: Any) -> float:
    from scipy import stats

    truth, answers = np.ravel(truth).astype(float), np.ravel(answers).astype(float)
    if np.ptp(truth) == 0 or np.ptp(answers) == 0:
        return 0.0  # a constant explains nothing; scipy would return NaN
    return float(getattr(stats, name)(truth, answers)[0])


def mean_columnwise_rmse(truth: Any, answers: Any) -> float:
    """Return the mean of the root mean squared errors of the target columns; (n,) or (n, k)."""
    truth, answers = (np.asarray(a, dtype=float).reshape(len(a), -1) for a in (truth, answers))
    return float(np.sqrt(((truth - answers) ** 2).mean(0)).mean())


def average_precisions(truth: Sequence[Any], answers: Sequence[Sequence[Any]], k: int) -> Array:
    """Return (n,) average precisions at `k` for one true label a row.

    That is 1 / rank of the first correct answer within `k`, else 0.
    """

    def precision(label: Any, row: Sequence[Any]) -> float:
        return next((1 / (i + 1) for i, a in enumerate(list(row)[:k]) if a == label), 0.0)

    return np.array([precision(t, row) for t, row in zip(truth, answers, strict=True)])


def _mean_metric(
    name: str,
    higher_is_better: bool,
    wants: str,
    rowwise: Callable[[Any, Any], Array],
    *,
    k: int = 0,
) -> Metric:
    """Return a metric whose score is the mean of the scores of the rows."""

    def compare(truth: Any, answers: Any) -> float:
        return float(rowwise(truth, answers).mean())

    return Metric(name, higher_is_better, wants, compare, rowwise, k)


def _map_at(k: int) -> Metric:
    rowwise = partial(average_precisions, k=k)
    return _mean_metric(f"map@{k}", True, "ranking", rowwise, k=k)


def _absolute_rows(truth: Array, answers: Array) -> Array:
    errors = np.abs(np.asarray(truth, dtype=float) - answers)
    return errors.reshape(len(errors), -1).mean(1)  # the mean over several targets


_METRICS = (
    _mean_metric("accuracy", True, "label", _hits),
    _mean_metric("error_rate", False, "label", lambda *rows: 1 - _hits(*rows)),
    Metric("balanced_accuracy", True, "label", partial(_sk, "balanced_accuracy_score")),
    Metric("f1_macro", True, "label", partial(_sk, "f1_score", average="macro", zero_division=0)),
    Metric("quadratic_kappa", True, "label", _quadratic_kappa),
    Metric("auc", True, "probability", _auc, takes_any_scale=True),
    _mean_metric("log_loss", False, "probability", _log_losses),
    _mean_metric("mae", False, "value", _absolute_rows),
    Metric("rmse", False, "value", partial(_sk, "root_mean_squared_error")),
    Metric("rmsle", False, "value", _rmsle),
    Metric("mean_columnwise_rmse", False, "value", mean_columnwise_rmse),
    Metric("r2", True, "value", partial(_sk, "r2_score")),
    Metric("pearson", True, "value", partial(_correlation, "pearsonr")),
    Metric("spearman", True, "value", partial(_correlation, "spearmanr")),
    *(_map_at(k) for k in (3, 5, 10)),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}

ALIASES = {
    "map@k": "map@5",
    "mcrmse": "mean_columnwise_rmse",
    "roc_auc": "auc",
    "qwk": "quadratic_kappa",
    "logloss": "log_loss",
    "quadratic_weighted_kappa": "quadratic_kappa",
    "roc_auc_score": "auc",
    "mean_absolute_error": "mae",
    "f1": "f1_macro",
    "error": "error_rate",
}


def get_metric(name: str) -> Metric:
    """Return a metric by name, `map@k` for any k. Raises UnknownName with near matches."""
    name = ALIASES.get(str(name), str(name))
    if name.startswith("map@") and name[4:].isdigit() and int(name[4:]) > 0:
        return METRICS.get(name) or _map_at(int(name[4:]))
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    return METRICS[name]


def pseudo_values(
    metric: Metric,
    targs: Array,  # (n,) class codes, or (n,) or (n, k) values
    preds: Array,  # (n, n_outputs)
) -> Array:
    """Return values whose mean is the score and whose scatter is its error.

    These are the (n,) scores of the rows if the score is their mean, else jackknife pseudo-values
    of at most 100 random groups of rows; NaN if there is no score without a group.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 11; leaving out groups
    needs 100 scores, not thousands.
    """
    if (rows := metric.per_row(targs, preds)) is not None:
        return rows
    n_groups = min(JACKKNIFE_GROUPS, len(targs))
    # the same groups for every model
    group = np.random.default_rng(0).permutation(np.arange(len(targs)) % n_groups)
    whole = metric.score(targs, preds)
    without = np.full(n_groups, np.nan)
    for g in range(n_groups):
        if (keep := group != g).any():
            without[g] = metric.score(targs[keep], preds[keep])
    return n_groups * whole - (n_groups - 1) * without


def standard_error(values: Array) -> float:
    """Return the standard error of the mean of `values`, without NaN."""
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
