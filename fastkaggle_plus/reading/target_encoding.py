"""Encode categories with many levels: merge rare levels, add frequencies and target means."""

import functools

import numpy as np
import pandas as pd

from ..data import Array, InFold, Table
from .columns import Features

MANY = 30  # more levels than this are many
RARE = 3  # levels with fewer rows than this are merged
RARE_LEVEL = "(rare)"
MANY_CLASSES = 10  # with more classes, a mean for each would be too many features
SMOOTHING = 10.0  # rows of the overall mean that each level's mean is mixed with
PARTS = 5  # parts of the rows to fit on: each gets means from the other four


def spread_levels(features: Features) -> tuple[Features, tuple[str, ...]]:
    """Merge rare and unseen levels of categories with many levels, and add their frequencies.

    Returns the features and the names of these categories.
    """
    train, test, cat, cont = features
    many = tuple(c for c in cat if train[c].nunique() > MANY)
    for c in many:
        counts = train[c].value_counts()
        for x in (train, test):
            n_rows = x[c].map(counts).fillna(0).astype(float)
            x[f"{c}_count"] = n_rows.clip(lower=1).where(x[c].notna())
            x[c] = x[c].where((n_rows >= RARE) | x[c].isna(), RARE_LEVEL)
    return (train, test, cat, (*cont, *(f"{c}_count" for c in many))), many


def level_means(
    categories: tuple[str, ...],
    *,
    of_log: bool = False,  # means of log(1 + target), for a metric of logarithms
) -> InFold | None:
    """Return an `in_fold` that adds the mean target of each level; None without categories."""
    return functools.partial(_add_means, categories, of_log) if categories else None


def _add_means(
    categories: tuple[str, ...], of_log: bool, fit: Table, rows: Table
) -> tuple[Table, Table]:
    """Add mean targets: to `rows` from all of `fit`, to each part of `fit` from its other parts.

    If only the row itself were left out, a tree could compute its target from the difference. The
    parts follow the split of the competition: a mean must not contain targets of the row's group.
    Source: Micci-Barreca 2001 for the smoothing, and scikit-learn's TargetEncoder for the parts.
    """
    outcomes = _outcomes(fit)
    if outcomes is None:
        return fit, rows
    outcomes = np.log1p(outcomes.clip(0)) if of_log else outcomes
    part = _parts(fit)
    for c in [c for c in categories if c in fit.cat_names]:  # a data.py may have replaced them
        names = [f"{c}_mean{i or ''}" for i in range(outcomes.shape[1])]
        column, inside = fit.x[c], np.empty_like(outcomes)
        for k in range(part.max() + 1):
            is_in = part == k
            inside[is_in] = _means(column[~is_in], outcomes[~is_in], column[is_in])
        means = _means(column, outcomes, rows.x[c])
        fit = fit.with_columns(pd.DataFrame(inside, columns=names))
        rows = rows.with_columns(pd.DataFrame(means, columns=names))
    return fit, rows


def _parts(fit: Table) -> Array:
    """Return the part of each row, from 0: blocks along time, else whole groups, else rows."""
    if fit.time is not None:
        time = np.sort(fit.time)
        block = np.searchsorted(time, fit.time) * PARTS // len(fit)  # equal times stay together
        if block.any():
            return np.unique(block, return_inverse=True)[1]
    units = np.arange(len(fit))
    if fit.groups is not None and (group := pd.factorize(fit.groups)[0]).any():
        units = group
    n = int(units.max()) + 1
    return (np.random.default_rng(0).permutation(n) % min(PARTS, n))[units]


def _outcomes(fit: Table) -> Array | None:
    """Return (n, k) targets to average: values, or 0/1 for each class but the first of two."""
    if fit.targs is None or len(fit) < 2:
        return None
    if not fit.vocab:
        return np.asarray(fit.targs, dtype=float).reshape(len(fit), -1)
    if len(fit.vocab) > MANY_CLASSES:
        return None
    classes = np.arange(len(fit.vocab) == 2, len(fit.vocab))
    return np.asarray(fit.targs[:, None] == classes, dtype=float)


def _means(levels: pd.Series, outcomes: Array, wanted: pd.Series) -> Array:
    """Return the smoothed mean outcome of each wanted row's level, (n_wanted, k).

    A level without rows has the overall mean.
    """
    codes, n = levels.cat.codes.to_numpy(), len(levels.cat.categories)
    seen = codes >= 0
    overall = outcomes.mean(0)
    counts = np.bincount(codes[seen], minlength=n)[:, None]
    sums = [np.bincount(codes[seen], weights=o[seen], minlength=n) for o in outcomes.T]
    smoothed = (np.column_stack(sums) + SMOOTHING * overall) / (counts + SMOOTHING)
    return np.asarray(np.vstack([smoothed, overall])[wanted.cat.codes.to_numpy()])
