"""Later rows: whether all test rows are later than the training rows, by a date or a number."""

import numpy as np
import pandas as pd

from ...data import Data
from ...folds import Folds
from ...metrics import Metric
from ...reading.columns import as_numbers, column_kind, read_dates
from ..model import Array
from ..quick_effect import holdout_effect
from .copies import shared_cells
from .split_finding import Finding

_LATER = 0.99  # probability that a test row is later than a training row
_ENOUGH_ROWS = 20  # test rows


def find_later_rows(
    data: Data,
    folds: Folds,
    *,
    metric: str | Metric = "",
    skip: str | None = None,  # a column of groups: its numbers are names
) -> Finding | None:
    """Return the column by which the test rows are later, and the effect of not splitting by it.

    Dates count first, then numbers.
    """
    columns = measured_columns(data)
    shares = {c: share for c, share in later_columns(data).items() if c != skip}
    if folds.kind == "time" or not shares:
        return None
    name = max(shares, key=lambda c: (columns[c][0] == "date", shares[c]))
    later, values = shares[name], columns[name][1][: len(folds)]
    values = np.where(np.isnan(values), np.nanmin(values), values)
    return Finding(
        "test rows are later",
        name,
        f"A test row has a later or larger {name} than a training row in {later:.1%} of all pairs, "
        f"and the split is {folds.kind}.",
        f"Validate on later rows: split along {name}.",
        holdout_effect(data, folds, values, metric=metric, name="with the latest rows held out"),
        split={"kind": "time", "column": name},
    )


def later_columns(data: Data) -> dict[str, float]:
    """Return the columns by which test rows are later, with the share of pairs that shows it."""
    n = len(data.train)
    shares = {c: _share_later(v[:n], v[n:]) for c, (_, v) in measured_columns(data).items()}
    return {c: share for c, share in shares.items() if share >= _LATER}


def measured_columns(data: Data) -> dict[str, tuple[str, Array]]:
    """Return kind and (n_train + n_test,) floats of each shared column of numbers or dates."""
    found, cells = {}, shared_cells(data)
    for name in cells:
        kind = column_kind(str(name), cells[name])
        if kind == "number":
            found[str(name)] = kind, as_numbers(cells[name]).to_numpy()
        elif kind == "date":
            days = (read_dates(cells[name]) - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)
            found[str(name)] = kind, days.to_numpy()
    return found


def _share_later(train: Array, test: Array) -> float:
    """Return the share of pairs in which the test row is later; ties count half."""
    train, test = train[~np.isnan(train)], test[~np.isnan(test)]
    if len(test) < _ENOUGH_ROWS or not len(train):
        return 0.0
    train = np.sort(train)
    later = np.searchsorted(train, test, "left") + np.searchsorted(train, test, "right")
    return float(later.mean() / 2 / len(train))
