"""The spread of a forest's trees as its confidence, and whether it shows where it is wrong."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...exceptions import DataError
from ...ui.records import Records, Row
from ..model import Array
from .fold_models import FoldModels


@dataclass(frozen=True)
class SpreadPart(Row):
    """A part of the rows by the spread of the trees."""

    low: float  # smallest spread
    high: float
    n_rows: int
    metric: str
    score: float  # out of fold, of these rows; NaN: the metric has none

    def as_row(self) -> dict[str, object]:
        """Return the cells of a table."""
        spread = f"{self.low:.3g} to {self.high:.3g}"
        return {"SD of the trees": spread, "rows": self.n_rows, self.metric: f"{self.score:.4f}"}


def tree_spread(models: FoldModels) -> Array:
    """Return (n_train,) standard deviations of the trees' predictions of each row, out of fold.

    Of classes, that of the predicted class's probability. NaN: the row was not validated. Raises
    DataError for a model that is no forest or bag. Source: fastbook, chapter 9.
    """
    spread = np.full(len(models.preds.oof), np.nan)
    for fitted, rows, table in zip(models.fitted, models.rows, models.tables, strict=True):
        members = getattr(fitted, "members", [])
        if not members:
            raise DataError(f"{models.model.name} has no trees to compare: ask a forest or a bag.")
        if len(rows):
            preds = np.stack([np.asarray(m(table)).reshape(len(rows), -1) for m in members])
            chosen = preds.mean(0).argmax(1) if table.vocab else np.zeros(len(rows), dtype=int)
            spread[rows] = preds.std(0)[np.arange(len(rows)), chosen]
    return spread


def score_by_spread(models: FoldModels, n_parts: int = 4) -> Records[SpreadPart]:
    """Return the out-of-fold score of the rows with a small to those with a large spread."""
    spread, metric, found = tree_spread(models), models.preds.scoring, []
    validated = np.flatnonzero(models.preds.validated & ~np.isnan(spread))
    for _, part in pd.Series(validated).groupby(
        pd.qcut(spread[validated], n_parts, duplicates="drop"), observed=True
    ):
        rows, score = part.to_numpy(), float("nan")
        with suppress(DataError):  # such as the AUC of one class
            score = metric.score(models.data.targs[rows], models.preds.oof[rows])
        ends = spread[rows].min(), spread[rows].max()
        found.append(SpreadPart(*ends, len(rows), metric.name, score))
    return Records(found)
