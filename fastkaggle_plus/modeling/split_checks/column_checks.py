"""Columns: copies of the target, levels that train lacks, constants, columns of one file only."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ...data import Data
from ...folds import Folds
from ...metrics import Metric
from ...reading.columns import column_kind
from ...ui.records import joined
from ..model import Array
from ..quick_effect import column_effect, group_effect, sampled
from .copies import shared_cells
from .split_finding import LEVEL, Finding
from .twins import surplus_of_twins

_COPY = 0.98  # share of the target's variance that one column explains, on other rows
_MOST_LEAVES, _MOST_ROWS = 256, 5_000
_NEW = 0.05  # share of test rows with new levels, beyond the share of the validation rows
_FEW_GROUPS = 10  # with fewer levels, folds of whole levels differ too much


def check_target_copies(
    data: Data, folds: Folds, *, metric: str | Metric = ""
) -> Iterator[Finding]:
    """Yield features that are the target in disguise: one column alone explains it."""
    rows = sampled(len(data.train), _MOST_ROWS)
    x, targs = data.train.x.iloc[rows], np.asarray(data.targs)[rows]
    if data.vocab:
        y = np.eye(len(data.vocab))[targs]
    else:  # ranks, because the column may be a logarithm of the target
        y = pd.DataFrame(targs.reshape(len(targs), -1)).rank().to_numpy()
    half = np.random.default_rng(0).permutation(len(y)) % 2 == 0
    for column in (*data.train.cat_names, *data.train.cont_names):
        is_category = column in data.train.cat_names
        values = x[column].cat.codes if is_category else x[column]
        if (share := _explained(values.to_numpy(dtype=float), y, half)) >= _COPY:
            yield Finding(
                "copy of the target",
                column,
                f"{column} alone explains {share:.1%} of the target, on rows that were not fitted.",
                "Is it known when a prediction is made, and the same in test? If not, drop it.",
                column_effect(data, folds, column, metric=metric),
            )


def check_levels(
    data: Data, folds: Folds, *, metric: str | Metric = "", skip: tuple[str, ...] = ()
) -> Iterator[Finding]:
    """Yield columns of words where test has levels that train lacks more often than folds have."""
    cells = shared_cells(data)
    words = [c for c in cells if c not in skip and not pd.api.types.is_numeric_dtype(cells[c])]
    words = [c for c in words if column_kind(str(c), cells[c]) in ("category", "phrases")]
    for column in words:
        codes = np.asarray(pd.factorize(cells[column], use_na_sentinel=False)[0])
        shares = surplus_of_twins(codes, folds)
        if shares.difference <= _NEW or shares.p_value >= LEVEL / len(words):
            continue
        levels = codes[: len(folds)]
        name = f"with each {column} in one fold"
        is_enough = len(np.unique(levels)) >= _FEW_GROUPS
        kind = "stratified-group" if data.vocab else "group"
        yield Finding(
            "levels that train lacks",
            str(column),
            f"{1 - shares.test:.0%} of the test rows have a level that no training row has; in the "
            f"folds it is {1 - shares.validation:.0%} of the validation rows.",
            f"Split by {column}, or drop it: a model learns nothing about new levels.",
            group_effect(data, folds, levels, metric=metric, name=name) if is_enough else None,
            shares.p_value,
            shares.test_name,
            split={"kind": kind, "column": str(column)} if is_enough else {},
        )


def unused_columns(data: Data) -> Iterator[Finding]:
    """Yield notes on columns that no model can use."""
    train, test = data.raw_train, data.raw_test
    answers = [str(c) for c in data.sample]
    notes = {
        "constant column": ([c for c in train if train[c].nunique(dropna=False) < 2],
                            "has one value in train"),
        "column in train only": ([c for c in train if c not in test], "is not in test"),
        "column in test only": ([c for c in test if c not in train], "is not in train"),
    }  # fmt: skip
    for kind, (columns, why) in notes.items():
        if found := [str(c) for c in columns if str(c) not in answers]:
            what = "It" if len(found) == 1 else f"Each of these {len(found)} columns"
            text = f"{what} {why}: no model can use it."
            yield Finding(kind, joined(found), text, is_note=True)


def _explained(values: Array, y: Array, half: Array) -> float:
    """Return R² of a tree of one column, fitted to one half of the rows, on the other half."""
    from sklearn.tree import DecisionTreeRegressor

    error, x = 0.0, values.reshape(-1, 1)
    for fit in (half, ~half):
        tree = DecisionTreeRegressor(max_leaf_nodes=_MOST_LEAVES, min_samples_leaf=3)
        predicted = tree.fit(x[fit], y[fit]).predict(x[~fit]).reshape(-1, y.shape[1])
        error += float(((y[~fit] - predicted) ** 2).sum())
    return 1 - error / max(float(((y - y.mean(0)) ** 2).sum()), 1e-12)
