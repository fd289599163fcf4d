"""What a language model reads: a row's texts written out by a template, as the numbers of their tokens."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exceptions import ConfigError, UnknownName
from ..model import Array
from .columns import checked_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SEPARATOR", "Encoder", "Tokens", "write_texts"]

SEPARATOR = "[SEP]"  # in a template: the tokenizer's own separator, whatever it is called


def write_texts(
    texts: pd.DataFrame,  # one column a text
    style: str,  # template: "TEXT1: {context}; TEXT2: {target}; ANC1: {anchor}", or with separators "{anchor}[SEP]{target}"
) -> list[list[str]]:
    """Return the parts of the template, between its separators, for each row: a list of n texts for each part.

    Raises UnknownName for a column that is not there, ConfigError for a template that does not read.
    """
    try:
        read = [list(string.Formatter().parse(part)) for part in style.split(SEPARATOR)]
    except ValueError as e:
        raise ConfigError(
            f"style = {style!r} does not read as a template ({e}). Write columns as {{name}}, and a brace itself twice."
        ) from e
    parts = [
        [
            (literal, _named(field, spec, conversion, texts))
            for literal, field, spec, conversion in part
        ]
        for part in read
    ]
    if not any(column for part in parts for _, column in part):
        raise ConfigError(
            f"style = {style!r} names no column, so all rows would read alike. Write columns as {{name}}: {', '.join(map(str, texts))}."
        )
    written = []
    for part in parts:
        rows = [""] * len(texts)
        for literal, column in part:
            if column is not None and column not in texts:
                raise UnknownName("text column in a style", column, map(str, texts))
            values = [""] * len(texts) if column is None else texts[column].tolist()
            rows = [f"{row}{literal}{value}" for row, value in zip(rows, values, strict=True)]
        written.append(rows)
    return written


def _named(
    field: str | None, spec: str | None, conversion: str | None, texts: pd.DataFrame
) -> str | None:
    "The column that a field of a template means, which may have colons in its name. Raises ConfigError for a format."
    whole = f"{field}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}"
    if field is None or whole == field or whole in texts:
        return None if field is None else whole
    raise ConfigError(
        f"A style writes texts as they are, and {{{whole}}} asks for a format. Write {{{field}}}, and make the column beforehand."
    )


@dataclass(frozen=True, eq=False)
class Tokens:
    "Rows as token numbers, one after the other."

    flat: Array  # token numbers of all rows
    types: Array  # segment of each: 0, or 1 after the first separator
    starts: Array  # (n + 1,) where each row begins
    pad: int  # the number that fills up
    n_cut: int  # rows that were longer than the model may read

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Array:
        "Tokens of each row."
        return np.diff(self.starts)

    def padded(self, rows: Array, *, multiple: int = 1) -> tuple[Array, Array, Array]:
        "Return (token numbers, mask, segments) of some rows, each (n, longest), the longest rounded up to a multiple."
        lengths = self.lengths[rows]
        width = -(-int(lengths.max()) // multiple) * multiple
        place = self.starts[rows][:, None] + np.arange(width)
        mask = np.arange(width) < lengths[:, None]
        place = np.where(mask, place, 0)
        return (
            np.where(mask, self.flat[place], self.pad),
            mask.astype(np.int64),
            np.where(mask, self.types[place], 0),
        )


class Encoder:
    "Turns the texts of a table into tokens."

    def __init__(
        self,
        tokenizer: Any,
        style: str,  # "" for the text columns one after the other
        *,
        max_len: int,  # tokens a row at most
        lower: bool = False,  # write all in small letters
        special_tokens: Sequence[str] = (),  # words that are tokens of their own, as "[A]"
    ):
        self.tokenizer, self.style, self.max_len, self.lower = tokenizer, style, max_len, lower
        if special_tokens:
            tokenizer.add_tokens(list(special_tokens), special_tokens=True)

    def __call__(self, texts: pd.DataFrame | None) -> Tokens:
        "Return the tokens of each row. Raises DataError where there are no texts, UnknownName, ConfigError."
        texts = checked_texts(texts)
        parts = write_texts(texts, self.style) if self.style else [texts[c].tolist() for c in texts]
        if self.lower:
            parts = [[row.lower() for row in part] for part in parts]
        return self._numbered(parts)

    def _numbered(self, parts: list[list[str]]) -> Tokens:
        "The first part is the first segment, the others the second."
        if not parts[0]:
            nothing = np.empty(0, dtype=np.int64)
            return Tokens(nothing, nothing, np.zeros(1, dtype=np.int64), self._pad, 0)
        between = f" {self.tokenizer.sep_token or self.tokenizer.eos_token or ''} "
        rest = (
            [between.join(row) for row in zip(*parts[1:], strict=True)] if len(parts) > 1 else None
        )
        with_special = self.tokenizer(
            parts[0],
            rest,
            truncation=False,
            add_special_tokens=True,
            return_attention_mask=False,
            verbose=False,
        )
        n_around = self.tokenizer.num_special_tokens_to_add(pair=rest is not None)
        if (
            self.max_len <= n_around
        ):  # a tokenizer would leave all rows as they are, or cut all words
            raise ConfigError(
                f"max_len = {self.max_len}: the tokenizer puts {n_around} tokens around a row, so no word would be read. "
                f"Give at least {n_around + 1}."
            )
        long = [i for i, row in enumerate(with_special["input_ids"]) if len(row) > self.max_len]
        rows, types = (
            with_special["input_ids"],
            with_special.get("token_type_ids")
            or [[0] * len(row) for row in with_special["input_ids"]],
        )
        if long:
            cut = self.tokenizer(
                [parts[0][i] for i in long],
                rest and [rest[i] for i in long],
                truncation=True,
                max_length=self.max_len,
                return_attention_mask=False,
            )
            for place, i in enumerate(long):
                rows[i] = cut["input_ids"][place]
                types[i] = (
                    cut["token_type_ids"][place] if "token_type_ids" in cut else [0] * len(rows[i])
                )
        for i in (
            i for i, row in enumerate(rows) if not row
        ):  # of a tokenizer that puts nothing around a text
            rows[i], types[i] = [self._pad], [0]
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        return Tokens(_flat(rows), _flat(types), starts, self._pad, len(long))

    @property
    def _pad(self) -> int:
        token: int | None
        for token in (
            self.tokenizer.pad_token_id,
            self.tokenizer.eos_token_id,
        ):  # GPT-2 and its like have no token for padding
            if token is not None:
                return token
        return 0


def _flat(rows: list[list[int]]) -> Array:
    return np.fromiter((token for row in rows for token in row), dtype=np.int64)
