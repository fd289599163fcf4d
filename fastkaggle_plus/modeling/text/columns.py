"""The text columns a model looks at, and each pair of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from ...data import Table
from ...exceptions import DataError, UnknownName


def chosen_texts(
    table: Table,
    columns: Sequence[str] = (),  # text columns; () = all
) -> pd.DataFrame:
    "Return the table's texts, one column a text. Raises DataError for a table without texts or with cells that are none, UnknownName."
    texts = checked_texts(table.texts)
    for c in columns:
        if c not in texts:
            raise UnknownName("text column", c, tuple(map(str, texts)))
    return texts[list(columns)] if columns else texts


def checked_texts(texts: pd.DataFrame | None) -> pd.DataFrame:
    'Return the texts. Raises DataError where there are none, and for a cell that is no text: a tokenizer would fail on it, or read "nan".'
    if texts is None or not len(texts.columns):
        raise DataError(
            'This table has no texts. Read the data with kind = "text" and its columns under [text] in competition.toml, or give Table.texts.'
        )
    for c in texts:
        if (
            odd := next(
                (
                    (i, cell)
                    for i, cell in enumerate(texts[c].tolist())
                    if not isinstance(cell, str)
                ),
                None,
            )
        ) is not None:
            raise DataError(
                f'The text column {c!r} holds {odd[1]!r} in row {odd[0]}, which is no text. Write "" where there is none, and numbers as words: '
                f'texts[{c!r}].fillna("").astype(str).'
            )
    return texts


def pairs_of(texts: pd.DataFrame) -> list[tuple[Any, Any]]:
    "Return the names of each two columns, in the order of the table."
    return list(combinations(texts, 2))
