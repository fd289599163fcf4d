"""Where a model was most wrong: the rows with the worst out-of-fold losses, and the classes it confuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Data
from ..exceptions import DataError
from ..metrics import get_metric
from ..predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


def top_losses(
    preds: Predictions,
    data: Data,  # what was cross-validated: it tells the images
    n: int | None = 50,  # rows; None = all that were validated
    *,
    largest: bool = True,  # False: the rows that were predicted best come first
) -> pd.DataFrame:
    """Return the training rows with the worst out-of-fold predictions, worst first.

    With a column `action` added to it (keep, remove, or the right class), it is what `apply_cleaning` takes.

    Columns: id, file (where there are images), the texts (where there are texts), label, predicted, loss, and fold; for classes also probability
    (given to the label) and confidence (given to what was predicted). A text column called like one of these is "NAME (text)".
    The loss is the log loss of the label, or the squared error, a mean over several targets.
    Raises DataError when the predictions are of other rows or labels than the data. Source: fastai's `Interpretation.top_losses`.
    """
    import pandas as pd

    preds = preds.aligned(data.ids, preds.test_ids, data.vocab)
    if not np.array_equal(preds.targs, data.targs):
        raise DataError(
            f"{preds.name} was scored on other labels than the data holds: they come from different versions of the data. Cross-validate again."
        )
    losses = _losses(preds)
    at = np.flatnonzero(preds.validated)
    at = at[np.argsort(-losses[at] if largest else losses[at], kind="stable")][:n]
    columns: dict[str, Any] = {"id": preds.ids[at]}
    if data.train.images is not None:
        columns["file"] = list(data.train.images.take(at))
    if not preds.vocab:
        columns |= {
            "label": _values(preds.targs[at]),
            "predicted": _values(preds.oof[at]),
            "loss": losses[at],
        }
    else:
        guesses = preds.oof[at].argmax(1)
        columns |= {
            "label": _labels(preds, preds.targs[at]),
            "predicted": _labels(preds, guesses),
            "loss": losses[at],
            "probability": preds.oof[at, preds.targs[at]],
            "confidence": preds.oof[at, guesses],
        }
    columns["fold"] = preds.folds[at]
    if data.train.texts is not None:
        told = {
            f"{c} (text)" if c in (*columns, "action") else str(c): data.train.texts[c]
            .iloc[at]
            .tolist()
            for c in data.train.texts
        }
        first = {c: columns.pop(c) for c in ("id", "file") if c in columns}
        columns = first | told | columns
    return pd.DataFrame(columns)


def most_confused(
    preds: Predictions,
    min_count: int = 1,  # of the rows that a pair needs
) -> pd.DataFrame:
    """Return label, predicted and count of the confusions in the out-of-fold predictions, the most frequent first.

    Raises DataError for a regression. Source: fastai's `ClassificationInterpretation.most_confused`.
    """
    import pandas as pd

    if not preds.vocab:
        raise DataError(
            f"{preds.name} predicts values, and only classes are confused. Look at top_losses instead."
        )
    rows, n = preds.validated, len(preds.vocab)
    counts = np.bincount(preds.targs[rows] * n + preds.oof[rows].argmax(1), minlength=n * n)
    counts[:: n + 1] = 0  # what was right
    pairs = np.argsort(-counts, kind="stable")
    pairs = pairs[counts[pairs] >= max(min_count, 1)]
    return pd.DataFrame(
        {
            "label": _labels(preds, pairs // n),
            "predicted": _labels(preds, pairs % n),
            "count": counts[pairs],
        }
    )


def _losses(preds: Predictions) -> Array:
    "Loss of each row, NaN where none was predicted."
    losses = np.full(len(preds.ids), np.nan)
    rows = preds.validated
    if preds.vocab:
        rowwise = get_metric("log_loss").rowwise
        assert rowwise is not None  # the log loss is a mean over rows
        losses[rows] = rowwise(preds.targs[rows], preds.oof[rows])
    else:
        losses[rows] = (
            (preds.oof[rows] - preds.targs[rows].reshape(int(rows.sum()), -1)) ** 2
        ).mean(1)
    return losses


def _labels(preds: Predictions, codes: Array) -> list[Any]:
    return [preds.vocab[i] for i in codes]


def _values(values: Array) -> list[Any]:
    "One number a row, or a tuple of several."
    values = values.reshape(len(values), -1)
    return values[:, 0].tolist() if values.shape[1] == 1 else list(map(tuple, values.tolist()))
