"""Write each row's texts with a template, and encode them as token numbers."""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import ConfigError, DataError, UnknownName
from ..model import Array

SEPARATOR = "[SEP]"  # in a template: is replaced by the tokenizer's separator


def write_texts(
    texts: pd.DataFrame,  # one column per text
    style: str,  # template: "TEXT1: {context}; ANC1: {anchor}", or "{anchor}[SEP]{target}"
) -> list[list[str]]:
    """Return the parts of the template, between its separators: for each part a list of n texts.

    Raises UnknownName for a missing column, ConfigError for an invalid template.
    """
    try:
        parts = [list(string.Formatter().parse(part)) for part in style.split(SEPARATOR)]
    except ValueError as e:
        raise ConfigError(
            f"style = {style!r} is not a valid template ({e}). Write columns as {{name}}, and "
            "double a brace that is part of the text."
        ) from e
    if not any(field for part in parts for _, field, *_ in part):
        raise ConfigError(
            f"style = {style!r} names no column, so all rows would read the same. Write columns as "
            f"{{name}}: {', '.join(map(str, texts))}."
        )
    return [_write_part(part, texts) for part in parts]


def _write_part(part: list[Any], texts: pd.DataFrame) -> list[str]:
    rows = [""] * len(texts)
    for literal, field, spec, conversion in part:
        rows = [row + literal for row in rows]
        if field is not None:
            values = texts[_column(field, spec, conversion, texts)].tolist()
            rows = [f"{row}{value}" for row, value in zip(rows, values, strict=True)]
    return rows


def _column(field: str, spec: str, conversion: str | None, texts: pd.DataFrame) -> str:
    """Return the column of a template's field; its name may contain colons."""
    name = f"{field}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}"
    if name in texts:
        return name
    if name == field:
        raise UnknownName("text column in a style", name, map(str, texts))
    raise ConfigError(
        f"A style writes texts as they are, but {{{name}}} has a format. Write {{{field}}}, and "
        "format the column first."
    )


@dataclass(frozen=True, eq=False)
class Tokens:
    """Rows as token numbers, one row after the other."""

    flat: Array  # token numbers of all rows
    types: Array  # the segment of each token: 0, or 1 after the first separator
    starts: Array  # (n + 1,) where each row begins
    pad: int  # the number for padding
    cut: tuple[int, ...]  # rows that were too long and were cut

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Array:
        """Number of tokens per row."""
        return np.diff(self.starts)

    def padded(self, rows: Array, *, multiple: int = 1) -> tuple[Array, Array, Array]:
        """Return (token numbers, mask, segments) of rows, each (n, longest up to a multiple)."""
        lengths = self.lengths[rows]
        width = -(-int(lengths.max()) // multiple) * multiple
        mask = np.arange(width) < lengths[:, None]
        place = np.where(mask, self.starts[rows][:, None] + np.arange(width), 0)
        tokens = np.where(mask, self.flat[place], self.pad)
        return tokens, mask.astype(np.int64), np.where(mask, self.types[place], 0)


class Encoder:
    """Encodes the texts of a table as tokens."""

    def __init__(
        self,
        tokenizer: Any,
        style: str,  # "" for the text columns one after the other
        *,
        max_len: int,  # tokens per row; longer rows are cut
        lower: bool = False,  # write everything in lower case
        special_tokens: Sequence[str] = (),  # words that become single tokens, as "[A]"
    ):
        self.tokenizer, self.style, self.max_len, self.lower = tokenizer, style, max_len, lower
        if special_tokens:
            tokenizer.add_tokens(list(special_tokens), special_tokens=True)

    def __call__(self, texts: pd.DataFrame | None) -> Tokens:
        """Return the tokens of each row; the first text or part is segment 0, the others 1.

        Raises DataError for a table without texts, UnknownName, ConfigError.
        """
        texts = checked_texts(texts)
        parts = write_texts(texts, self.style) if self.style else [texts[c].tolist() for c in texts]
        if self.lower:
            parts = [[row.lower() for row in part] for part in parts]
        first, second = parts[0], None
        if len(parts) > 1:
            separator = f" {self.tokenizer.sep_token or self.tokenizer.eos_token or ''} "
            second = [separator.join(row) for row in zip(*parts[1:], strict=True)]
        n_around = self.tokenizer.num_special_tokens_to_add(pair=second is not None)
        if self.max_len <= n_around:
            raise ConfigError(
                f"max_len = {self.max_len}: the tokenizer puts {n_around} tokens around a row, so "
                f"no word would be left. Give at least {n_around + 1}."
            )
        rows, types = self._encode(first, second)
        too_long = [i for i, row in enumerate(rows) if len(row) > self.max_len]
        second = None if second is None else [second[i] for i in too_long]
        cut = self._encode([first[i] for i in too_long], second, truncation=True)
        for i, *rows_and_types in zip(too_long, *cut, strict=True):
            rows[i], types[i] = rows_and_types
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        return Tokens(_flat(rows), _flat(types), starts, self._pad, tuple(too_long))

    def _encode(
        self, first: list[str], second: list[str] | None, *, truncation: bool = False
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Return token numbers and segments; a row without tokens becomes one token of padding."""
        if not first:
            return [], []
        encoded = self.tokenizer(
            first,
            second,
            truncation=truncation,
            max_length=self.max_len if truncation else None,
            return_attention_mask=False,
            verbose=False,
        )
        rows = [row or [self._pad] for row in encoded["input_ids"]]
        if "token_type_ids" in encoded:
            return rows, [types or [0] for types in encoded["token_type_ids"]]
        return rows, [[0] * len(row) for row in rows]

    @property
    def _pad(self) -> int:
        """GPT-2 and similar models have no padding token; the end token serves as well."""
        tokens = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((token for token in tokens if token is not None), 0)


def _flat(rows: list[list[int]]) -> Array:
    return np.fromiter((token for row in rows for token in row), dtype=np.int64)


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
                    f"The text column {column!r} has {cell!r} in row {row}; expected a string. "
                    f'Fill missing texts with "" and write numbers as strings: '
                    f'texts[{column!r}].fillna("").astype(str).'
                )
    return texts


def chosen_texts(
    table: Table,
    columns: Sequence[str] = (),  # text columns; () = all
) -> pd.DataFrame:
    """Return the table's texts, one column per text. Raises UnknownName; see `checked_texts`."""
    texts = checked_texts(table.texts)
    for column in columns:
        if column not in texts:
            raise UnknownName("text column", column, tuple(map(str, texts)))
    return texts[list(columns)] if columns else texts
