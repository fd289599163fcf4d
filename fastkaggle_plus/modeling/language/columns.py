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
    columns: Sequence[str] = (),   # text columns; () = all
) -> pd.DataFrame:
    "Return the table's texts, one column a text. Raises DataError for a table without texts, UnknownName."
    if table.texts is None or not len(table.texts.columns):
        raise DataError("This table has no texts. Read the data with kind = \"text\" and its columns under [text] in competition.toml, or give Table.texts.")
    for c in columns:
        if c not in table.texts:
            raise UnknownName("text column", c, tuple(map(str, table.texts)))
    return table.texts[list(columns)] if columns else table.texts


def pairs_of(texts: pd.DataFrame) -> list[tuple[Any, Any]]:
    "Return the names of each two columns, in the order of the table."
    return list(combinations(texts, 2))
