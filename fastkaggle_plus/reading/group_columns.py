"""Columns that look like groups: rows that belong together, which a random split tears apart."""

from __future__ import annotations

import pandas as pd

from .columns import (
    ENOUGH_ROWS,
    MANY_ROWS,
    MOSTLY,
    as_numbers,
    as_words,
    column_kind,
    is_written_as_number,
)

ROWS_A_VALUE = 3  # a group has so many rows on average
FEW_GROUPS = 20  # with fewer values than this it is a category
WORDS = 1.5  # more words than this on average are a phrase, not the name of a category
_TELLING = 0.05  # test rows as a share of training rows that tell whether test shares their values
_SHARED = (
    0.5  # with more of test's rows than this in groups of train, test is split like a random split
)


def group_candidates(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    known: tuple[str, ...] = (),  # columns known to be something else: the id, the targets
) -> tuple[str, ...]:
    """Return the columns whose values repeat like groups do, texts first: phrases, or values of which test holds mostly others.

    Ordinary categories are none of them: test holds their values too. So are columns with fewer than three rows a value, like Titanic's Ticket (1.3).
    """
    found = []
    for name in [c for c in train.columns if c in test.columns and c not in known]:
        column = train[name].dropna()
        n = column.nunique() if len(column) else 0
        if not FEW_GROUPS <= n <= len(column) / ROWS_A_VALUE or len(column) < MOSTLY * len(train):
            continue
        numbers = is_written_as_number(train[name])
        if (numbers and (column % 1 != 0).any()) or column_kind(str(name), train[name]) == "date":
            continue
        seen = (
            share_known(train[name], test[name]) if len(test[name].dropna()) >= ENOUGH_ROWS else 1.0
        )
        is_phrase = (
            not numbers and column.head(MANY_ROWS).astype(str).str.count(r"\S+").mean() > WORDS
        )
        tells = len(test) >= max(ENOUGH_ROWS, _TELLING * len(train))
        if seen < 1 - MOSTLY or (is_phrase and not (tells and seen > _SHARED)):
            found.append((numbers, not is_phrase, str(name)))
    return tuple(name for *_, name in sorted(found, key=lambda one: one[:2]))


def share_known(train: pd.Series, test: pd.Series) -> float:
    """Return the share of test's values that train holds; 1 where test has none."""
    form = as_numbers if is_written_as_number(train) else as_words
    known = form(test).dropna()
    return float(known.isin(form(train.drop_duplicates()).dropna()).mean()) if len(known) else 1.0
