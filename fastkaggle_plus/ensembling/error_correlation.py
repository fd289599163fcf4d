"""Correlation of the members' errors: members with different errors gain most from a mean."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data import Array
from ..predictions import Predictions
from ..ui.records import Records, Row
from .averages import validated
from .combine import align


@dataclass(frozen=True)
class ErrorRow(Row):
    """The correlations of one member's errors with those of each member."""

    name: str
    correlations: dict[str, float]  # by member; NaN if one of the two has constant errors

    def as_row(self) -> dict[str, object]:
        """Return the cells that people read."""
        return {"errors of": self.name, **{k: f"{r:.2f}" for k, r in self.correlations.items()}}


def error_correlation(members: Sequence[Predictions]) -> Records[ErrorRow]:
    """Return the correlation of the out-of-fold errors of each pair of members.

    The error of a class is 1 - the probability of the true class, that of a value is the residual.
    Raises DataError for members with different rows, classes, folds or metrics.
    """
    aligned = align(members)
    rows = np.flatnonzero(validated(aligned))
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = np.atleast_2d(np.corrcoef([_errors(m, rows) for m in aligned]))
    names = [m.name for m in members]
    found = (dict(zip(names, map(float, row), strict=True)) for row in matrix)
    return Records(ErrorRow(*pair) for pair in zip(names, found, strict=True))


def _errors(preds: Predictions, rows: Array) -> Array:
    if preds.vocab:
        return 1 - preds.oof[rows, preds.targs[rows]]
    oof = preds.oof[rows]
    return np.ravel(preds.targs[rows].reshape(oof.shape) - oof)
