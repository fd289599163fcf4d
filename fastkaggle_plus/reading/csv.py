"""Read csv files: encodings, separators, ids and texts as they are written, required columns."""

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


def read_csv(
    file: Path,
    *,
    as_written: Names = (),  # id columns: 007 stays 007, and whole numbers become integers
    as_text: Names = (),  # columns that are words in another file, even if they look like numbers
    texts: Names = (),  # columns whose cells stay unchanged: NA, 007, " padded "; "" if empty
) -> pd.DataFrame:
    """Read a csv file. Raises DataError; if it is missing, with the names in its folder."""
    if not file.is_file():
        names = sorted(p.name for p in file.parent.glob("*"))
        there = listed(names) if file.parent.is_dir() else "no such folder"
        raise DataError(
            f"{file} is not there (its folder holds: {there}). Name the file in competition.toml."
        )
    try:
        df = parse_csv(file, low_memory=False, dtype=dict.fromkeys((*as_written, *as_text), str))
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError, ValueError) as e:
        raise DataError(_wrong_separator(file) or f"{file} does not read as csv: {e}") from e
    if len(df.columns) == 1 and (problem := _wrong_separator(file)):
        raise DataError(problem)
    for c in [c for c in as_written if c in df.columns]:
        if df[c].isna().any():  # an id may be called NA
            words = parse_csv(file, usecols=[c], dtype=str, keep_default_na=False)[c]
            if len(words) == len(df):  # else pandas skipped lines that are blank but for this cell
                df[c] = words.where(words != "")
        if df[c].str.fullmatch(r"-?[1-9]\d{0,17}|0").all():
            df[c] = df[c].astype("int64")
    if kept := [c for c in texts if c in df.columns]:
        df[kept] = parse_csv(file, dtype=str, keep_default_na=False)[kept]
    return df


def quoting_of(frame: pd.DataFrame) -> Literal[0, 1]:
    """Return the `quoting` of to_csv with which the csv reads back unchanged.

    Readers end a line at a lone carriage return, but writers do not quote a cell for it.
    """
    words = [frame[c].astype(str) for c in frame if not is_written_as_number(frame[c])]
    has_returns = any(w.str.contains("\r", regex=False).any() for w in words)
    return csv.QUOTE_ALL if has_returns else csv.QUOTE_MINIMAL


def parse_csv(file: str | Path, **options: Any) -> pd.DataFrame:
    """Read a csv with pandas, in UTF-8, UTF-16 with its mark, or a western European encoding.

    In a file that is mostly UTF-8, each byte that is not becomes U+FFFD.
    """
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
    options: dict[str, Any] = dict(dtype=str, keep_default_na=False)
    cells = pd.read_csv(file, encoding="utf-8", encoding_errors="replace", **options)
    words = [pd.Series(cells.columns, dtype=str), *(cells[c] for c in cells)]
    broken = sum(w.str.count("\ufffd").sum() for w in words)
    not_ascii = sum(w.str.count(r"[^\x00-\x7f]").sum() for w in words)
    return bool(broken < not_ascii / 2)


def _wrong_separator(file: Path) -> str:
    """Return an error message for a file whose values are not separated by commas, else ""."""
    try:
        heading = [str(c) for c in parse_csv(file, nrows=0, sep="\0").columns]
    except ValueError:
        return ""
    separators = {";": "semicolons", "\t": "tabs", "|": "bars"}
    found = [name for mark, name in separators.items() if heading and mark in heading[0]]
    if not found or "," in heading[0]:
        return ""
    return (
        f"{file} has one column, {heading[0]!r}: its values look separated by {found[0]}. "
        "Write it with commas, or read it in a data.py."
    )


def read_sample(folder: Path, name: str, test_ids: pd.Series, target: Names) -> pd.DataFrame:
    """Read the sample submission; without one, make it of the test ids and target columns."""
    if (folder / name).exists():
        return read_csv(folder / name, as_written=(str(test_ids.name),))
    return pd.DataFrame({str(test_ids.name): test_ids, **dict.fromkeys(target, 0)})


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
