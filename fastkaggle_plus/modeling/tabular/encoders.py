"""Encoders: tables as numbers, with levels, medians and scales learned from the rows fitted on."""

from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ..model import Array


class OrdinalEncoder:
    """Categories as level codes, and numbers with their gaps filled by the median.

    Without `fill` gaps stay, except in columns that are empty in the rows fitted on.
    """

    def __init__(self, table: Table, *, fill: bool = True):
        self.cat_names, self.cont_names = table.cat_names, table.cont_names
        numbers = table.x[list(self.cont_names)]
        medians = numbers.median()
        filled = (medians if fill else medians[medians.isna()]).fillna(0.0)
        self.fill_values = filled.to_dict()
        self.with_gaps = [c for c in self.cont_names if numbers[c].isna().any()] if fill else []

    @property
    def names(self) -> list[str]:
        """The columns of the encoded rows."""
        return [*self.cat_names, *self.cont_names, *(f"{c} missing" for c in self.with_gaps)]

    @property
    def sources(self) -> list[str]:
        """The feature of each column of the encoded rows."""
        return [*self.cat_names, *self.cont_names, *self.with_gaps]

    def codes(self, table: Table) -> Array:
        """Return (n, n_categories) level codes, -1 for a missing or unknown level."""
        codes = [table.x[c].cat.codes for c in self.cat_names]
        return np.column_stack(codes).astype(float) if codes else np.empty((len(table), 0))

    def numbers(self, table: Table) -> Array:
        """Return (n, n_numbers) filled numbers."""
        numbers = table.x[list(self.cont_names)].fillna(self.fill_values)
        return np.ascontiguousarray(numbers, dtype=float)

    def gaps(self, table: Table) -> Array:
        """Return 1 for each filled gap, a column per number that had gaps in the rows fitted on."""
        return np.ascontiguousarray(table.x[self.with_gaps].isna(), dtype=float)

    def numbers_and_gaps(self, table: Table) -> Array:
        """Return both, side by side."""
        return np.hstack([self.numbers(table), self.gaps(table)])

    def __call__(self, table: Table) -> Array:
        """Return (n, n_features) floats, the columns in the order of `names`."""
        return np.hstack([self.codes(table), self.numbers_and_gaps(table)])


class OneHotEncoder:
    """Sparse rows for linear models: a column per level, numbers scaled to mean 0, deviation 1."""

    def __init__(self, table: Table):
        self.ordinal = OrdinalEncoder(table)
        numbers = self.ordinal.numbers_and_gaps(table)
        self.mean, self.std = numbers.mean(0), numbers.std(0)
        self.std[self.std == 0] = 1.0

    def __call__(self, table: Table) -> Any:
        """Return a sparse (n, n_columns) matrix: one entry per row and category."""
        from scipy import sparse

        numbers = (self.ordinal.numbers_and_gaps(table) - self.mean) / self.std
        columns = [table.x[c].cat for c in self.ordinal.cat_names]
        eyes = [sparse.eye_array(len(c.categories) + 1, format="csr") for c in columns]
        # code -1, a missing level, picks the last row, which is all zeros without the last column
        levels = [e[c.codes.to_numpy(), :-1] for e, c in zip(eyes, columns, strict=True)]
        return sparse.hstack([*levels, sparse.csr_array(numbers)], format="csr")

    def sources(self, table: Table) -> list[str]:
        """Return the feature that each column of the encoded rows was made from."""
        levels = [c for c in self.ordinal.cat_names for _ in range(len(table.x[c].cat.categories))]
        return [*levels, *self.ordinal.cont_names, *self.ordinal.with_gaps]


def features(table: Table) -> pd.DataFrame:
    """Return the features in the table's order, categories kept."""
    return table.x[[*table.cat_names, *table.cont_names]]
