"""Group leaks: rows of one group on both sides of a split, and how much that inflates scores."""

import dataclasses
import warnings
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from ..data import Data
from ..evidence import Comparison, compare
from ..exceptions import DataError, GroupsOverlap
from ..folds import Folds, make_folds
from ..metrics import Metric
from ..predictions import Predictions
from ..reading.group_columns import group_candidates
from . import progress
from .fitting import fit_folds
from .model import Array
from .tabular.boosting import hist_gradient_boosting_model

MOST_ROWS = 3_000  # for the measurement, in whole groups
MOST_FITS = 5  # with the given split, and as many with the grouped one
_TREES = 40  # for all classes together
_MOST_CANDIDATES = 2
_ALPHA = 0.01  # a column that the data does not name as its groups needs a smaller p-value
_FEW_LEVELS = 20

# fingerprints of the folds that were checked: a sweep warns once, not for every trial
_CHECKED: WeakKeyDictionary[Data, set[str]] = WeakKeyDictionary()


@dataclass(frozen=True)
class GroupLeak:
    """Groups that a split separates, and the effect on the score."""

    column: str  # the group column
    is_named: bool  # whether the data names it; otherwise it was found
    kind: str  # of the split
    shared: float  # share of the validation rows whose group is also in the training rows
    metric: str
    split_score: float  # of a quick model with the given split; NaN: not measured
    grouped_score: float  # of the same model on the same rows, each group in one fold
    flatters: Comparison | None  # the first against the second, paired; None: not measured
    advice: str  # the kind of split to use

    def __str__(self) -> str:
        scores = (
            f"{self.metric} {self.split_score:.3f} with this split, {self.grouped_score:.3f} "
            f"with each {self.column!r} in one fold"
        )
        if self.flatters is None:
            effect = "Its effect was not measured: the table has no features, or too few groups."
        elif self.flatters.gain > 0 and not self.flatters.is_noise:
            p_value = f"p = {self.flatters.p_value:.1g}, {self.flatters.test}"
            effect = f"This makes scores too good: {scores} (a quick model, {p_value})."
        else:
            effect = (
                f"A quick model shows no effect on its score ({scores}); "
                "a model that memorizes more may show one."
            )
        groups = "data.groups" if self.is_named else f"data.raw_train[{self.column!r}]"
        return (
            f"The split is {self.kind}, and {self.shared:.0%} of the validation rows share their "
            f"{self.column!r} with training rows. {effect} "
            f'Use [split] kind = "{self.advice}", column = "{self.column}" in competition.toml, or '
            f'make_folds(data.targs, kind="{self.advice}", groups={groups}).'
        )


def check_groups(folds: Folds, data: Data) -> None:
    """Refuse grouped folds that split a group of this data. Raises DataError."""
    if not folds.kind.endswith("group") or data.groups is None:
        return
    group = _codes(data.groups)
    n_folds = pd.Series(folds.assignment).groupby(group).nunique()
    if (split := np.flatnonzero(n_folds > 1)).size:
        first = data.groups[np.flatnonzero(group == split[0])[0]]
        column = f" of {data.group_name!r}" if data.group_name else ""
        raise DataError(
            f"The folds are grouped, but they split {len(split)} of the {len(n_folds)} "
            f"groups of this data, the first {first!r}{column}: they were made for other rows, or "
            "with another column. Make them again: "
            f"make_folds(data.targs, kind={folds.kind!r}, groups=data.groups)."
        )


def warn_of_groups(data: Data, folds: Folds, *, metric: str | Metric, stacklevel: int = 3) -> None:
    """Warn (GroupsOverlap) of what `find_group_leak` finds, once for the same data and folds."""
    checked = _CHECKED.setdefault(data, set())
    if folds.fingerprint() not in checked:
        checked.add(folds.fingerprint())
        if (leak := find_group_leak(data, folds, metric=metric)) is not None:
            warnings.warn(str(leak), GroupsOverlap, stacklevel=stacklevel)


