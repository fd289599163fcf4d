"""One fold assignment, shared by every model."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .exceptions import DataError, UnknownName

Array = np.ndarray[Any, Any]
KINDS = ("random", "stratified", "group", "stratified-group", "time")


@dataclass(frozen=True, eq=False)
class Folds:
    "Which fold validates each training row."
    assignment: Array  # (n_train,) integers from 0; -1: never validated (the earliest rows of a time split, all but a declared holdout)
    kind: str          # random | stratified | group | stratified-group | time
    seed: int

    @property
    def n_folds(self) -> int:
        "Number of folds."
        return int(self.assignment.max()) + 1

    def __len__(self) -> int:
        return len(self.assignment)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.assignment, dtype=dtype)

    def splits(self) -> Iterator[tuple[Array, Array]]:
        "Yield (rows to fit on, rows to validate) per fold; along time a fold is fitted on what came before it."
        for k in range(self.n_folds):
            fit = self.assignment < k if self.kind == "time" else self.assignment != k
            yield np.flatnonzero(fit), np.flatnonzero(self.assignment == k)

    def fingerprint(self) -> str:
        "Return a hash of the assignment."
        return hashlib.sha256(self.kind.encode() + self.assignment.astype(np.int64).tobytes()).hexdigest()[:16]


def make_folds(
    targs: Array,                 # (n,) class codes or values, or (n, k) values
    *,
    n_folds: int = 5,
    seed: int = 42,
    kind: str | None = None,      # random | stratified | group | stratified-group | time; None: stratified for classes, else random
    groups: Array | None = None,  # (n,) for the group kinds: a group is never split
    time: Array | None = None,    # (n,) for time: sortable, equal times stay together
    holdout: float | None = None,   # instead of folds: the share of rows, 0.01 to 0.9, that fold 0 holds out; the others are -1
) -> Folds:
    """Assign each training row to one fold.

    Values are stratified by ten quantiles. Along time the rows fall into n_folds + 1 blocks; the first is only trained on.
    A holdout is drawn in the same way, to the nearest hundredth, of groups to the nearest twentieth; along time it is the latest rows.
    Raises DataError, UnknownName.
    """
    import pandas as pd
    from sklearn import model_selection as ms

    targs = np.asarray(targs)
    if kind is None:
        kind = "stratified" if np.issubdtype(targs.dtype, np.integer) else "random"
    if kind not in KINDS:
        raise UnknownName("split kind", kind, KINDS)
    if holdout is not None:
        return _held_out(targs, holdout, seed=seed, kind=kind, groups=groups, time=time)
    if not 2 <= n_folds <= len(targs):
        raise DataError(f"n_folds must be between 2 and the number of rows ({len(targs)}), and {n_folds} came.")
    if kind == "time":
        return Folds(_along_time(_given(time, "time", kind, len(targs)), n_folds), kind, seed)
    strata = _strata(targs) if kind.startswith("stratified") else None
    if kind.endswith("group"):
        groups = pd.factorize(_given(groups, "groups", kind, len(targs)), sort=True, use_na_sentinel=False)[0]   # sklearn is slow with words
        if (n_groups := int(groups.max()) + 1) < n_folds:
            raise DataError(f"{n_folds} folds need at least as many groups, and there are {n_groups}. Lower n_folds or split by another column.")
    splitter = {"random": ms.KFold, "stratified": ms.StratifiedKFold, "group": ms.GroupKFold, "stratified-group": ms.StratifiedGroupKFold}[kind]
    assignment = np.full(len(targs), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer rows than folds: its folds without it are still fair
        try:
            for k, (_, rows) in enumerate(splitter(n_folds, shuffle=True, random_state=seed).split(targs, strata, groups)):
                assignment[rows] = k
        except ValueError as e:
            raise DataError(f"A {kind} split into {n_folds} folds is not possible: {e} Lower n_folds or use kind = \"random\".") from e
    return Folds(assignment, kind, seed)


def _held_out(targs: Array, holdout: float, *, seed: int, kind: str, groups: Array | None, time: Array | None) -> Folds:
    "Hold out the first p of q folds, p/q being near the share that is wanted."
    if not 0.01 <= holdout <= 0.9:
        raise DataError(f"holdout is the share of rows to hold out, between 0.01 and 0.9, and {holdout} came.")
    n = len(targs)
    if kind == "time":
        time = _given(time, "time", kind, n)
        latest = time >= np.sort(time)[min(n - round(holdout * n), n - 1)]
        if latest.all():   # equal times stay together
            latest = time > time.min()
        if not latest.any():
            raise DataError("A time split needs at least two different times.")
        return Folds(np.where(latest, 0, -1), kind, seed)
    finest = min(100, n)
    if kind.endswith("group"):
        finest = min(20, len(set(map(str, _given(groups, "groups", kind, n)))))
    share = Fraction(holdout).limit_denominator(max(finest, 2))
    p, q = (share.numerator, share.denominator) if 0 < share < 1 else (1, 2) if finest < 2 else (1, finest) if share == 0 else (finest - 1, finest)
    folds = make_folds(targs, n_folds=q, seed=seed, kind=kind, groups=groups)
    return Folds(np.where(folds.assignment < p, 0, -1), kind, seed)


def _strata(targs: Array) -> Array:
    if np.issubdtype(targs.dtype, np.integer):
        return targs
    values = targs if targs.ndim == 1 else targs.mean(1)
    return np.searchsorted(np.unique(np.quantile(values, np.linspace(0, 1, 11)[1:-1])), values)


def _given(values: Array | None, name: str, kind: str, n: int) -> Array:
    if values is None or len(values) != n:
        came = "none came" if values is None else f"{len(values)} came"
        raise DataError(f"kind = {kind!r} needs `{name}`, one value for each of the {n} rows, and {came}.")
    return np.asarray(values)


def _along_time(time: Array, n_folds: int) -> Array:
    order = np.unique(time, return_inverse=True)[1]
    rank = np.argsort(np.argsort(order, kind="stable"), kind="stable")
    first_of_its_time = np.full(order.max() + 1, len(time))
    np.minimum.at(first_of_its_time, order, rank)
    block = first_of_its_time[order] * (n_folds + 1) // len(time)
    used = np.unique(block)
    if len(used) < 2:
        raise DataError("A time split needs at least two different times.")
    return np.searchsorted(used, block) - 1
