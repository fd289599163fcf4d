"""Find columns that look like groups: rows that belong together and should not be split."""

import pandas as pd

from .columns import ENOUGH_ROWS, MANY_ROWS, MOSTLY, column_kind, is_written_as_number, share_known

ROWS_A_VALUE = 3  # minimum of rows in a group, on average
FEW_GROUPS = 20  # a column with fewer values than this is a category
WORDS = 1.5  # more words than this on average are a phrase, not the name of a category
_LARGE_TEST = 0.05  # share of training rows that test needs to show whether it shares their values
_SHARED = 0.5  # with more of its rows than this in groups of train, test was split at random


def group_candidates(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    known: tuple[str, ...] = (),  # columns known to be something else: the id, the targets
) -> tuple[str, ...]:
    """Return the columns whose values repeat like groups do, phrases first.

    They contain phrases, or values that mostly differ between train and test. Ordinary categories
    are left out, because test has their values too; so are columns with fewer than three rows a
    value, like Titanic's Ticket (1.3).
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
        shared = share_known(train[name], test[name])
        words = column.head(MANY_ROWS).astype(str).str.count(r"\S+")
        is_phrase = not numbers and words.mean() > WORDS
        is_large_test = len(test) >= max(ENOUGH_ROWS, _LARGE_TEST * len(train))
        if shared < 1 - MOSTLY or (is_phrase and not (is_large_test and shared > _SHARED)):
            found.append((numbers, not is_phrase, str(name)))
    return tuple(name for *_, name in sorted(found, key=lambda found: found[:2]))
