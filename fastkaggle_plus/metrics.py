"""Metric by name: an sklearn or scipy function, its direction, and the kind of prediction it wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .exceptions import DataError, UnknownName

Array = np.ndarray[Any, Any]
JACKKNIFE_GROUPS = 100
_MOST_GRADES = 1000  # a wider range of whole numbers is no scale of grades


@dataclass(frozen=True)
class Metric:
    """One way to score predictions."""

    name: str
    higher_is_better: bool
    wants: str  # label | probability | value | ranking
    compare: Callable[[Any, Any], float]  # (truth, answers) as they stand in csv files -> score
    rowwise: Callable[[Any, Any], Array] | None = (
        None  # the same per row, where the score is the mean over rows
    )
    k: int = 0  # answers per row, for a ranking
    takes_any_scale: bool = (
        False  # only the order of the probabilities counts: ranks and logits do as well
    )

    def answers(self, preds: Array) -> Array:
        """Turn model output into what `compare` takes.

        preds: (n, c) probability rows for classes, (n, k) values for a regression.
        A metric on labels gets the likeliest class, or the nearest whole number of a single value.
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
        """Return the score of model output `preds` (n, n_outputs) against `targs`: class codes (n,), or values (n,) or (n, k)."""
        return float(self.compare(np.asarray(targs), self.answers(preds)))

    def per_row(self, targs: Array, preds: Array) -> Array | None:
        """Return (n,) scores whose mean is the score, or None when the metric is not a mean over rows."""
        return (
            None
            if self.rowwise is None
            else np.asarray(self.rowwise(np.asarray(targs), self.answers(preds)), dtype=float)
        )

    def gain(self, new: float, old: float) -> float:
        """Return how much better `new` is than `old`: positive is better, whatever the direction."""
        return new - old if self.higher_is_better else old - new


def _rows(values: Array) -> Array:
    """Mean over the outputs of one row, so that (n, k) and (n,) read alike."""
    return values.reshape(len(values), -1).mean(1)


def _sk(name: str, **kw: Any) -> Callable[[Any, Any], float]:
    def compare(truth: Any, answers: Any) -> float:
        import sklearn.metrics as sk

        return float(getattr(sk, name)(truth, answers, **kw))

    return compare


def _hit(truth: Array, answers: Array) -> Array:
    return np.asarray(np.asarray(truth) == np.asarray(answers), dtype=float)


def _probability_rows(truth: Array, answers: Array) -> Array:
    """Probability given to the true class, rows rescaled to sum to one and clipped, as Kaggle does."""
    answers = np.asarray(answers, dtype=float)
    if answers.ndim == 1:
        answers = np.column_stack([1 - answers, answers])
    answers = np.clip(answers, 0, None) / np.clip(answers, 0, None).sum(1, keepdims=True).clip(
        1e-15
    )
    return np.clip(answers[np.arange(len(answers)), np.asarray(truth, dtype=int)], 1e-15, 1)


def _log_losses(truth: Array, answers: Array) -> Array:
    return -np.log(_probability_rows(truth, answers))


def _auc(truth: Array, answers: Array) -> float:
    """Area under the curve; for several classes the mean over those that occur, each against the others. NaN where there is one class only."""
    from sklearn.metrics import roc_auc_score

    truth, answers = np.asarray(truth), np.asarray(answers, dtype=float)
    if len(np.unique(truth)) < 2:
        return float("nan")
    if answers.ndim == 1:
        return float(roc_auc_score(truth, answers))
    return float(
        np.mean(
            [
                roc_auc_score(truth == c, answers[:, c])
                for c in range(answers.shape[1])
                if (truth == c).any()
            ]
        )
    )


def _quadratic_kappa(truth: Array, answers: Array) -> float:
    """Cohen's kappa with squared distances; a whole number that nobody chose keeps its place between its neighbours."""
    from sklearn.metrics import cohen_kappa_score

    truth, answers = np.asarray(truth), np.asarray(answers)
    if np.array_equal(truth, answers):
        return 1.0  # sklearn divides by zero when there is one class
    labels = None
    if np.issubdtype(truth.dtype, np.number) and np.issubdtype(answers.dtype, np.number):
        both = np.concatenate([truth, answers])
        if (both % 1 == 0).all() and np.ptp(both) < _MOST_GRADES:
            truth, answers, labels = (
                truth.astype(int),
                answers.astype(int),
                np.arange(both.min(), both.max() + 1).astype(int),
            )
    return float(cohen_kappa_score(truth, answers, weights="quadratic", labels=labels))


