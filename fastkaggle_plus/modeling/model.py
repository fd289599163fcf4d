"""What every model here is: a name, and a function that fits rows and returns a function that predicts rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..data import Table
from ..metrics import get_metric
from ..predictions import Predictions

Array = np.ndarray[Any, Any]


class Fitted(Protocol):
    "A fitted model."

    importances: dict[str, float]  # feature -> share; empty where the model does not tell

    def predict(self, table: Table) -> Array:
        "Return (n, n_outputs): a probability a class in the order of the vocab, or a value a target."
        ...


Fit = Callable[[Table], Fitted]
Choose = Callable[
    [dict[str, Predictions]], tuple[str, dict[str, Any]]
]  # predictions by variant -> (the one to use, why)


@dataclass(frozen=True)
class Model:
    "A declared model. To write your own, give a name and a fit function."

    name: str
    fit: Fit
    about: dict[str, Any] = field(default_factory=dict)  # its parameters
    choose: Choose | None = (
        None  # between what the fitted model's `variants(table)` gives; without it `predict` is asked
    )


@dataclass
class FittedFunction:
    "A fitted model made of a predict function."

    function: Callable[[Table], Array]
    importances: dict[str, float] = field(default_factory=dict)
    oob: Array | None = (
        None  # (n_fit, n_outputs) predictions by members that did not see the row; NaN where all did
    )
    oob_score: float | None = None
    estimator: Any = None  # what is inside
    members: list[Callable[[Table], Array]] = field(
        default_factory=list
    )  # the predict functions it averages

    def predict(self, table: Table) -> Array:
        "Return (n, n_outputs) predictions."
        return (
            self.function(table) if len(table) else np.empty((0, table.n_outputs))
        )  # libraries take no table without rows


def shares(names: list[str], values: Any) -> dict[str, float]:
    "Return importances as shares of one."
    values = np.clip(np.asarray(values, dtype=float), 0, None)
    return {
        n: round(float(v), 6) for n, v in zip(names, values / max(values.sum(), 1e-12), strict=True)
    }


def class_columns(probabilities: Array, classes: Any, table: Table) -> Array:
    "Spread predicted probabilities over all classes of the vocab: a class that was not there to fit on gets 0."
    out = np.zeros((len(probabilities), table.n_outputs))
    out[:, np.asarray(classes, dtype=int)] = probabilities
    return out


def oob_score(oob: Array, table: Table) -> float:
    "Return accuracy, or R2 of values, of out-of-bag predictions, as scikit-learn reports it."
    rows = ~np.isnan(oob).any(1)
    targs = np.asarray(table.targs)[rows]
    if not rows.any():
        return float("nan")
    return get_metric("accuracy" if table.vocab else "r2").score(targs, oob[rows])


class Coding:
    """Tables as numbers for models that take no categories: level codes, and medians for missing numbers, learned from the rows it is made from.

    Without `fill` gaps stay, but for columns that are empty in those rows.
    """

    def __init__(self, table: Table, *, fill: bool = True):
        self.cat, self.cont = table.cat_names, table.cont_names
        numbers = table.x[list(self.cont)]
        medians = numbers.median()
        self.fillings = medians.fillna(0.0) if fill else medians[medians.isna()].fillna(0.0)
        self.gappy = [c for c in self.cont if numbers[c].isna().any()] if fill else []

    @property
    def names(self) -> list[str]:
        "The columns of the coded rows."
        return [*self.cat, *self.cont, *(f"{c} missing" for c in self.gappy)]

    def __call__(self, table: Table) -> Array:
        "Return (n, n_features) floats: categories by code, -1 for missing or unknown."
        numbers = table.x[list(self.cont)]
        gaps = numbers[self.gappy].isna().to_numpy(dtype=float)
        codes = (
            np.column_stack([table.x[c].cat.codes for c in self.cat])
            if self.cat
            else np.empty((len(table), 0))
        )
        return np.hstack(
            [codes.astype(float), numbers.fillna(self.fillings).to_numpy(dtype=float), gaps]
        )


class OneHot:
    "Tables as scaled numbers for linear models: a sparse column a level, numbers filled by their median and scaled to mean 0 and deviation 1."

    def __init__(self, table: Table):
        self.coding = Coding(table)
        numbers = self._numbers(table)
        self.mean, self.std = numbers.mean(0), numbers.std(0)
        self.std[self.std == 0] = 1.0

    def __call__(self, table: Table) -> Any:
        "Return a sparse matrix of (n, n_columns) floats: it holds one entry a category and row, however many levels there are."
        from scipy import sparse

        levels = [
            sparse.eye_array(len(column.cat.categories) + 1, format="csr")[
                column.cat.codes.to_numpy(), :-1
            ]  # the last row, -1, is missing
            for column in (table.x[c] for c in self.coding.cat)
        ]
        return sparse.hstack(
            [*levels, sparse.csr_array((self._numbers(table) - self.mean) / self.std)], format="csr"
        )

    def _numbers(self, table: Table) -> Array:
        return self.coding(table)[:, len(self.coding.cat) :]


def as_frame(table: Table) -> pd.DataFrame:
    "Return the features in the table's order, categories kept."
    return table.x[[*table.cat_names, *table.cont_names]]
