"""The common parts of light text models: choose text columns, and fit a linear model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import UnknownName
from ..model import Array
from ..tabular.linear import LinearFit
from .encoding import checked_texts

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
    """A linear model on standardised features, see `LinearFit`."""

    def __init__(
        self,
        features: Array,  # (n, n_features)
        table: Table,  # the rows to learn from
        *,
        strength: float,  # of the L2 penalty, per row
    ):
        self.mean, self.std = features.mean(0), features.std(0)
        self.std[self.std < _CONSTANT] = 1.0
        scaled = (features - self.mean) / self.std
        self.linear = LinearFit(scaled, table, penalty=strength * len(features))

    def predict(self, features: Array, table: Table) -> Array:
        """Return (n, n_outputs) predictions for the features of a table's rows."""
        # float64: in float32 a row's prediction would depend on the other rows
        scaled = ((features - self.mean) / self.std).astype(np.float64)
        return self.linear.predict(scaled, table)
