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
_FINEST = 20  # of groups a holdout takes whole twentieths
_LEVELS = 20  # values with no more different ones than this are levels, like scores in quarters
_OFTEN = 3  # and are met so often each, on average
KINDS = ("random", "stratified", "group", "stratified-group", "time")


@dataclass(frozen=True, eq=False)
class Folds:
    """Which fold validates each training row."""

    assignment: Array  # (n_train,) integers from 0; -1: never validated (the earliest rows of a time split, all but a declared holdout)
    kind: str  # random | stratified | group | stratified-group | time
    seed: int
    rows: str = (
        ""  # `rows_fingerprint` of the targets in the order they were split; "": nobody said
    )

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.assignment.max()) + 1

    def __len__(self) -> int:
        return len(self.assignment)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.assignment, dtype=dtype)

    def splits(self) -> Iterator[tuple[Array, Array]]:
        """Yield (rows to fit on, rows to validate) per fold; along time a fold is fitted on what came before it."""
        for k in range(self.n_folds):
            fit = self.assignment < k if self.kind == "time" else self.assignment != k
            yield np.flatnonzero(fit), np.flatnonzero(self.assignment == k)

    def fingerprint(self) -> str:
        """Return a hash of the assignment."""
        return hashlib.sha256(
            self.kind.encode() + self.assignment.astype(np.int64).tobytes()
        ).hexdigest()[:16]


def rows_fingerprint(targs: Array) -> str:
    """Return a hash of the order of the rows, as their targets (n,) or (n, k) tell it; a logarithm, or labels for their codes, changes nothing."""
    columns = np.asarray(targs).reshape(len(targs), -1).T
    ranks = [
        np.unique(c.astype(str) if c.dtype == object else c, return_inverse=True)[1]
        for c in columns
    ]
    return hashlib.sha256(np.array(ranks, dtype=np.int64).tobytes()).hexdigest()[:16]


def make_folds(
    targs: Array,  # (n,) class codes or values, or (n, k) values
    *,
    n_folds: int = 5,
    seed: int = 42,
    kind: str
    | None = None,  # random | stratified | group | stratified-group | time; None: stratified for classes, else random
    groups: Array | None = None,  # (n,) for the group kinds: a group is never split
    time: Array | None = None,  # (n,) for time: sortable, equal times stay together
    holdout: float
    | None = None,  # instead of folds: the share of rows, 0.01 to 0.9, that fold 0 holds out; the others are -1
) -> Folds:
    """Assign each training row to one fold.

    Values are stratified by ten quantiles, or by their levels where these are few. Along time the rows
    fall into n_folds + 1 blocks; the first is only trained on.
    A holdout is drawn by the same rules, of groups to the nearest twentieth; along time it is the latest rows.
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
        raise DataError(
            f"n_folds must be between 2 and the number of rows ({len(targs)}), and {n_folds} came."
        )
    if kind == "time":
        return Folds(
            _along_time(_given(time, "time", kind, len(targs)), n_folds),
            kind,
            seed,
            rows_fingerprint(targs),
        )
    strata = _strata(targs) if kind.startswith("stratified") else None
    if kind.endswith("group"):
        groups = pd.factorize(
            _given(groups, "groups", kind, len(targs)), sort=True, use_na_sentinel=False
        )[0]  # sklearn is slow with words
        if (n_groups := int(groups.max()) + 1) < n_folds:
            raise DataError(
                f"{n_folds} folds need at least as many groups, and there are {n_groups}. Lower n_folds or split by another column."
            )
    splitter = {
        "random": ms.KFold,
        "stratified": ms.StratifiedKFold,
        "group": ms.GroupKFold,
        "stratified-group": ms.StratifiedGroupKFold,
    }[kind]
    assignment = np.full(len(targs), -1)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # a class with fewer rows than folds: its folds without it are still fair
        try:
            for k, (_, rows) in enumerate(
                splitter(n_folds, shuffle=True, random_state=seed).split(targs, strata, groups)
            ):
                assignment[rows] = k
        except ValueError as e:
            raise DataError(
                f'A {kind} split into {n_folds} folds is not possible: {e} Lower n_folds or use kind = "random".'
            ) from e
    return Folds(assignment, kind, seed, rows_fingerprint(targs))


def _held_out(
    targs: Array, share: float, *, seed: int, kind: str, groups: Array | None, time: Array | None
) -> Folds:
    if not 0.01 <= share <= 0.9:
        raise DataError(
            f"holdout is the share of rows to hold out, between 0.01 and 0.9, and {share} came."
        )
    if kind == "time":
        held = _latest(_given(time, "time", kind, len(targs)), share)
    elif kind.endswith("group"):
        n_groups = len(set(map(str, _given(groups, "groups", kind, len(targs)))))
        near = Fraction(share).limit_denominator(min(_FINEST, n_groups))
        n_folds = (
            max(near.denominator, min(2, n_groups)) if 0 < near < 1 else min(_FINEST, n_groups)
        )
        n_held = min(max(round(share * n_folds), 1), max(n_folds - 1, 1))
        folds = make_folds(targs, n_folds=max(n_folds, 2), seed=seed, kind=kind, groups=groups)
        held = np.isin(
            folds.assignment, np.random.default_rng(seed).permutation(folds.n_folds)[:n_held]
        )
    else:
        held = _systematic(
            _strata(targs) if kind == "stratified" else np.zeros(len(targs)), share, seed
        )
    return Folds(np.where(held, 0, -1), kind, seed, rows_fingerprint(targs))


def _systematic(strata: Array, share: float, seed: int) -> Array:
    """Draw the share of each stratum, to the row, however small it is: at even steps through the strata one after the other."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    steps = np.floor(
        np.arange(len(strata) + 1) * (round(share * len(strata)) / len(strata)) + rng.random()
    )
    held = np.zeros(len(strata), dtype=bool)
    held[order] = np.diff(steps) > 0
    if not held.any():
        held[order[0]] = True
    return held


def _latest(time: Array, share: float) -> Array:
    """The latest share of the rows; equal times stay together."""
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
    if len(levels) <= min(_LEVELS, len(values) // _OFTEN):
        return level
    return np.searchsorted(np.unique(np.quantile(values, np.linspace(0, 1, 11)[1:-1])), values)


def _given(values: Array | None, name: str, kind: str, n: int) -> Array:
    if values is None or len(values) != n:
        came = "none came" if values is None else f"{len(values)} came"
        raise DataError(
            f"kind = {kind!r} needs `{name}`, one value for each of the {n} rows, and {came}."
        )
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