def find_group_leak(
    data: Data,
    folds: Folds,
    *,
    metric: str | Metric = "",  # or its name; default: the data's, else accuracy or rmse
) -> GroupLeak | None:
    """Return which groups the folds split, and the effect on the score; None without such a leak.

    The groups are the data's. If it names none, columns that look like groups are tried, and only a
    significant effect (p < 0.01) counts. The effect is measured with a few boosted trees, on whole
    groups of about 3,000 rows: out-of-fold predictions with these folds against grouped folds.
    A split along time is never a leak.
    """
    if folds.kind == "time":
        return None
    if data.groups is not None:
        return _leak(data, folds, data.groups, column=data.group_name or "group", metric=metric)
    if folds.kind.endswith("group") or len(data.raw_train) != len(data.train):
        return None
    id_columns = [c for c, why in data.left_out.items() if why == "id"]
    known = (*map(str, data.sample.columns), *id_columns)
    for column in group_candidates(data.raw_train, data.raw_test, known=known)[:_MOST_CANDIDATES]:
        leak = _leak(data, folds, data.raw_train[column].to_numpy(), column=column, metric=metric)
        effect = leak and leak.flatters
        if effect and effect.gain > 0 and effect.p_value < _ALPHA:
            return leak
    return None


def _leak(
    data: Data, folds: Folds, groups: Array, *, column: str, metric: str | Metric
) -> GroupLeak | None:
    group = _codes(groups)
    is_shared = [np.isin(group[rows], group[fit]) for fit, rows in folds.splits()]
    shared = float(np.concatenate(is_shared).mean())
    if not shared:
        return None
    has_levels = data.vocab != () or len(np.unique(data.targs)) <= _FEW_LEVELS
    advice = "group" if folds.kind == "random" and not has_levels else "stratified-group"
    facts = column, data.groups is not None, folds.kind, shared
    if (measured := _measure(data, folds, group, metric)) is None:
        return GroupLeak(*facts, str(metric), float("nan"), float("nan"), None, advice)
    split, grouped = measured
    scores = split.metric, split.oof_score, grouped.oof_score
    return GroupLeak(*facts, *scores, compare(split, grouped), advice)


def _measure(
    data: Data, folds: Folds, group: Array, metric: str | Metric
) -> tuple[Predictions, Predictions] | None:
    """Return a quick model's predictions of the same rows, with the folds and with grouped ones."""
    from threadpoolctl import threadpool_limits  # installed with scikit-learn

    rows = _whole_groups(group, MOST_ROWS)
    assignment, n_groups = folds.assignment[rows], len(np.unique(group[rows]))
    used = np.unique(assignment[assignment >= 0])[:MOST_FITS]
    # numbered without gaps; the rows of other folds are only fitted on
    assignment = np.where(np.isin(assignment, used), np.searchsorted(used, assignment), -1)
    n_folds = len(used)
    if not (data.train.cat_names or data.train.cont_names) or n_groups < 2 or n_folds < 1:
        return None
    if n_folds == 1:  # a holdout: grouped folds of about its size
        n_folds = round(1 / max((assignment >= 0).mean(), 0.1))
    test = np.arange(min(1, len(data.test)))  # one row: a fit predicts test rows too
    few = dataclasses.replace(
        data,
        train=data.train.take(rows),
        test=data.test.take(test),
        ids=data.ids[rows],
        test_ids=data.test_ids[test],
        groups=None,
        time=None,
    )
    grouped = make_folds(
        few.targs,
        n_folds=max(min(n_folds, MOST_FITS, n_groups), 2),
        kind="stratified-group",
        groups=group[rows],
        seed=folds.seed,
    )
    given = Folds(assignment, folds.kind, folds.seed)
    n_trees = max(_TREES // max(len(data.vocab) - 1, 1), 5)  # boosting fits trees for each class
    model = hist_gradient_boosting_model(n_trees, learning_rate=0.1, early_stopping_rounds=0)
    fit = partial(fit_folds, model, few, metric=metric, test="folds")
    try:  # fits this small are faster on one thread, and no step of the trial's progress
        with threadpool_limits(1), progress.send_to(lambda share, position: None):
            by_split = fit(given, name="this split")
            by_group = fit(grouped, name="groups apart")
    except DataError:  # the trial itself will report what is wrong with the data
        return None
    oof = np.where((assignment >= 0)[:, None], by_group.oof, np.nan)
    by_split = dataclasses.replace(by_split, groups=group[rows])
    return by_split, dataclasses.replace(by_group, groups=group[rows], oof=oof)


def _whole_groups(group: Array, most: int) -> Array:
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


def _codes(groups: Array) -> Array:
    return np.asarray(pd.factorize(np.asarray(groups), use_na_sentinel=False)[0])
