"""The effect of a split, or of a column, on the score of a quick model: a few boosted trees."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..data import Data
from ..evidence import Comparison, compare
from ..exceptions import DataError
from ..folds import Folds, dependent_rows, make_folds
from ..metrics import Metric
from ..predictions import Predictions
from . import progress
from .fitting import fit_folds
from .model import Array
from .tabular.boosting import hist_gradient_boosting_model

MOST_ROWS = 3_000  # of a measurement
MOST_FITS = 5  # with the given split, and as many with the other one
_TREES = 40  # for all classes together
_HELD = 0.2  # share of the rows that `holdout_effect` validates


def group_effect(
    data: Data,
    folds: Folds,
    group: Array,  # (n_train,) codes
    *,
    metric: str | Metric = "",
    name: str = "groups apart",
) -> Comparison | None:
    """Compare these folds with folds that keep each group in one of them, on the same rows.

    Rows are sampled in whole groups, and groups are what the test counts. None: the data has no
    features, or too few groups.
    """
    rows = whole_groups(group, MOST_ROWS)
    few, given, of = _few_rows(data, rows), _few_folds(folds, rows), group[rows]
    n_groups, n_folds = len(np.unique(of)), given.n_folds
    if n_groups < 2 or n_folds < 1:
        return None
    if n_folds == 1:  # a holdout: grouped folds of about its size
        n_folds = round(1 / max((given.assignment >= 0).mean(), 0.1))
    n_folds = max(min(n_folds, MOST_FITS, n_groups), 2)
    kind = "stratified-group"
    grouped = make_folds(few.targs, n_folds=n_folds, kind=kind, groups=of, seed=folds.seed)
    pair = ((few, given), (few, grouped))
    return _compared(*pair, metric=metric, names=("this split", name), units=of)


def holdout_effect(
    data: Data,
    folds: Folds,
    key: Array,  # (n_train,) sortable: the rows with the highest values are held out together
    *,
    metric: str | Metric = "",
    name: str,
) -> Comparison | None:
    """Compare these folds with a holdout of the fifth of the rows with the highest `key`.

    Both are judged on the held-out rows, in blocks of neighbours. None: there are no features.
    """
    rows = sampled(len(key), MOST_ROWS)
    few, given = _few_rows(data, rows), _few_folds(folds, rows)
    held = make_folds(few.targs, kind="time", time=key[rows], holdout=_HELD)
    blocks = dependent_rows(held, groups=None, time=key[rows])
    pair = ((few, given), (few, dataclasses.replace(held, kind="random")))
    return _compared(*pair, metric=metric, names=("this split", name), units=blocks)


def column_effect(
    data: Data,
    folds: Folds,
    column: str,
    values: Array | None = None,  # (n_train,) numbers or codes, if `column` is not a feature yet
    *,
    metric: str | Metric = "",
) -> Comparison | None:
    """Compare a quick model with a column to one without it, on the same folds."""
    rows = sampled(len(data.train), MOST_ROWS)
    few, given = _few_rows(data, rows), _few_folds(folds, rows)
    few = dataclasses.replace(few, in_fold=None)  # it may need the column
    if values is None:
        kept = [c for c in (*few.train.cat_names, *few.train.cont_names) if c != column]
        parts = (few.train.only(kept), few.test.only(kept))
        pair = few, dataclasses.replace(few, train=parts[0], test=parts[1])
    else:
        more = pd.DataFrame({column: np.asarray(values, dtype=float)[rows]})
        none = pd.DataFrame({column: np.full(len(few.test), np.nan)})
        parts = few.train.with_columns(more), few.test.with_columns(none)
        pair = dataclasses.replace(few, train=parts[0], test=parts[1]), few
    names = f"with {column}", f"without {column}"
    return _compared((pair[0], given), (pair[1], given), metric=metric, names=names)


def whole_groups(group: Array, most: int) -> Array:
    """Draw whole groups of about `most` rows together; of very large groups, some of their rows."""
    if len(group) <= most:
        return np.arange(len(group))
    rng = np.random.default_rng(0)
    place = np.empty(group.max() + 1, dtype=int)
    place[rng.permutation(group.max() + 1)] = np.arange(group.max() + 1)
    sizes = np.bincount(place[group])
    n_whole = max(int(np.searchsorted(np.cumsum(sizes), most)), min(len(sizes), 2 * MOST_FITS))
    rows = np.flatnonzero(place[group] < n_whole)
    return rows if len(rows) <= 2 * most else np.sort(rng.choice(rows, most, replace=False))


def sampled(n: int, most: int) -> Array:
    """Return all of n positions in order, or a random sample of them, always the same."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _few_rows(data: Data, rows: Array) -> Data:
    test = np.arange(min(1, len(data.test)))  # one row: a fit predicts test rows too
    few = data.take(rows)
    return dataclasses.replace(
        few, test=data.test.take(test), test_ids=data.test_ids[test], groups=None, time=None
    )


def _few_folds(folds: Folds, rows: Array) -> Folds:
    """Return the folds of some rows, numbered without gaps; rows of other folds only train."""
    assignment = folds.assignment[rows]
    used = np.unique(assignment[assignment >= 0])[:MOST_FITS]
    assignment = np.where(np.isin(assignment, used), np.searchsorted(used, assignment), -1)
    return Folds(assignment, folds.kind, folds.seed)


def _compared(
    a: tuple[Data, Folds],
    b: tuple[Data, Folds],
    *,
    metric: str | Metric,
    names: Sequence[str],
    units: Array | None = None,  # (n_rows,) rows of one unit depend on each other
) -> Comparison | None:
    """Fit the quick model to both; compare them on the rows that both validated."""
    try:
        first, second = (
            _quick_fit(*side, metric=metric, name=name)
            for side, name in zip((a, b), names, strict=True)
        )
        both = first.validated & second.validated
        first, second = (
            dataclasses.replace(p, oof=np.where(both[:, None], p.oof, np.nan), groups=units)
            for p in (first, second)
        )
        return compare(first, second)
    except DataError:  # the trial itself will report what is wrong with the data
        return None


def _quick_fit(data: Data, folds: Folds, *, metric: str | Metric, name: str) -> Predictions:
    from threadpoolctl import threadpool_limits  # installed with scikit-learn

    if not (data.train.cat_names or data.train.cont_names):
        raise DataError("There are no features.")
    n_trees = max(_TREES // max(len(data.vocab) - 1, 1), 5)  # boosting fits trees for each class
    model = hist_gradient_boosting_model(n_trees, learning_rate=0.1, early_stopping_rounds=0)
    # fits this small are faster on one thread, and no step of the trial's progress
    with threadpool_limits(1), progress.send_to(lambda share, position: None):
        return fit_folds(model, data, folds, metric=metric, name=name, test="folds")
