"""A model that does not see some of the features."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..data import Table
from ..exceptions import UnknownName
from .model import Array, Fitted, FittedFunction, Model, as_fitted
from .registry import build, model_from


def without_model(
    model: str | Model,  # a name as in a Trial
    params: dict[str, Any] | None = None,  # its keyword arguments
    *,
    columns: Sequence[str] | None = None,  # features; None: those of `Data.notes`
) -> Model:
    """Return a model that does not see some features.

    By default these are the features whose test values are beyond the training range, such as
    elapsed days: a tree cannot extrapolate them. Raises UnknownName.
    """
    inner = build(model, params or {}) if isinstance(model, str) else model_from(model)

    def without(fit: Any) -> Any:
        def fit_rest(table: Table, *notes: Any) -> Fitted:
            kept = _kept(table, columns)
            fitted = as_fitted(fit(table.only(kept), *notes), inner.name)
            return FittedFunction(
                WithoutColumns(fitted, kept),
                getattr(fitted, "importances", {}),
                estimator=getattr(fitted, "estimator", None),
                notes=getattr(fitted, "notes", {}),
            )

        return fit_rest

    return dataclasses.replace(
        inner,
        name=f"{inner.name} without {'times' if columns is None else ', '.join(columns)}",
        fit=without(inner.fit),
        refit=inner.refit and without(inner.refit),
        about={**inner.about, "without": "notes" if columns is None else list(columns)},
    )


@dataclass
class WithoutColumns:
    """A model fitted to some of the features: predicts whole tables."""

    fitted: Fitted
    kept: list[str]

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        return self.fitted.predict(rows.only(self.kept))


def _kept(table: Table, columns: Sequence[str] | None) -> list[str]:
    """Return the features to fit on. Raises UnknownName for a column that is no feature."""
    left_out, known = table.beyond if columns is None else columns, table.x
    for c in left_out:
        if c not in known:  # a feature that another `without_model` left out is still there
            raise UnknownName("feature", c, known)
    return [c for c in (*table.cat_names, *table.cont_names) if c not in left_out]
