"""The files of a competition, read as they are meant: csv in whatever encoding, ids as they are written, columns that must be there."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..exceptions import DataError
from .columns import is_written_as_number

_SHOWN = 12  # file or column names listed in an error


def read_csv(
    file: Path,
    *,
    as_written: tuple[
        str, ...
    ] = (),  # id columns: 007 stays 007, and whole numbers become integers
    as_text: tuple[
        str, ...
    ] = (),  # columns that hold words elsewhere, though here they may look like numbers
    texts: tuple[
        str, ...
    ] = (),  # columns of which each cell is what is written there: NA, 007 and " padded " too, "" where there is nothing
) -> pd.DataFrame:
    """Read a csv file; raise DataError that names what is in its folder when it is not there."""
    if not file.is_file():
        there = (
            ", ".join(sorted(p.name for p in file.parent.glob("*"))[:_SHOWN])
            if file.parent.is_dir()
            else "no such folder"
        )
        raise DataError(
            f"{file} is not there (its folder holds: {there or 'nothing'}). Name the file in competition.toml."
        )
    try:
        df = parse_csv(file, low_memory=False, dtype=dict.fromkeys((*as_written, *as_text), str))
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError, ValueError) as e:
        raise DataError(_separators(file) or f"{file} does not read as csv: {e}") from e
    if len(df.columns) == 1 and (odd := _separators(file)):
        raise DataError(odd)
    for c in [c for c in as_written if c in df.columns]:
        if df[c].isna().any():  # an id may be called NA
            words = parse_csv(file, usecols=[c], dtype=str, keep_default_na=False)[c]
            df[c] = (
                words.where(words != "") if len(words) == len(df) else df[c]
            )  # a line that is blank but for this column
        if df[c].str.fullmatch(r"-?[1-9]\d{0,17}|0").all():
            df[c] = df[c].astype("int64")
    if kept := [c for c in texts if c in df.columns]:
        df[kept] = parse_csv(file, dtype=str, keep_default_na=False)[kept]
    return df


def quoting_of(frame: pd.DataFrame) -> Literal[0, 1]:
    """Return to_csv's `quoting` for a csv that reads back cell by cell: a lone carriage return ends a line for readers, but makes no writer quote its cell."""
    words = [frame[c] for c in frame if not is_written_as_number(frame[c])]
    return (
        csv.QUOTE_ALL
        if any(w.astype(str).str.contains("\r", regex=False).any() for w in words)
        else csv.QUOTE_MINIMAL
    )


def parse_csv(file: str | Path, **options: Any) -> pd.DataFrame:
    """Return a csv as pandas reads it, be it in UTF-8, in UTF-16 with its mark, or in what spreadsheets of western Europe write.

    A few bytes in UTF-8 that are none of its letters become U+FFFD each, and the other letters stay what they are.
    """
    with open(file, "rb") as f:
        wide = f.read(2) in (b"\xff\xfe", b"\xfe\xff")
    if wide:
        return pd.read_csv(file, encoding="utf-16", **options)
    with contextlib.suppress(UnicodeDecodeError):
        return pd.read_csv(file, encoding="utf-8", **options)
    if _is_mostly_utf8(file):
        return pd.read_csv(file, encoding="utf-8", encoding_errors="replace", **options)
    with contextlib.suppress(UnicodeDecodeError):
        return pd.read_csv(file, encoding="cp1252", **options)
    return pd.read_csv(file, encoding="latin-1", **options)  # in which every byte is a letter


def _is_mostly_utf8(file: str | Path) -> bool:
    """Say whether most of what is not ASCII reads as UTF-8."""
    cells = pd.read_csv(
        file, encoding="utf-8", encoding_errors="replace", dtype=str, keep_default_na=False
    )
    words = [pd.Series(cells.columns, dtype=str), *(cells[c] for c in cells)]
    broken, odd = (
        sum(w.str.count(letters).sum() for w in words) for letters in ("\ufffd", r"[^\x00-\x7f]")
    )
    return bool(broken < odd / 2)


def _separators(file: Path) -> str:
    """What to say of a file whose heading holds another separator and no comma; nothing of others."""
    try:
        heading = list(map(str, parse_csv(file, nrows=0, sep="\0").columns))
    except ValueError:
        return ""
    odd = [
        name
        for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"))
        if heading and mark in heading[0]
    ]
    if not odd or "," in heading[0]:
        return ""
    return f"{file} has one column, {heading[0]!r}: its values look separated by {odd[0]}. Write it with commas, or read it in a data.py."


def read_sample(
    folder: Path, name: str, test_ids: pd.Series, target: tuple[str, ...]
) -> pd.DataFrame:
    """Read the sample submission; without one, answer for each test row in the target columns."""
    if (folder / name).exists():
        return read_csv(folder / name, as_written=(str(test_ids.name),))
    return pd.DataFrame({str(test_ids.name): test_ids, **dict.fromkeys(target, 0)})


def need_columns(
    frame: pd.DataFrame,
    named: Mapping[str, tuple[str, ...]],  # key of competition.toml -> the columns it names
    file: Path,  # where the columns should be
    facts_file: str,  # where they are named
) -> None:
    """Raise DataError that names the first key whose column is not there, with near matches."""
    columns = [str(c) for c in frame.columns]
    for key, name in [
        (key, name) for key, names in named.items() for name in names if name not in columns
    ]:
        shown = ", ".join(columns[:_SHOWN]) + (
            f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
        )
        near = get_close_matches(
            name.lower(), as_named := {c.lower(): c for c in columns}, n=1, cutoff=0.5
        )
        raise DataError(
            f'{facts_file}: {key} = "{name}": {file} has no such column.'
            + (f" Did you mean {as_named[near[0]]!r}?" if near else "")
            + f" Its columns: {shown}."
        )
