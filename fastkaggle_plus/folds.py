"""Folds: which fold validates each training row, one assignment for every model."""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .data import Array
from .exceptions import DataError, UnknownName
from .ui.records import Shown, joined

_MOST_PARTS = 20  # a holdout of groups is a whole number of twentieths
_MOST_LEVELS = 20  # up to this many different values are levels, like scores in quarters
_ROWS_PER_LEVEL = 3  # if each has so many rows on average
KINDS = ("random", "stratified", "group", "stratified-group", "time")
_TIME_BLOCKS = 20  # neighbouring rows depend on each other, see `dependent_rows`
_HOLDOUT_DRAWS = 20  # of groups; the one nearest to the share is held out
TEST_RULES = ("auto", "folds", "refit")  # see `is_refit`


@dataclass(frozen=True, eq=False, repr=False)
class Folds(Shown):
    """Which fold validates each training row."""

    assignment: Array  # (n_train,) integers from 0; -1: never validated, only trained on
    kind: str  # random | stratified | group | stratified-group | time
    seed: int
    rows: str = ""  # `rows_fingerprint` of the targets that were split; "": unknown

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.assignment.max()) + 1

    def __len__(self) -> int:
        return len(self.assignment)

    def _facts(self) -> dict[str, object]:
        sizes = np.bincount(self.assignment[self.assignment >= 0], minlength=self.n_folds)
        never = int((self.assignment < 0).sum())
        return {
            "folds": f"{self.n_folds}, {self.kind}, seed {self.seed}",
            "rows": len(self),
            "rows of each fold": joined(sizes.tolist(), most=10),
            "never validated": never or "",
        }

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.assignment, dtype=dtype)

    def splits(self) -> Iterator[tuple[Array, Array]]:
        """Yield (rows to fit on, rows to validate) per fold; a time split fits on earlier rows."""
        for k in range(self.n_folds):
            fit = self.assignment < k if self.kind == "time" else self.assignment != k
            yield np.flatnonzero(fit), np.flatnonzero(self.assignment == k)

    def fingerprint(self) -> str:
        """Return a hash of the assignment."""
        content = self.kind.encode() + self.assignment.astype(np.int64).tobytes()
        return hashlib.sha256(content).hexdigest()[:16]


def is_refit(
    test: str,  # folds: the mean of the fold models; refit: one model of all rows; auto
    kind: str,  # of the folds, see KINDS
) -> bool:
    """Say whether test rows are predicted by a model that is fitted again, on all rows.

    auto does so along time only, where no fold model has seen the latest rows. Raises UnknownName.
    """
    if test not in TEST_RULES:
        raise UnknownName("way to predict test rows (test)", test, TEST_RULES)
    return test == "refit" or (test == "auto" and kind == "time")


def dependent_rows(
    folds: Folds,
    *,
    groups: Array | None,  # (n,) the group of each row, if the data has groups
    time: Array | None,  # (n,) the time of each row, if the data has times
) -> Array | None:
    """Return (n,) codes of rows that depend on each other; None if all rows are independent.

    These are the groups, whatever the split is. Along time they are 20 blocks of neighbouring rows:
    few and long, so that the blocks hardly depend on each other. Source: Schmeiser, Batch size
    effects in the analysis of simulation output (1982).
    """
    if groups is not None:
        return np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    if folds.kind != "time" or time is None:
        return None
    order = np.unique(np.asarray(time), return_inverse=True)[1]  # equal times stay together
    edges = np.quantile(order[folds.assignment >= 0], np.linspace(0, 1, _TIME_BLOCKS + 1)[1:-1])
    return np.searchsorted(edges, order, side="right")


def rows_fingerprint(targs: Array) -> str:
    """Return a hash of the order of the rows, made from the ranks of their targets (n,) or (n, k).

    A logarithm of the targets, or labels instead of codes, do not change it.
    """
    columns = np.asarray(targs).reshape(len(targs), -1).T
    columns_as_text = [c.astype(str) if c.dtype == object else c for c in columns]
    ranks = [np.unique(c, return_inverse=True)[1] for c in columns_as_text]
    return hashlib.sha256(np.array(ranks, dtype=np.int64).tobytes()).hexdigest()[:16]


