"""Encode categories with many levels: merge rare levels, add frequencies and target means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


def level_counts(features: Features) -> dict[str, dict[Any, int]]:
    """Return the rows of each level, for each category with many levels."""
    train, _, cat, _ = features
    many = [c for c in cat if train[c].nunique() > MANY]
    return {c: train[c].value_counts().to_dict() for c in many}


def spread_levels(features: Features, counts: dict[str, dict[Any, int]]) -> Features:
    """Merge rare and unseen levels of categories with many levels, and add their frequencies."""
    train, test, cat, cont = features
    names = (*cont, *(f"{c}_count" for c in counts))
    return with_counts(train, counts), with_counts(test, counts), cat, names


def with_counts(x: pd.DataFrame, counts: dict[str, dict[Any, int]]) -> pd.DataFrame:
    """Return features with the frequency of each level, and rare levels as one."""
    x = x.copy()
    for c, known in counts.items():
        n_rows = x[c].map(known).fillna(0).astype(float)
        x[f"{c}_count"] = n_rows.clip(lower=1).where(x[c].notna())
        x[c] = x[c].where((n_rows >= RARE) | x[c].isna(), RARE_LEVEL)
    return x


def level_means(
    categories: tuple[str, ...],
    *,
    of_log: bool = False,  # means of log(1 + target), for a metric of logarithms
) -> InFold | None:
    """Return an `in_fold` that adds the mean target of each level; None without categories."""
    return LevelMeans(categories, of_log) if categories else None


@dataclass(frozen=True)
class LevelMeans:
    """Adds mean targets: to `rows` from all of `fit`, to each part of `fit` from its other parts.

    If only the row itself were left out, a tree could compute its target from the difference. The
    parts follow the split of the competition: a mean must not contain targets of the row's group.
    Source: Micci-Barreca 2001 for the smoothing, and scikit-learn's TargetEncoder for the parts.
    """

    categories: tuple[str, ...]
    of_log: bool

    def __call__(self, fit: Table, rows: Table) -> tuple[Table, Table]:
        """Return both tables with the means."""
        outcomes, add = self._outcomes(fit), self.fitted(fit)
        if outcomes is None:
            return fit, rows
        part, with_means = _parts(fit), fit
        for c in add.means:
            column, inside = fit.x[c], np.empty_like(outcomes)
            for k in range(part.max() + 1):
                is_in = part == k
                means = _means(column[~is_in], outcomes[~is_in])
                inside[is_in] = means[column[is_in].cat.codes.to_numpy()]
            with_means = with_means.with_columns(_named(c, inside))
        return with_means, add(rows)

    def fitted(self, fit: Table) -> FittedMeans:
        """Return the means of all of `fit`."""
        if (outcomes := self._outcomes(fit)) is None:
            return FittedMeans({})
        known = [c for c in self.categories if c in fit.cat_names]  # a data.py may replace them
        return FittedMeans({c: _means(fit.x[c], outcomes) for c in known})

    def _outcomes(self, fit: Table) -> Array | None:
        outcomes = _outcomes(fit)
        return np.log1p(outcomes.clip(0)) if outcomes is not None and self.of_log else outcomes


@dataclass(frozen=True, eq=False)
class FittedMeans:
    """Adds the mean target of each level to new rows."""

    means: dict[str, Array]  # by category: one row for each level, the last for other levels

    def __call__(self, rows: Table) -> Table:
        """Return the table with the means."""
        for c, means in self.means.items():
            rows = rows.with_columns(_named(c, means[rows.x[c].cat.codes.to_numpy()]))
        return rows


def _named(category: str, means: Array) -> pd.DataFrame:
    names = [f"{category}_mean{i or ''}" for i in range(means.shape[1])]
    return pd.DataFrame(means, columns=names)


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


def _means(levels: pd.Series, outcomes: Array) -> Array:
    """Return the smoothed mean outcome of each level, (n_levels + 1, k).

    A level without rows has the overall mean, which is also the last row, for missing levels.
    """
    codes, n = levels.cat.codes.to_numpy(), len(levels.cat.categories)
    seen = codes >= 0
    overall = outcomes.mean(0)
    counts = np.bincount(codes[seen], minlength=n)[:, None]
    sums = [np.bincount(codes[seen], weights=o[seen], minlength=n) for o in outcomes.T]
    smoothed = (np.column_stack(sums) + SMOOTHING * overall) / (counts + SMOOTHING)
    return np.vstack([smoothed, overall])
