"""Choose and check the text columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...data import Table
from ...exceptions import DataError, UnknownName


def chosen_texts(
    table: Table,
    columns: Sequence[str] = (),  # text columns; () = all
) -> pd.DataFrame:
    """Return the table's texts, one column per text.

    Raises UnknownName for a column, and DataError for a table without texts or a cell without one.
    """
    texts = checked_texts(table.texts)
    for column in columns:
        if column not in texts:
            raise UnknownName("text column", column, tuple(map(str, texts)))
    return texts[list(columns)] if columns else texts


def checked_texts(texts: pd.DataFrame | None) -> pd.DataFrame:
    """Return the texts. Raises DataError if there are none, or if a cell is not a string.

    A tokenizer would fail on such a cell, or read it as "nan".
    """
    if texts is None or not len(texts.columns):
        raise DataError(
            'This table has no texts. Read the data with kind = "text" and its columns under '
            "[text] in competition.toml, or give Table.texts."
        )
    for column in texts:
        for row, cell in enumerate(texts[column].tolist()):
            if not isinstance(cell, str):
                raise DataError(
                    f"The text column {column!r} holds {cell!r} in row {row}; expected a string. "
                    f'Fill missing texts with "" and write numbers as strings: '
                    f'texts[{column!r}].fillna("").astype(str).'
                )
    return texts
