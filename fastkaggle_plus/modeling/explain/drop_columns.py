"""Columns that can go: fit again without them, and test the difference."""

from collections.abc import Sequence

import pandas as pd

from ...evidence import compare
from ...ui.records import joined
from ..validation import cross_validate
from ..without import without_model
from .fold_models import FoldModels


def drop_columns(
    models: FoldModels,
    groups: Sequence[Sequence[str]],  # features to drop together
) -> pd.DataFrame:
    """Fit the folds again without each group of features, and compare the out-of-fold predictions.

    Columns: without, verdict, gain (positive: better without), SE, loses at most, score, p, test.
    The test is that of `evidence.compare`. "can go" means that it found no loss; "loses at most" is
    the largest loss in the 95% interval. Raises UnknownName, and DataError if no feature is left.
    """
    rows = []
    for features in groups:
        preds = cross_validate(
            without_model(models.model, columns=list(features)),
            models.data,
            models.folds,
            metric=models.preds.scoring,
            look_for_groups=False,
            test="folds",
        )
        e = compare(preds, models.preds)
        verdict = "can go" if e.is_noise else "better without" if e.gain > 0 else "costs"
        most = max(1.96 * e.se - e.gain, 0.0)
        rows.append(
            (joined(features, most=6), verdict, e.gain, e.se, most, e.a_score, e.p_value, e.test)
        )
    columns = ["without", "verdict", "gain", "SE", "loses at most", "score", "p", "test"]
    return pd.DataFrame(rows, columns=columns)
