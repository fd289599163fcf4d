"""Where a model is wrong: the rows with the largest losses, and the classes it confuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Data
from ..exceptions import DataError
from ..metrics import get_metric
from ..predictions import Predictions

if TYPE_CHECKING:
    import pandas as pd


def top_losses(
    preds: Predictions,
    data: Data,  # the data that was cross-validated
    n: int | None = 50,  # rows; None = all validated rows
    *,
    largest: bool = True,  # False: the best predictions come first
) -> pd.DataFrame:
    """Return the training rows with the worst out-of-fold predictions, worst first.

    Columns: id, file (of an image), the texts, label, predicted, loss, fold; with classes also
    probability (of the label) and confidence (probability of the predicted class). A text column of
    the same name as one of them is called "NAME (text)". The loss is the log loss of the label, or
    the squared error, averaged over targets. With an added column `action` (keep, remove, or the
    right class), `apply_cleaning` accepts the table.

    Raises DataError when data and predictions differ in rows or labels. Source: fastai's
    `Interpretation.top_losses`.
    """
    import pandas as pd

    preds = preds.aligned(data.ids, preds.test_ids, data.vocab)
    if not np.array_equal(preds.targs, data.targs):
        raise DataError(
            f"{preds.name} was scored on other labels than those of the data: "
            "they come from different versions of the data. Cross-validate again."
        )
    losses, at = _losses(preds), np.flatnonzero(preds.validated)
    at = at[np.argsort(-losses[at] if largest else losses[at], kind="stable")][:n]
    first: dict[str, Any] = {"id": preds.ids[at]}
    if data.train.images is not None:
        first["file"] = list(data.train.images.take(at))
    last = _outcomes(preds, at, losses[at]) | {"fold": preds.folds[at]}
    texts = {}
    if data.train.texts is not None:
        taken = {*first, *last, "action"}
        for column, values in data.train.texts.iloc[at].items():
            texts[f"{column} (text)" if column in taken else str(column)] = values.tolist()
    return pd.DataFrame(first | texts | last)


def most_confused(
    preds: Predictions,
    min_count: int = 1,  # least number of rows of a pair
) -> pd.DataFrame:
    """Return label, predicted and count of the out-of-fold confusions, most frequent first.

    Raises DataError for a regression. Source: fastai, `ClassificationInterpretation.most_confused`.
    """
    import pandas as pd

    if not preds.vocab:
        raise DataError(
            f"Cannot count the confusions of {preds.name}: expected predicted classes, got values. "
            "Use top_losses instead."
        )
    rows, n = preds.validated, len(preds.vocab)
    counts = np.bincount(preds.targs[rows] * n + preds.oof[rows].argmax(1), minlength=n * n)
    counts[:: n + 1] = 0  # right answers
    pairs = np.argsort(-counts, kind="stable")
    pairs = pairs[counts[pairs] >= max(min_count, 1)]
    labels, predicted = _labels(preds, pairs // n), _labels(preds, pairs % n)
    return pd.DataFrame({"label": labels, "predicted": predicted, "count": counts[pairs]})


def _outcomes(preds: Predictions, at: np.ndarray, losses: np.ndarray) -> dict[str, Any]:
    """Return label, predicted, loss and, for classes, two probabilities of these rows."""
    targs, oof = preds.targs[at], preds.oof[at]
    if not preds.vocab:
        return {"label": _values(targs), "predicted": _values(oof), "loss": losses}
    guesses, rows = oof.argmax(1), np.arange(len(at))
    return {
        "label": _labels(preds, targs),
        "predicted": _labels(preds, guesses),
        "loss": losses,
        "probability": oof[rows, targs],
        "confidence": oof[rows, guesses],
    }


def _losses(preds: Predictions) -> np.ndarray:
    """Return the loss of each row, NaN for a row that was not validated."""
    losses, rows = np.full(len(preds.ids), np.nan), preds.validated
    if preds.vocab:
        rowwise = get_metric("log_loss").rowwise
        assert rowwise is not None  # the log loss is a mean over rows
        losses[rows] = rowwise(preds.targs[rows], preds.oof[rows])
    else:
        errors = preds.oof[rows] - preds.targs[rows].reshape(int(rows.sum()), -1)
        losses[rows] = (errors**2).mean(1)
    return losses


def _labels(preds: Predictions, codes: np.ndarray) -> list[Any]:
    return [preds.vocab[i] for i in codes]


def _values(values: np.ndarray) -> list[Any]:
    """Return one number per row, or a tuple for several targets."""
    values = values.reshape(len(values), -1)
    return values[:, 0].tolist() if values.shape[1] == 1 else list(map(tuple, values.tolist()))
