"""Infer the id column: from the sample submission, else from names and values."""

import re

import pandas as pd

from .columns import column_kind, is_written_as_number
from .row_ids import ROW, equal_column, first_number

_ID_NAME = re.compile(r"(?i)(.*[^a-z])?(id|ids|uid|uuid|guid|index|key)|.*[a-z]I[Dd]|id[^a-z].*")
_FILE_NAME = re.compile(r"(?i)(image|img|file|photo|picture)([ _]?(name|file|path))?")
_CODE = re.compile(r"[\w.:/-]*\d[\w.:/-]*")  # one word with a digit: 0001_01, img_1.jpg
_DENSE = 1.05  # ids that count rows fill their range, but for a few gaps
_MOSTLY = 0.95


def infer_id(
    train: pd.DataFrame, test: pd.DataFrame | None, sample: pd.DataFrame | None
) -> tuple[str, str]:
    """Return the id column and why it is the id; "row" if the rows are only numbered.

    The sample submission decides. Without one, an id has another value in every row, and is named
    like one, counts the rows, or is a code. Measurements and texts with unique values are no ids.
    """
    if sample is not None:
        return _of_sample(train, test, sample)
    parts = [train] if test is None else [train, test]
    rows = pd.concat(parts, ignore_index=True)
    shared = [c for c in train.columns if all(c in part for part in parts)]
    unique = [c for c in shared if all(p[c].is_unique and p[c].notna().all() for p in parts)]
    for name in (_ID_NAME, _FILE_NAME):
        for c in unique:
            if name.fullmatch(str(c)) and _looks_like_id(rows[c]):
                return str(c), "its name, and another value in every row"
    for c in unique:
        if _counts_rows(rows[c]):
            return str(c), "it counts the rows"
        if not is_written_as_number(rows[c]) and _are_codes(rows[c]):
            return str(c), "a code, another one in every row"
    return ROW, "no column looks like an id, so rows are numbered from 1; else: --id COLUMN"


def _of_sample(
    train: pd.DataFrame, test: pd.DataFrame | None, sample: pd.DataFrame
) -> tuple[str, str]:
    id, why = str(sample.columns[0]), "the first column of the sample submission"
    if (
        test is not None
        and id not in test
        and (other := equal_column(test, sample[id]))
        and other != id
    ):
        return id, f"{why}; equal to the column {other}"
    if id in train or (test is not None and id in test):
        return id, why
    if not is_written_as_number(sample[id]):
        return id, "the sample submission lists them in the order of the test rows"
    return id, f"no column: rows are numbered from {first_number(sample, id)}, as in the sample"


def _looks_like_id(column: pd.Series) -> bool:
    """Say whether values are whole numbers, or words without blanks and commas."""
    if is_written_as_number(column):
        return bool((column % 1 == 0).all())
    return bool(column.astype(str).str.fullmatch(r"[^\s,;]+").mean() > _MOSTLY)


def _counts_rows(column: pd.Series) -> bool:
    if not is_written_as_number(column) or column.dtype == bool or (column % 1 != 0).any():
        return False
    return bool(column.max() - column.min() + 1 <= _DENSE * len(column))


def _are_codes(column: pd.Series) -> bool:
    if column_kind(str(column.name), column) == "date":
        return False
    return bool(column.astype(str).map(_CODE.fullmatch).notna().mean() > _MOSTLY)