def make_folds(
    targs: Array,  # (n,) class codes or values, or (n, k) values
    *,
    n_folds: int = 5,
    seed: int = 42,
    kind: str | None = None,  # see KINDS; None: stratified for classes, else random
    groups: Array | None = None,  # (n,) for the group kinds: a group is never split
    time: Array | None = None,  # (n,) for time: sortable, equal times stay together
    holdout: float | None = None,  # instead of folds: share of rows, 0.01 to 0.9, of fold 0
) -> Folds:
    """Assign each training row to one fold.

    Values are stratified by ten quantiles, or by their levels if there are few. A time split has
    n_folds + 1 blocks of rows; the first is only trained on. A holdout follows the same rules and
    the other rows get fold -1; of groups it is a whole number of twentieths, along time it is the
    latest rows. Raises DataError, UnknownName.
    """
    targs = np.asarray(targs)
    if kind is None:
        kind = "stratified" if np.issubdtype(targs.dtype, np.integer) else "random"
    if kind not in KINDS:
        raise UnknownName("split kind", kind, KINDS)
    if holdout is not None:
        held = _held_out(targs, holdout, seed=seed, kind=kind, groups=groups, time=time)
        return Folds(np.where(held, 0, -1), kind, seed, rows_fingerprint(targs))
    if not 2 <= n_folds <= len(targs):
        raise DataError(
            f"n_folds (--folds) must be between 2 and the number of rows ({len(targs)}), got "
            f"{n_folds}."
        )
    if kind == "time":
        assignment = _along_time(_given(time, "time", kind, len(targs)), n_folds)
    else:
        assignment = _shuffled(targs, n_folds, seed=seed, kind=kind, groups=groups)
    return Folds(assignment, kind, seed, rows_fingerprint(targs))


def _shuffled(targs: Array, n_folds: int, *, seed: int, kind: str, groups: Array | None) -> Array:
    """Assign rows to folds with the splitter of scikit-learn for `kind`."""
    import pandas as pd
    from sklearn import model_selection as ms

    strata = _strata(targs) if kind.startswith("stratified") else None
    if kind.endswith("group"):
        groups = _given(groups, "groups", kind, len(targs))
        groups = pd.factorize(groups, sort=True, use_na_sentinel=False)[0]  # faster than words
        if (n_groups := int(groups.max()) + 1) < n_folds:
            raise DataError(
                f"{n_folds} folds need at least as many groups, and there are {n_groups}. "
                "Lower n_folds (--folds) or split by another column."
            )
    splitter = {
        "random": ms.KFold,
        "stratified": ms.StratifiedKFold,
        "group": ms.GroupKFold,
        "stratified-group": ms.StratifiedGroupKFold,
    }[kind](n_folds, shuffle=True, random_state=seed)
    assignment = np.full(len(targs), -1)
    with warnings.catch_warnings():
        # a class with fewer rows than folds: the folds without it are still valid
        warnings.simplefilter("ignore", UserWarning)
        try:
            for k, (_, rows) in enumerate(splitter.split(targs, strata, groups)):
                assignment[rows] = k
        except ValueError as e:  # a stratified split
            most = np.unique(np.asarray(strata), return_counts=True)[1].max()
            raise DataError(
                f"A {kind} split into {n_folds} folds is not possible: the largest class has only "
                f"{most} rows. Give n_folds (--folds) of at most {most}, or split with "
                'kind = "random".'
            ) from e
    return assignment


