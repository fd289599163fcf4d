"""Metrics of predicted labels."""

from functools import partial
from typing import Any

import numpy as np

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


def _f1(average: str) -> Metric:
    scored: Any = partial(f1, average=average)
    return Metric(f"f1_{average}", True, "label", scored, tasks=CLASSES)


LABEL_METRICS = (
    mean_metric("accuracy", True, "label", hits),
    mean_metric("error_rate", False, "label", misses),
    Metric("balanced_accuracy", True, "label", balanced_accuracy, tasks=CLASSES),
    Metric("f1", True, "label", f1, tasks=("binary",)),
    *(_f1(average) for average in ("macro", "micro", "weighted")),
    Metric("mcc", True, "label", mcc, tasks=CLASSES),
    Metric("cohen_kappa", True, "label", kappa),
    Metric("quadratic_kappa", True, "label", partial(kappa, weights="quadratic")),
)