def _rmsle(truth: Array, answers: Array) -> float:
    if np.min(truth) < 0:
        raise DataError(
            f"rmsle needs targets of zero or more, and the smallest is {np.min(truth)}: use rmse, or shift the target."
        )
    return float(
        np.sqrt(
            np.mean(
                (np.log1p(np.clip(np.asarray(answers, dtype=float), 0, None)) - np.log1p(truth))
                ** 2
            )
        )
    )


def _correlation(name: str) -> Callable[[Any, Any], float]:
    def compare(truth: Any, answers: Any) -> float:
        from scipy import stats

        truth, answers = np.ravel(truth).astype(float), np.ravel(answers).astype(float)
        if np.ptp(truth) == 0 or np.ptp(answers) == 0:
            return 0.0  # a constant explains nothing; scipy would answer NaN
        return float(getattr(stats, name)(truth, answers)[0])

    return compare


def mean_columnwise_rmse(truth: Any, answers: Any) -> float:
    """Return the mean over target columns of each column's root mean squared error; (n,) or (n, k)."""
    truth, answers = (np.asarray(a, dtype=float).reshape(len(a), -1) for a in (truth, answers))
    return float(np.sqrt(((truth - answers) ** 2).mean(0)).mean())


def average_precisions(truth: Sequence[Any], answers: Sequence[Sequence[Any]], k: int) -> Array:
    """Return (n,) average precisions at `k` for one true label a row: 1 / rank of the first hit within `k`, else 0."""
    return np.array(
        [
            next((1 / (i + 1) for i, a in enumerate(list(row)[:k]) if a == t), 0.0)
            for t, row in zip(truth, answers, strict=True)
        ]
    )


def _map_at(k: int) -> Metric:
    return Metric(
        f"map@{k}",
        True,
        "ranking",
        lambda t, a: float(average_precisions(t, a, k).mean()),
        lambda t, a: average_precisions(t, a, k),
        k,
    )


def _error_rows(truth: Array, answers: Array) -> Array:
    return 1 - _hit(truth, answers)


def _absolute_rows(truth: Array, answers: Array) -> Array:
    return _rows(np.abs(np.asarray(truth, dtype=float) - answers))


METRICS: dict[str, Metric] = {
    m.name: m
    for m in [
        Metric("accuracy", True, "label", lambda t, a: float(_hit(t, a).mean()), _hit),
        Metric(
            "error_rate", False, "label", lambda t, a: float(_error_rows(t, a).mean()), _error_rows
        ),
        Metric("balanced_accuracy", True, "label", _sk("balanced_accuracy_score")),
        Metric("f1_macro", True, "label", _sk("f1_score", average="macro", zero_division=0)),
        Metric("quadratic_kappa", True, "label", _quadratic_kappa),
        Metric("auc", True, "probability", _auc, takes_any_scale=True),
        Metric(
            "log_loss",
            False,
            "probability",
            lambda t, a: float(_log_losses(t, a).mean()),
            _log_losses,
        ),
        Metric(
            "mae", False, "value", lambda t, a: float(_absolute_rows(t, a).mean()), _absolute_rows
        ),
        Metric("rmse", False, "value", _sk("root_mean_squared_error")),
        Metric("rmsle", False, "value", _rmsle),
        Metric("mean_columnwise_rmse", False, "value", mean_columnwise_rmse),
        Metric("r2", True, "value", _sk("r2_score")),
        Metric("pearson", True, "value", _correlation("pearsonr")),
        Metric("spearman", True, "value", _correlation("spearmanr")),
        *(_map_at(k) for k in (3, 5, 10)),
    ]
}

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
    """Return the metric called `name` (`map@7` and the like are made on demand); raise UnknownName with near matches."""
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
    """Return values whose mean is the score and whose scatter is its error: (n,) scores of single rows where the score is their mean,
    else jackknife pseudo-values of at most 100 random groups of rows; NaN where a group left out leaves no score.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapter 11; leaving out groups costs 100 scores, not thousands.
    """
    if (rows := metric.per_row(targs, preds)) is not None:
        return rows
    n_groups = min(JACKKNIFE_GROUPS, len(targs))
    group = np.random.default_rng(0).permutation(
        np.arange(len(targs)) % n_groups
    )  # the same rows together for every model
    whole = metric.score(targs, preds)
    without = np.array(
        [
            metric.score(targs[keep], preds[keep]) if (keep := group != g).any() else np.nan
            for g in range(n_groups)
        ]
    )
    return n_groups * whole - (n_groups - 1) * without


def standard_error(values: Array) -> float:
    """Return the standard error of the mean of `values`, NaN left out."""
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def score_se(metric: Metric, targs: Array, preds: Array) -> float:
    """Return the standard error of a score over its rows."""
    return standard_error(pseudo_values(metric, targs, preds))