def _held_out(
    targs: Array, share: float, *, seed: int, kind: str, groups: Array | None, time: Array | None
) -> Array:
    """Return a mask of the rows to hold out."""
    if not 0.01 <= share <= 0.9:
        raise DataError(f"holdout is a share of the rows between 0.01 and 0.9, got {share}.")
    if kind == "time":
        return _latest(_given(time, "time", kind, len(targs)), share)
    if not kind.endswith("group"):
        strata = _strata(targs) if kind == "stratified" else np.zeros(len(targs))
        return _systematic(strata, share, seed)
    n_groups = len(set(map(str, _given(groups, "groups", kind, len(targs)))))
    near = Fraction(share).limit_denominator(min(_MOST_PARTS, n_groups))
    n_folds = min(_MOST_PARTS, n_groups)
    if 0 < near < 1:
        n_folds = max(near.denominator, min(2, n_groups))
    folds = make_folds(targs, n_folds=max(n_folds, 2), seed=seed, kind=kind, groups=groups)
    return np.isin(folds.assignment, _nearest_folds(folds, share, seed))


def _nearest_folds(folds: Folds, share: float, seed: int) -> list[int]:
    """Return some of the folds, drawn at random, with about this share of the rows together."""
    sizes, rng = np.bincount(folds.assignment), np.random.default_rng(seed)
    wanted, draws = share * len(folds), []
    for _ in range(_HOLDOUT_DRAWS):
        chosen: list[int] = []
        for k in rng.permutation(len(sizes)):
            rows = sizes[chosen].sum()
            if len(chosen) < len(sizes) - 1 and abs(rows + sizes[k] - wanted) < abs(rows - wanted):
                chosen.append(int(k))
        draws.append(chosen or [int(sizes.argmin())])
    return min(draws, key=lambda chosen: round(abs(sizes[chosen].sum() - wanted) / len(folds), 2))


def _systematic(strata: Array, share: float, seed: int) -> Array:
    """Draw the share of each stratum, however small it is.

    The strata are put one after the other, and rows are taken from them at even steps.
    """
    rng = np.random.default_rng(seed)
    n = len(strata)
    order = rng.permutation(n)
    order = order[np.argsort(strata[order], kind="stable")]
    steps = np.floor(np.arange(n + 1) * (round(share * n) / n) + rng.random())
    held = np.zeros(n, dtype=bool)
    held[order] = np.diff(steps) > 0
    if not held.any():
        held[order[0]] = True
    return held


def _latest(time: Array, share: float) -> Array:
    """Return a mask of the latest share of the rows; equal times stay together."""
    n = len(time)
    held = np.asarray(time >= np.sort(time)[min(n - round(share * n), n - 1)])
    held = held if not held.all() else np.asarray(time > time.min())
    if not held.any():
        raise DataError("A time split needs at least two different times.")
    return held


def _strata(targs: Array) -> Array:
    if np.issubdtype(targs.dtype, np.integer):
        return targs
    values = targs if targs.ndim == 1 else targs.mean(1)
    levels, level = np.unique(values, return_inverse=True)
    if len(levels) <= min(_MOST_LEVELS, len(values) // _ROWS_PER_LEVEL):
        return level
    return np.searchsorted(np.unique(np.quantile(values, np.linspace(0, 1, 11)[1:-1])), values)


def _given(values: Array | None, name: str, kind: str, n: int) -> Array:
    if values is None or len(values) != n:
        got = "none" if values is None else len(values)
        raise DataError(
            f"kind = {kind!r} needs `{name}`, one value for each of the {n} rows, got {got}."
        )
    return np.asarray(values)


def _along_time(time: Array, n_folds: int) -> Array:
    """Assign rows to n_folds + 1 blocks of about equal size, the first to -1."""
    order = np.unique(time, return_inverse=True)[1]
    earlier = np.concatenate([[0], np.cumsum(np.bincount(order))[:-1]])  # rows before each time
    if len(earlier) < 2:
        raise DataError("A time split needs at least two different times.")
    if len(earlier) <= n_folds:
        raise DataError(
            f"{n_folds} folds along time need at least {n_folds + 1} different times, and there "
            f"are {len(earlier)}. Lower n_folds (--folds), or hold out the latest (--holdout)."
        )
    first_times = [0]  # of each block
    for k in range(1, n_folds + 1):
        even = -(-k * len(time) // (n_folds + 1))
        possible = np.arange(first_times[-1] + 1, len(earlier) - n_folds + k)
        first_times.append(int(possible[np.abs(earlier[possible] - even).argmin()]))
    return np.searchsorted(first_times, order, side="right") - 2
