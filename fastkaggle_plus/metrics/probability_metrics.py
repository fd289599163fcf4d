"""Metrics of predicted probabilities: (n,) of the positive class, or (n, c) of all classes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..exceptions import DataError
from .jackknife import sum_metric, without_pairs
from .metric import Array, Metric, mean_metric
from .value_metrics import squared_errors


def log_losses(truth: Array, answers: Array) -> Array:
    """Return -log(p) of each row, where p is the probability of its true class.

    Rows are divided by their sum, and p is clipped to 1e-15 from below, as on Kaggle.
    """
    answers = np.asarray(answers, dtype=float)
    if answers.ndim == 1:
        answers = np.column_stack([1 - answers, answers])
    answers = np.clip(answers, 0, None)
    answers = answers / answers.sum(1, keepdims=True).clip(1e-15)
    of_truth = answers[np.arange(len(answers)), np.asarray(truth, dtype=int)]
    return -np.log(np.clip(of_truth, 1e-15, 1))


def weighted_log_loss(truth: Array, answers: Array, *, class_weights: Sequence[float]) -> float:
    """Return sum(w loss) / sum(w), where w is the weight of a row's true class.

    `class_weights` holds one weight for each class code. Use it in a metric.py of your own.
    """
    weights = np.asarray(class_weights, dtype=float)[np.asarray(truth, dtype=int)]
    if not (weights >= 0).all() or weights.sum() == 0:
        raise DataError(
            f"Class weights must be zero or more with a positive sum over the rows, "
            f"got {class_weights}."
        )
    return float(np.average(log_losses(truth, answers), weights=weights))


def _area(truth: Array, answers: Array) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, answers))


def auc(truth: Array, answers: Array) -> float:
    """Return the area under the ROC curve of two classes; NaN if the truth has only one.

    That is the share of pairs, of a positive and a negative row, that are in the right order; equal
    predictions count half.
    """
    if np.ndim(answers) > 1:
        raise DataError("auc is for two classes. For more, use auc_ovr or auc_ovo.")
    return _area(truth, answers) if len(np.unique(truth)) > 1 else float("nan")


def auc_ovr(truth: Array, answers: Array) -> float:
    """Return the mean of the AUC of each class against all others (one versus rest, macro).

    Classes without rows are left out; NaN if there is only one class.
    """
    present = np.unique(truth)
    if len(present) < 2:
        return float("nan")
    return float(np.mean([_area(truth == c, answers[:, c]) for c in present]))


def auc_ovo(truth: Array, answers: Array) -> float:
    """Return the mean over all pairs of classes of their AUC (one versus one, macro).

    The AUC of a pair is the mean of two, each with one of the classes as the positive one. Classes
    without rows are left out; NaN if there is only one class. Source: Hand and Till (2001).
    """
    present, of_pairs = np.unique(truth), []
    for a in present:
        for b in present[present != a]:
            rows = np.isin(truth, (a, b))
            of_pairs.append(_area(truth[rows] == a, answers[rows, a]))
    return float(np.mean(of_pairs)) if of_pairs else float("nan")


def average_precision(truth: Array, answers: Array) -> float:
    """Return the sum over thresholds n of (R_n - R_(n-1)) P_n, of recall R and precision P.

    It counts the positive class, without interpolation. It is 0 without positive rows.
    """
    from sklearn.metrics import average_precision_score

    truth = np.asarray(truth)
    return float(average_precision_score(truth, answers)) if (truth == 1).any() else 0.0


def gini(truth: Array, answers: Array) -> float:
    """Return the normalized Gini coefficient of two classes: 2 auc - 1."""
    return 2 * auc(truth, answers) - 1


def _losses_of_classes(truth: Array, answers: Array) -> Any:
    """Return a sparse (n, 2 c): the log loss of a row in the column of its class, and a 1."""
    from scipy import sparse

    codes, n = np.asarray(truth, dtype=int), len(truth)
    columns = np.concatenate([codes, codes + codes.max() + 1])
    values = np.concatenate([log_losses(truth, answers), np.ones(n)])
    shape = (n, 2 * codes.max() + 2)
    return sparse.csr_array((values, (np.tile(np.arange(n), 2), columns)), shape)


def _balanced_log_loss(sums: Array, counts: Array) -> Array:
    """Return the mean over the classes of the mean log loss of their rows."""
    losses, rows = np.split(sums, 2, axis=1)
    return np.asarray((losses / rows.clip(1)).sum(1) / (rows > 0).sum(1))


def _areas(truth: Array, answers: Array, unit: Array, *, scale: int = 1) -> Array:
    """Return the AUC (scale=1) or the Gini coefficient (scale=2) without each unit."""
    areas = without_pairs(truth == 1, answers, unit, n_units=unit.max() + 1)
    return scale * areas - (scale - 1)


def _areas_ovr(truth: Array, answers: Array, unit: Array) -> Array:
    n_units = unit.max() + 1
    present = np.unique(truth)
    areas = [without_pairs(truth == c, answers[:, c], unit, n_units=n_units) for c in present]
    return _mean_area(areas)


def _areas_ovo(truth: Array, answers: Array, unit: Array) -> Array:
    n_units, present, areas = unit.max() + 1, np.unique(truth), []
    for a in present:
        for b in present[present != a]:
            rows = np.isin(truth, (a, b))
            pair = truth[rows] == a, answers[rows, a], unit[rows]
            areas.append(without_pairs(*pair, n_units=n_units))
    return _mean_area(areas)


def _mean_area(areas: Sequence[Array]) -> Array:
    """Return the mean over the classes that are left; NaN if there is only one."""
    stacked = np.stack(areas)
    is_area = np.isfinite(stacked)
    return np.asarray(np.where(is_area, stacked, 0).sum(0) / is_area.sum(0))


_BINARY, _MULTI = ("binary",), ("multiclass",)
_ranked: Any = partial(Metric, higher_is_better=True, wants="probability", takes_any_scale=True)
PROBABILITY_METRICS = (
    mean_metric("log_loss", False, "probability", log_losses),
    sum_metric("balanced_log_loss", False, "probability", _losses_of_classes, _balanced_log_loss),
    # (y - p)^2, where y is 1 for the positive class and p its probability
    mean_metric("brier", False, "probability", squared_errors, tasks=_BINARY),
    _ranked("auc", compare=auc, tasks=_BINARY, leave_out=_areas),
    _ranked("auc_ovr", compare=auc_ovr, tasks=_MULTI, leave_out=_areas_ovr),
    _ranked("auc_ovo", compare=auc_ovo, tasks=_MULTI, leave_out=_areas_ovo),
    _ranked("ap", compare=average_precision, tasks=_BINARY),
    _ranked("gini", compare=gini, tasks=_BINARY, leave_out=partial(_areas, scale=2)),
)
