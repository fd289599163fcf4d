"""Out-of-fold predictions of all members, read as a metric needs them and never all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..data import Array
from ..metrics import Metric, get_metric
from ..predictions import Predictions

ORDER_METRICS = ("pearson", "spearman", "gini_values")  # of values, where any scale is right
_NO_SPREAD = 1e-9  # relative deviation below which predictions count as constant
_BLOCK_BYTES = 32e6


def fitted_metric(preds: Predictions) -> Metric:
    """Return the metric to which weights are fitted; the result is scored by its own."""
    if preds.scoring.wants == "label" and preds.vocab:
        return get_metric("log_loss")  # right or wrong is too coarse to fit weights
    return preds.scoring


@dataclass(frozen=True, eq=False)
class Pool:
    """Predictions of the members on n rows. The arrays may be memory maps: nothing copies them."""

    metric: Metric  # to which weights are fitted
    targs: Array  # (n,) class codes, or (n,) or (n, k) values
    oofs: Sequence[Array]  # (n_train, n_outputs) of each member
    rows: Array  # (n,) their positions in `oofs`
    costs: Array  # (members,) seconds of each member
    center: Array | None = None  # (members, n_outputs) to subtract
    spread: Array | None = None  # (members,) to divide by

    @cached_property
    def numbers(self) -> Array | None:
        """The one number (members, n) that the metric reads of each row; None if it reads more."""
        n_outputs = self.oofs[0].shape[1]
        if self.metric.name == "log_loss":
            columns = self.targs  # the probability of the true class
        elif n_outputs == 1 or (n_outputs == 2 and self.metric.wants == "probability"):
            columns = np.full(len(self.rows), n_outputs - 1)
        else:
            return None
        numbers = np.empty((len(self.oofs), len(self.rows)), np.result_type(*self.oofs))
        for i, oof in enumerate(self.oofs):
            numbers[i] = oof[self.rows, columns]
        if self.center is not None and self.spread is not None:
            numbers = (numbers - self.center[:, :1]) / self.spread[:, None]
        return numbers

    def take(self, at: Array) -> Array:
        """Return (members, rows) or (members, rows, n_outputs) of the rows at the places `at`."""
        if self.numbers is not None:
            return self.numbers[:, at]
        values = np.empty((len(self.oofs), len(at), self.oofs[0].shape[1]))
        for i, oof in enumerate(self.oofs):
            values[i] = oof[self.rows[at]]
        if self.center is not None and self.spread is not None:
            values = (values - self.center[:, None]) / self.spread[:, None, None]
        return values


def scales(oofs: Sequence[Array], rows: Array) -> tuple[Array, Array]:
    """Return the mean (members, k) and deviation (members,) of each member's predictions.

    A metric of order accepts any scale, so members are compared on one. The deviation is infinite
    for a member that predicts one value for all rows, unless all members do.
    """
    center = np.array([oof[rows].mean(0) for oof in oofs])
    deviations = np.array([np.sqrt(oof[rows].var(0).mean()) for oof in oofs])
    varies = deviations > _NO_SPREAD * np.abs(center).max(1)
    return center, np.where(varies, deviations, np.inf) if varies.any() else np.ones(len(oofs))


def blocks(n_rows: int, bytes_per_row: int) -> list[slice]:
    """Return slices of rows of about 32 MB each."""
    size = max(1, int(_BLOCK_BYTES / max(bytes_per_row, 1)))
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
