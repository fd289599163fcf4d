"""Metric: a way to score predictions, its direction, and the kind of prediction it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
CLASSES = ("binary", "multiclass")
TASKS = {  # what a metric wants -> the tasks whose predictions give it
    "label": (*CLASSES, "regression"),  # of a regression: the nearest whole number
    "probability": CLASSES,
    "value": ("regression",),
    "ranking": ("multiclass",),
}
# (truth, answers, (n,) codes of units) -> (n_units,) scores without each unit
LeaveOut = Callable[[Any, Any, Array], Array]


@dataclass(frozen=True)
class Metric:
    """One way to score predictions.

    Classes are codes 0, 1, ...: the places of the labels in order (numbers by size, words by
    spelling). Of two classes, the positive one has the code 1: the larger number, or the second
    word of the vocab.
    """

    name: str
    higher_is_better: bool
    wants: str  # label | probability | value | ranking
    compare: Callable[[Any, Any], float]  # (truth, answers) -> score
    rowwise: Callable[[Any, Any], Array] | None = None  # score of each row, if their mean counts
    k: int = 0  # answers per row, for a ranking
    takes_any_scale: bool = False  # only the order counts, so ranks and logits are valid answers
    tasks: tuple[str, ...] = ()  # binary, multiclass, regression; (): all that give what it wants
    leave_out: LeaveOut | None = None  # faster than scoring the other rows again, see jackknife.py

    def fits(self, task: str) -> bool:
        """Say whether predictions for this task can be scored."""
        return task in (self.tasks or TASKS[self.wants])

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

    def __str__(self) -> str:
        return self.name


def mean_metric(
    name: str,
    higher_is_better: bool,
    wants: str,
    rowwise: Callable[[Any, Any], Array],
    **options: Any,  # further fields of Metric
) -> Metric:
    """Return a metric whose score is the mean of the scores of the rows."""

    def compare(truth: Any, answers: Any) -> float:
        return float(rowwise(truth, answers).mean())

    return Metric(name, higher_is_better, wants, compare, rowwise, **options)
