"""Groups that a split tears apart: which share of the validation rows that is, and by how much it flatters, measured on the data's own rows."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..data import Data
from ..evidence import Comparison, compare
from ..exceptions import DataError, GroupsOverlap
from ..folds import Folds, make_folds
from ..predictions import Predictions
from ..reading.group_columns import group_candidates
from . import progress
from .model import Model

MOST_ROWS = 3_000  # measured on, in whole groups
MOST_FITS = 5  # by the split as it is, and as many by the grouped one
_TREES = 40  # of all classes together
_MOST_CANDIDATES = 2
_SURE = 0.01  # a column that nobody named is told only when its flattery is no chance

Array = np.ndarray[Any, Any]
_TOLD: WeakKeyDictionary[Data, set[str]] = (
    WeakKeyDictionary()
)  # splits that were looked at; a second trial on the same rows hears nothing new


@dataclass(frozen=True)
class GroupLeak:
    "What a split that tears groups apart is worth."

    column: str  # the group column
    is_named: bool  # whether the data names it; otherwise it was found
    kind: str  # of the split
    shared: float  # share of the validated rows whose group is among the rows fitted on
    metric: str
    split_score: float  # of a quick model, by the split as it is; NaN: not measured
    grouped_score: float  # of the same model on the same rows, with each group in one fold
    flatters: Comparison | None  # the one with the other, paired; None: not measured
    advice: str  # the kind of split to use

    def __str__(self) -> str:
        head = f"The split is {self.kind}, and {self.shared:.0%} of the validation rows share their {self.column!r} with training rows."
        scores = f"{self.metric} {self.split_score:.3f} by this split, {self.grouped_score:.3f} when each {self.column!r} is kept in one fold"
        if self.flatters is None:
            measured = "How much that flatters could not be measured: the table has no features, or too few groups."
        elif self.flatters.gain > 0 and not self.flatters.is_noise:
            measured = (
                f"Here that flatters: {scores} (a quick model, p = {self.flatters.p_value:.1g})."
            )
        else:
            measured = f"A quick model does not show that it flatters ({scores}); one that learns more by heart may."
        groups = "data.groups" if self.is_named else f"data.raw_train[{self.column!r}]"
        return (
            f'{head} {measured} Use [split] kind = "{self.advice}", column = "{self.column}" in competition.toml, or '
            f'make_folds(data.targs, kind="{self.advice}", groups={groups}).'
        )


def check_groups(folds: Folds, data: Data) -> None:
    "Refuse grouped folds that split a group of this data. Raises DataError."
    if not folds.kind.endswith("group") or data.groups is None:
        return
    group = _codes(data.groups)
    low, high = np.full(group.max() + 1, folds.n_folds), np.full(group.max() + 1, -2)
    np.minimum.at(low, group, folds.assignment)
    np.maximum.at(high, group, folds.assignment)
    if (torn := np.flatnonzero(low != high)).size:
        first = data.groups[np.flatnonzero(group == torn[0])[0]]
        raise DataError(
            f"The folds are grouped, and yet they split {len(torn)} of the {len(low)} groups of this data, the first {first!r}"
            f"{f' of {data.group_name!r}' if data.group_name else ''}: they were made for other rows, or by another column. "
            f"Make them again: make_folds(data.targs, kind={folds.kind!r}, groups=data.groups)."
        )


def warn_of_groups(data: Data, folds: Folds, *, metric: str, stacklevel: int = 3) -> None:
    "Warn (GroupsOverlap) where `find_group_leak` finds one, once for the same data and folds."
    told = _TOLD.setdefault(data, set())
    if folds.fingerprint() not in told:
        told.add(folds.fingerprint())
        if (leak := find_group_leak(data, folds, metric=metric)) is not None:
            warnings.warn(str(leak), GroupsOverlap, stacklevel=stacklevel)


def find_group_leak(
    data: Data,
    folds: Folds,
    *,
    metric: str = "",  # default: the data's, else accuracy or rmse
) -> GroupLeak | None:
    """Return what it is worth that the folds tear groups apart; None where they do not, and for a split along time.

    The groups are the data's; where it names none they are looked for, and then only a flattery that is no chance (p < 0.01) counts.
    Measured are out-of-fold predictions of a few boosted trees, by the folds and by grouped ones, on whole groups of some 3,000 rows.
    """
    if folds.kind == "time":
        return None
    if data.groups is not None:
        return _leak(data, folds, data.groups, data.group_name or "group", metric, is_named=True)
    if folds.kind.endswith("group") or len(data.raw_train) != len(data.train):
        return None
    known = (
        *map(str, data.sample.columns),
        *(c for c, why in data.left_out.items() if why == "id"),
    )
    for column in group_candidates(data.raw_train, data.raw_test, known=known)[:_MOST_CANDIDATES]:
        leak = _leak(data, folds, data.raw_train[column].to_numpy(), column, metric, is_named=False)
        if (
            leak is not None
            and leak.flatters is not None
            and leak.flatters.gain > 0
            and leak.flatters.p_value < _SURE
        ):
            return leak
    return None


def _leak(
    data: Data, folds: Folds, groups: Array, column: str, metric: str, *, is_named: bool
) -> GroupLeak | None:
    group = _codes(groups)
    fitted_on = [np.isin(group[rows], group[fit]) for fit, rows in folds.splits()]
    shared = float(np.concatenate(fitted_on).mean())
    if not shared:
        return None
    advice = (
        "group"
        if folds.kind == "random" and data.vocab == () and not _few_levels(data.targs)
        else "stratified-group"
    )
    by_split, by_group = _measured(data, folds, group, metric)
    test = None if by_split is None or by_group is None else compare(by_split, by_group)
    nan = float("nan")
    return GroupLeak(
        column,
        is_named,
        folds.kind,
        shared,
        by_split.metric if by_split else metric,
        by_split.oof_score if by_split else nan,
        by_group.oof_score if by_group else nan,
        test,
        advice,
    )


def _measured(
    data: Data, folds: Folds, group: Array, metric: str
) -> tuple[Predictions | None, Predictions | None]:
    "A quick model's predictions of the same rows, by the folds and by grouped ones."
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    from .validation import validated

    rows = _whole_groups(group, MOST_ROWS)
    if (model := _quick_model(data)) is None or len(np.unique(group[rows])) < 2:
        return None, None
    few = _only(data, rows)
    as_it_is = _renumbered(folds.assignment[rows])
    n_folds = as_it_is.max() + 1
    if n_folds < 1:
        return None, None
    n_grouped = min(
        max(n_folds, 2) if n_folds > 1 else round(1 / max((as_it_is >= 0).mean(), 0.1)),
        MOST_FITS,
        len(np.unique(group[rows])),
    )
    apart = make_folds(
        few.targs,
        n_folds=max(n_grouped, 2),
        kind="stratified-group",
        groups=group[rows],
        seed=folds.seed,
    )
    try:
        with (
            threadpool_limits(1),
            progress.heard_by(lambda share, where: None),
        ):  # small fits lose more to many threads than they win
            by_split = validated(
                model,
                few,
                Folds(as_it_is, folds.kind, folds.seed),
                metric=metric,
                name="this split",
            )
            by_group = validated(model, few, apart, metric=metric, name="groups apart")
    except (
        DataError
    ):  # of a few rows more may be wrong than of all, and the trial itself will say what is
        return None, None
    oof = np.where((as_it_is >= 0)[:, None], by_group.oof, np.nan)
    return by_split, dataclasses.replace(by_group, oof=oof)


def _quick_model(data: Data) -> Model | None:
    from .tabular.boosting import hist_gradient_boosting_model

    n_trees = max(_TREES // max(len(data.vocab) - 1, 1), 5)  # each class has its own
    return (
        hist_gradient_boosting_model(n_trees, learning_rate=0.1)
        if data.train.cat_names or data.train.cont_names
        else None
    )


def _whole_groups(group: Array, most: int) -> Array:
    "Rows of as many whole groups, drawn at random, as make up so many; of larger groups some of their rows."
    if len(group) <= most:
        return np.arange(len(group))
    rng = np.random.default_rng(0)
    place = np.empty(group.max() + 1, dtype=int)
    place[rng.permutation(group.max() + 1)] = np.arange(group.max() + 1)
    sizes = np.bincount(place[group])
    n_whole = max(int(np.searchsorted(np.cumsum(sizes), most)), min(len(sizes), 2 * MOST_FITS))
    rows = np.flatnonzero(place[group] < n_whole)
    return rows if len(rows) <= 2 * most else np.sort(rng.choice(rows, most, replace=False))


def _renumbered(assignment: Array) -> Array:
    "Folds numbered without gaps, at most MOST_FITS of them validated; the rows of the others are only fitted on."
    used = np.unique(assignment[assignment >= 0])[:MOST_FITS]
    return np.where(np.isin(assignment, used), np.searchsorted(used, assignment), -1)


def _only(data: Data, rows: Array) -> Data:
    "The data of these rows, with a test row for form's sake."
    test = np.arange(min(1, len(data.test)))
    return dataclasses.replace(
        data,
        train=data.train.take(rows),
        test=data.test.take(test),
        ids=data.ids[rows],
        test_ids=data.test_ids[test],
        groups=None,
        time=None,
    )


def _few_levels(targs: Array) -> bool:
    return len(np.unique(targs)) <= 20


def _codes(groups: Array) -> Array:
    import pandas as pd

    return np.asarray(pd.factorize(np.asarray(groups), use_na_sentinel=False)[0])
