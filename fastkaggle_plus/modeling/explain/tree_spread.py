"""The spread of a forest's trees as its confidence, and whether it shows where it is wrong."""

import numpy as np
import pandas as pd

from ...exceptions import DataError
from ..model import Array
from .fold_models import FoldModels


def tree_spread(models: FoldModels) -> Array:
    """Return (n_train,) standard deviations of the trees' predictions of each row, out of fold.

    Of classes, that of the predicted class's probability. NaN: the row was not validated. Raises
    DataError for a model that is no forest or bag. Source: fastbook, chapter 9.
    """
    spread = np.full(len(models.preds.oof), np.nan)
    for fitted, rows, table in zip(models.fitted, models.rows, models.tables, strict=True):
        if not (members := getattr(fitted, "members", [])):
            raise DataError(f"{models.model.name} has no trees to compare: ask a forest or a bag.")
        preds = np.stack([np.asarray(m(table)).reshape(len(rows), -1) for m in members])
        chosen = preds.mean(0).argmax(1) if table.vocab else np.zeros(len(rows), dtype=int)
        spread[rows] = preds.std(0)[np.arange(len(rows)), chosen]
    return spread


def score_by_spread(models: FoldModels, n_parts: int = 4) -> pd.DataFrame:
    """Return the out-of-fold score of the rows with a small to those with a large spread.

    Columns: SD from, SD to (of the trees), rows, score (NaN: the metric has none for them).
    """
    spread, metric, found = tree_spread(models), models.preds.scoring, []
    rows = np.flatnonzero(models.preds.validated)
    part_of = pd.qcut(spread[rows], n_parts, labels=False, duplicates="drop")
    for k in np.unique(part_of):
        part = rows[part_of == k]
        try:
            score = metric.score(models.data.targs[part], models.preds.oof[part])
        except DataError:  # such as the AUC of one class
            score = float("nan")
        found.append((spread[part].min(), spread[part].max(), len(part), score))
    return pd.DataFrame(found, columns=["SD from", "SD to", "rows", "score"])
