"""The common parts of light text models: choose text columns, and fit a linear model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import UnknownName
from ..model import Array, class_columns
from .encoding import checked_texts

_MAX_STEPS = 1000  # of the logistic regression
_CONSTANT = 1e-6  # a feature with a smaller standard deviation is not scaled


def chosen_texts(
    table: Table,
    columns: Sequence[str] = (),  # text columns; () = all
) -> pd.DataFrame:
    """Return the table's texts, one column per text.

    Raises UnknownName for a column, and DataError for a table without texts or a cell without one.
    """
    texts = checked_texts(table.texts)
    for column in columns:
        if column not in texts:
            raise UnknownName("text column", column, tuple(map(str, texts)))
    return texts[list(columns)] if columns else texts


class LinearHead:
    """Ridge regression, or logistic regression for classes, on standardised features.

    Predicted values stay within the range of the training targets.
    """

    def __init__(
        self,
        features: Array,  # (n, n_features)
        table: Table,  # the rows to learn from
        *,
        strength: float,  # of the L2 penalty, per row
    ):
        from sklearn.dummy import DummyClassifier
        from sklearn.linear_model import LogisticRegression, Ridge

        self.mean, self.std = features.mean(0), features.std(0)
        self.std[self.std < _CONSTANT] = 1.0
        targs, penalty = np.asarray(table.targs), strength * len(features)
        self.low, self.high = targs.min(0), targs.max(0)
        self.model: Any = Ridge(alpha=penalty)
        if table.vocab:
            self.model = LogisticRegression(C=1 / penalty, max_iter=_MAX_STEPS)
            if len(np.unique(targs)) == 1:
                self.model = DummyClassifier()
        self.model.fit((features - self.mean) / self.std, targs)

    def predict(self, features: Array, table: Table) -> Array:
        """Return (n, n_outputs) predictions for the features of a table's rows."""
        # float64: in float32 a row's prediction would depend on the other rows
        scaled = ((features - self.mean) / self.std).astype(np.float64)
        if table.vocab:
            return class_columns(self.model.predict_proba(scaled), self.model.classes_, table)
        values = self.model.predict(scaled).reshape(len(features), *np.shape(self.low))
        return np.clip(values, self.low, self.high).reshape(len(features), -1)
