"""Read csv files: their encodings, separators and quotes, and the columns that they need."""

import contextlib
import csv
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..exceptions import DataError, did_you_mean, listed
from .columns import is_written_as_number

Names = tuple[str, ...]
_SEPARATORS = (",", ";", "\t", "|")
_ENOUGH_LINES = 20  # read to find the separator
# options of pandas that read each line as one cell
_WHOLE_LINES: dict[str, Any] = dict(
    sep="\0", header=None, quoting=csv.QUOTE_NONE, dtype=str, keep_default_na=False
)


def quoting_of(frame: pd.DataFrame) -> Literal[0, 1]:
    """Return the `quoting` of to_csv with which the csv reads back unchanged.

    Readers end a line at a lone carriage return, but writers do not quote a cell for it.
    """
    words = [frame[c].astype(str) for c in frame if not is_written_as_number(frame[c])]
    has_returns = any(w.str.contains("\r", regex=False).any() for w in words)
    return csv.QUOTE_ALL if has_returns else csv.QUOTE_MINIMAL


def parse_csv(file: str | Path, **options: Any) -> pd.DataFrame:
    """Read a csv with pandas. Its separator is found, and its encoding.

    The encoding is UTF-8, UTF-16 with its mark, or a western European one. In a file that is mostly
    UTF-8, each byte that is not becomes U+FFFD.
    """
    return _decode(file, **{"sep": separator_of(file), **options})


def _decode(file: str | Path, **options: Any) -> pd.DataFrame:
    with open(file, "rb") as f:
        has_utf16_mark = f.read(2) in (b"\xff\xfe", b"\xfe\xff")
    if has_utf16_mark:
        return pd.read_csv(file, encoding="utf-16", **options)
    with contextlib.suppress(UnicodeDecodeError):
        return pd.read_csv(file, encoding="utf-8", **options)
    if _is_mostly_utf8(file):
        return pd.read_csv(file, encoding="utf-8", encoding_errors="replace", **options)
    with contextlib.suppress(UnicodeDecodeError):
        return pd.read_csv(file, encoding="cp1252", **options)
    return pd.read_csv(file, encoding="latin-1", **options)  # every byte is a character


def _is_mostly_utf8(file: str | Path) -> bool:
    """Say whether most characters that are not ASCII can be read as UTF-8."""
    options: dict[str, Any] = dict(encoding="utf-8", encoding_errors="replace")
    lines = pd.read_csv(file, **options, **_WHOLE_LINES)[0]
    broken = lines.str.count("\ufffd").sum()
    not_ascii = lines.str.count(r"[^\x00-\x7f]").sum()
    return bool(broken < not_ascii / 2)


def separator_of(file: str | Path) -> str:
    """Return what separates the cells of a csv file: a comma, semicolon, tab or bar.

    It is the mark that splits the heading and the first rows into equally many cells, a comma if
    several do.
    """
    with contextlib.suppress(ValueError, KeyError, csv.Error):
        lines = _decode(file, nrows=_ENOUGH_LINES, **_WHOLE_LINES)[0].tolist()
        for mark in _SEPARATORS:
            rows = list(csv.reader(lines, delimiter=mark))
            widths = {len(row) for row in rows[:-1] or rows}  # the last one may be cut
            if len(widths) == 1 and widths.pop() > 1:
                return mark
    return ","


def need_columns(
    frame: pd.DataFrame,
    named: Mapping[str, Names],  # key of competition.toml -> the columns it names
    file: Path,  # where the columns should be
    facts_file: str,  # where they are named
) -> None:
    """Raise DataError with near matches for the first key that names a missing column."""
    columns = [str(c) for c in frame.columns]
    missing = [(k, name) for k, names in named.items() for name in names if name not in columns]
    for key, name in missing:
        original = {c.lower(): c for c in columns}
        near = get_close_matches(name.lower(), original, n=1, cutoff=0.5)
        guess = did_you_mean([original[n] for n in near])
        raise DataError(
            f'{facts_file}: {key} = "{name}": {file} has no such column.{guess} '
            f"Its columns: {listed(columns)}."
        )
