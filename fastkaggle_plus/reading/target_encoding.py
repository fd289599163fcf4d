"""Categories with many levels: rare levels merged, each level's frequency, and its mean target computed inside a fold."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from ..data import InFold, Table
from .columns import Features

MANY = 30  # more levels than this are many
RARE = 3  # levels seen less often than this become one
RARE_LEVEL = "(rare)"
MANY_CLASSES = 10  # with more classes a mean for each would swamp the other features
SMOOTHING = 10.0  # rows of the overall mean that each level's mean is mixed with
PARTS = 5  # parts of the rows to fit on: each gets means from the other four


def spread_levels(features: Features) -> tuple[Features, tuple[str, ...]]:
    """Merge rare and unseen levels of the categories with many, add their frequency in train, and return those categories too."""
    train, test, cat, cont = features
    many = tuple(c for c in cat if train[c].nunique() > MANY)
    for c in many:
        counts = train[c].value_counts()
        for x in (train, test):
            often = x[c].map(counts).fillna(0).astype(float)
            x[f"{c}_count"] = often.clip(lower=1).where(x[c].notna())
            x[c] = x[c].where((often >= RARE) | x[c].isna(), RARE_LEVEL)
    return (train, test, cat, (*cont, *(f"{c}_count" for c in many))), many


def level_means(
    categories: tuple[str, ...],
    *,
    of_log: bool = False,  # means of log(1 + target), for a score of logarithms
) -> InFold | None:
    """Return an `in_fold` that adds the mean target of each level of `categories`, or None without any."""
    return functools.partial(_add_means, categories, of_log) if categories else None


def _add_means(
    categories: tuple[str, ...], of_log: bool, fit: Table, rows: Table
) -> tuple[Table, Table]:
    """Add mean targets: to `rows` from all of `fit`, to each part of `fit` from its other parts.

    Leaving out only the row itself would let a tree read its target off the difference; hence the parts.
    Source: Micci-Barreca 2001 for the smoothing, and scikit-learn's TargetEncoder for the parts.
    """
    outcomes = _outcomes(fit)
    if outcomes is None:
        return fit, rows
    outcomes = np.log1p(outcomes.clip(0)) if of_log else outcomes
    part = np.random.default_rng(0).permutation(len(fit)) % min(PARTS, len(fit))
    for c in [c for c in categories if c in fit.cat_names]:  # a data.py may have replaced them
        names = [f"{c}_mean{i or ''}" for i in range(outcomes.shape[1])]
        inside = np.empty_like(outcomes)
        for k in range(part.max() + 1):
            inside[part == k] = _means(
                fit.x[c][part != k], outcomes[part != k], fit.x[c][part == k]
            )
        means = _means(fit.x[c], outcomes, rows.x[c])
        fit = fit.with_columns(pd.DataFrame(inside, columns=names))
        rows = rows.with_columns(pd.DataFrame(means, columns=names))
    return fit, rows


def _outcomes(fit: Table) -> np.ndarray[Any, Any] | None:
    """Targets as (n, k) numbers whose mean says something: values, or a 0/1 column for each class but the first of two."""
    if fit.targs is None or len(fit) < 2:
        return None
    if not fit.vocab:
        return np.asarray(fit.targs, dtype=float).reshape(len(fit), -1)
    if len(fit.vocab) > MANY_CLASSES:
        return None
    return np.asarray(
        fit.targs[:, None] == np.arange(len(fit.vocab) == 2, len(fit.vocab)), dtype=float
    )


def _means(
    levels: pd.Series, outcomes: np.ndarray[Any, Any], wanted: pd.Series
) -> np.ndarray[Any, Any]:
    """Smoothed mean outcome of the level of each wanted row, (n_wanted, k); the overall mean for a level not seen."""
    codes, n = levels.cat.codes.to_numpy(), len(levels.cat.categories)
    seen = codes >= 0
    overall = outcomes.mean(0)
    counts = np.bincount(codes[seen], minlength=n)[:, None]
    sums = np.column_stack(
        [np.bincount(codes[seen], weights=o[seen], minlength=n) for o in outcomes.T]
    )
    table = np.vstack([(sums + SMOOTHING * overall) / (counts + SMOOTHING), overall])
    return np.asarray(table[wanted.cat.codes.to_numpy()])
