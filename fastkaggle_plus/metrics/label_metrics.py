"""Metrics of predicted labels."""

from functools import partial
from typing import Any

import numpy as np

from .jackknife import sum_metric
from .metric import CLASSES, Array, mean_metric

_MOST_GRADES = 1000  # a wider range of whole numbers is not a scale of grades


def hits(truth: Array, answers: Array) -> Array:
    """Return 1 for each right label, else 0."""
    return np.asarray(np.asarray(truth) == np.asarray(answers), dtype=float)


def misses(truth: Array, answers: Array) -> Array:
    """Return 1 for each wrong label, else 0."""
    return 1 - hits(truth, answers)


def _class_rows(truth: Any, answers: Any) -> Any:
    """Return a sparse (n, 3 c): for each class, whether it is true, predicted, and both."""
    from scipy import sparse

    classes, codes = np.unique(np.concatenate([truth, answers]), return_inverse=True)
    n, c = len(truth), len(classes)
    true, predicted = codes[:n], codes[n:] + c
    both = np.flatnonzero(true + c == predicted)
    rows = np.concatenate([np.arange(n), np.arange(n), both])
    columns = np.concatenate([true, predicted, predicted[both] + c])
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), (n, 3 * c))


def _balanced_accuracy(sums: Array, counts: Array) -> Array:
    """Return the mean, over the classes in the truth, of the share of their rows that are right."""
    true, _, both = np.split(sums, 3, axis=1)
    return np.asarray((both / true.clip(1)).sum(1) / (true > 0).sum(1))


def _f1(sums: Array, counts: Array, *, by: str) -> Array:
    """Return F1 = 2 TP / (2 TP + FP + FN) of all classes.

    "macro" is their mean, "weighted" has the classes' true rows as weights. A class without true
    and predicted rows does not count.
    """
    true, predicted, both = np.split(sums, 3, axis=1)
    weights = true if by == "weighted" else true + predicted > 0
    return np.asarray((weights * 2 * both / (true + predicted).clip(1)).sum(1) / weights.sum(1))


def _mcc(sums: Array, counts: Array) -> Array:
    """Return Matthews' correlation of true and predicted classes, -1 to 1; two classes or more.

    For two: (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)).
    It is 0 if all true or all predicted labels are one class.
    """
    true, predicted, both = np.split(sums / counts[:, None], 3, axis=1)
    scale = (1 - (true**2).sum(1)) * (1 - (predicted**2).sum(1))
    excess = both.sum(1) - (true * predicted).sum(1)
    return np.where(scale > 1e-12, excess / np.sqrt(scale.clip(1e-12)), 0)


def _kappa(sums: Array, counts: Array) -> Array:
    """Return Cohen's kappa, 1 - disagreement / (the same by chance); 1 if all labels agree."""
    true, predicted, both = np.split(sums / counts[:, None], 3, axis=1)
    by_chance = 1 - (true * predicted).sum(1)
    return np.where(by_chance > 1e-12, 1 - (1 - both.sum(1)) / by_chance.clip(1e-12), 1)


def _positive_rows(truth: Any, answers: Any) -> Array:
    """Return whether the positive class, of code 1, is true, predicted, and both."""
    true, predicted = np.asarray(truth) == 1, np.asarray(answers) == 1
    return np.column_stack([true, predicted, true & predicted]).astype(float)


def _f1_of_positive(sums: Array, counts: Array) -> Array:
    """Return F1 = 2 TP / (2 TP + FP + FN) of the positive class; 0 without true or predicted."""
    true, predicted, both = sums.T
    return np.asarray(2 * both / (true + predicted).clip(1))


def _grade_rows(truth: Any, answers: Any) -> Array:
    """Return the grades y and p, yy, pp and (y - p)^2, with the grades around their middle.

    Whole numbers are grades: one without rows keeps its place on the scale. Other labels have the
    grades 0, 1, ... in their order.
    """
    both = np.concatenate([truth, answers])
    is_scale = np.issubdtype(both.dtype, np.number) and (both % 1 == 0).all()
    if not is_scale or np.ptp(both) >= _MOST_GRADES:
        both = np.unique(both, return_inverse=True)[1]
    y, p = (both - np.median(both)).reshape(2, -1)
    return np.column_stack([y, p, y * y, p * p, (y - p) ** 2])


def _quadratic_kappa(sums: Array, counts: Array) -> Array:
    """Return Cohen's kappa where a disagreement counts as the squared distance of the grades."""
    y, p, yy, pp, differences = sums.T / counts
    by_chance = yy + pp - 2 * y * p
    return np.where(by_chance > 1e-12, 1 - differences / by_chance.clip(1e-12), 1)


_of_labels: Any = partial(sum_metric, higher_is_better=True, wants="label")
LABEL_METRICS = (
    mean_metric("accuracy", True, "label", hits),
    mean_metric("error_rate", False, "label", misses),
    _of_labels("balanced_accuracy", rows=_class_rows, score=_balanced_accuracy, tasks=CLASSES),
    _of_labels("f1", rows=_positive_rows, score=_f1_of_positive, tasks=("binary",)),
    _of_labels("f1_macro", rows=_class_rows, score=partial(_f1, by="macro"), tasks=CLASSES),
    # the F1 of the counts of all classes together: with one label a row it equals the accuracy
    mean_metric("f1_micro", True, "label", hits, tasks=CLASSES),
    _of_labels("f1_weighted", rows=_class_rows, score=partial(_f1, by="weighted"), tasks=CLASSES),
    _of_labels("mcc", rows=_class_rows, score=_mcc, tasks=CLASSES),
    _of_labels("cohen_kappa", rows=_class_rows, score=_kappa),
    _of_labels("quadratic_kappa", rows=_grade_rows, score=_quadratic_kappa),
)
