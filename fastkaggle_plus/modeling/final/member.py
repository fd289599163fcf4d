"""Member: one fitted model of a final model, and what is done around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data import Table
from ..model import Array, Fitted, as_columns


@dataclass
class Member:
    """One fitted model of a final model."""

    fitted: Fitted
    weight: float  # of its predictions; those of all members sum to one
    variant: str = ""  # one of the model's `variants`; "": its predictions
    is_log: bool = False  # whether it predicts log(1 + target)
    features: Any = None  # adds the features that were made from targets: Table -> Table

    def predict(self, table: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        table = self.features(table) if self.features else table
        if self.variant in ("", "plain"):
            preds = self.fitted.predict(table)
        else:
            preds = self.fitted.variants(table)[self.variant]  # type: ignore[attr-defined]
        preds = as_columns(preds, table).astype(float)
        return np.expm1(preds).clip(0) if self.is_log else preds


@dataclass(frozen=True, eq=False)
class RowsOfFit:
    """Adds features that need targets, for new rows, from the rows that a model was fitted on."""

    in_fold: Any  # of the competition's code, see `Data`
    fit: Table

    def __call__(self, rows: Table) -> Table:
        """Return the rows with these features."""
        return self.in_fold(self.fit, rows)[1]
