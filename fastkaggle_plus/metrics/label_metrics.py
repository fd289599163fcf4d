"""Metrics of predicted labels."""

from functools import partial
from typing import Any

import numpy as np

from .jackknife import by_sums
from .metric import CLASSES, Array, Metric, mean_metric

_MOST_GRADES = 1000  # a wider range of whole numbers is not a scale of grades


def hits(truth: Array, answers: Array) -> Array:
    """Return 1 for each right label, else 0."""
    return np.asarray(np.asarray(truth) == np.asarray(answers), dtype=float)


def misses(truth: Array, answers: Array) -> Array:
    """Return 1 for each wrong label, else 0."""
    return 1 - hits(truth, answers)


def balanced_accuracy(truth: Array, answers: Array) -> float:
    """Return the mean, over the classes in the truth, of the share of their rows that are right."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(truth, answers))


def f1(truth: Array, answers: Array, *, average: str = "binary") -> float:
    """Return F1 = 2 TP / (2 TP + FP + FN).

    average="binary" counts the positive class, of code 1, only. "macro" is the mean of the F1 of
    all classes, "weighted" the same with the classes' true rows as weights, and "micro" the F1 of
    the counts of all classes together: for one label a row it equals the accuracy.
    A class without true and predicted rows has the F1 0.
    """
    from sklearn.metrics import f1_score

    return float(f1_score(truth, answers, average=average, zero_division=0))


def mcc(truth: Array, answers: Array) -> float:
    """Return Matthews' correlation of true and predicted classes, -1 to 1; two classes or more.

    For two: (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)).
    It is 0 if all true or all predicted labels are one class.
    """
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(truth, answers))


def kappa(truth: Array, answers: Array, *, weights: str | None = None) -> float:
    """Return Cohen's kappa, 1 - (weighted disagreement) / (the same by chance).

    weights=None counts every disagreement as 1. "quadratic" counts the squared distance of the two
    labels; whole numbers without rows keep their place on the scale. It is 1 if all labels agree.
    """
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
    return float(cohen_kappa_score(truth, answers, weights=weights, labels=labels))


def _class_rows(truth: Array, answers: Array) -> Any:
    """Return a sparse (n, 3 c): for each class, whether it is true, predicted, and both."""
    from scipy import sparse

    n = len(truth)
    classes, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    both = np.where(codes[:n] == codes[n:])[0]
    columns = [codes[:n], codes[n:] + len(classes), codes[both] + 2 * len(classes)]
    rows = np.concatenate([np.arange(n), np.arange(n), both])
    where = rows, np.concatenate(columns)
    return sparse.csr_array((np.ones(len(rows)), where), (n, 3 * len(classes)))


def _positive_rows(truth: Array, answers: Array) -> Array:
    """Return for each row whether the positive class is true, predicted, and both."""
    truth, answers = np.asarray(truth) == 1, np.asarray(answers) == 1
    return np.column_stack([truth, answers, truth & answers]).astype(float)


def _f1_scores(sums: Array, counts: Array, *, average: str) -> Array:
    """Return the F1 of sums of `_class_rows`; the classes are those with a row, as in sklearn."""
    true, predicted, both = np.split(sums, 3, axis=1)
    scores = 2 * both / np.where(true + predicted > 0, true + predicted, np.nan)
    weights = true if average == "weighted" else true + predicted > 0
    return np.asarray(np.nansum(weights * scores, axis=1) / weights.sum(1))


def _f1_of_positive(sums: Array, counts: Array) -> Array:
    true, predicted, both = sums.T
    return np.asarray(2 * both / (true + predicted).clip(1))


def _recalls(sums: Array, counts: Array) -> Array:
    """Return the balanced accuracy of sums of `_class_rows`."""
    true, _, both = np.split(sums, 3, axis=1)
    return np.asarray(np.where(true > 0, both / true.clip(1), 0).sum(1) / (true > 0).sum(1))


def _class_correlations(sums: Array, counts: Array) -> Array:
    """Return Matthews' correlation of sums of `_class_rows`."""
    true, predicted, both = np.split(sums / counts[:, None], 3, axis=1)
    chance = (true * predicted).sum(1)
    scale = (1 - (true**2).sum(1)) * (1 - (predicted**2).sum(1))
    return np.where(scale > 0, (both.sum(1) - chance) / np.sqrt(np.where(scale > 0, scale, 1)), 0)


def _kappas(sums: Array, counts: Array) -> Array:
    """Return Cohen's kappa of sums of `_class_rows`."""
    true, predicted, both = np.split(sums / counts[:, None], 3, axis=1)
    chance = (true * predicted).sum(1)
    return np.where(chance < 1, 1 - (1 - both.sum(1)) / (1 - chance), 1)


def _grade_rows(truth: Array, answers: Array) -> Array:
    """Return y, p, yy, pp and the squared difference of each row, with y and p around one value."""
    y, p = np.asarray(truth, dtype=float), np.asarray(answers, dtype=float)
    y, p = y - y.mean(), p - y.mean()
    return np.column_stack([y, p, y * y, p * p, (y - p) ** 2])


def _quadratic_kappas(sums: Array, counts: Array) -> Array:
    y, p, yy, pp, differences = sums.T / counts
    by_chance = yy + pp - 2 * y * p
    return np.where(by_chance > 1e-12, 1 - differences / by_chance.clip(1e-12), 1)


def _f1(average: str) -> Metric:
    scored: Any = partial(f1, average=average)
    leave_out = by_sums(_class_rows, partial(_f1_scores, average=average))
    return Metric(f"f1_{average}", True, "label", scored, tasks=CLASSES, leave_out=leave_out)


LABEL_METRICS = (
    mean_metric("accuracy", True, "label", hits),
    mean_metric("error_rate", False, "label", misses),
    Metric(
        "balanced_accuracy",
        True,
        "label",
        balanced_accuracy,
        tasks=CLASSES,
        leave_out=by_sums(_class_rows, _recalls),
    ),
    Metric(
        "f1",
        True,
        "label",
        f1,
        tasks=("binary",),
        leave_out=by_sums(_positive_rows, _f1_of_positive),
    ),
    mean_metric("f1_micro", True, "label", hits, tasks=CLASSES),  # one label a row: the accuracy
    *(_f1(average) for average in ("macro", "weighted")),
    Metric(
        "mcc",
        True,
        "label",
        mcc,
        tasks=CLASSES,
        leave_out=by_sums(_class_rows, _class_correlations),
    ),
    Metric("cohen_kappa", True, "label", kappa, leave_out=by_sums(_class_rows, _kappas)),
    Metric(
        "quadratic_kappa",
        True,
        "label",
        partial(kappa, weights="quadratic"),
        leave_out=by_sums(_grade_rows, _quadratic_kappas),
    ),
)
