"""Read the rows of a file in any format: csv, parquet, or a folder with an image for each row.

A parquet file and a folder are read as the csv of their rows would be, with the same options.
"""

import io
from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import DataError, listed, needs_extra
from .class_folders import image_rows
from .csv import Names, parse_csv

PARQUET = (".parquet", ".pq")


def parse_rows(file: str | Path, **options: Any) -> pd.DataFrame:
    """Read rows with the options of pandas' `read_csv`.

    An image folder has the columns `file` and, if there are class folders, `label`. Both are text,
    also for classes called 1 or NA.
    """
    file = Path(file)
    if file.is_dir():
        frame = image_rows(file)
        empty = [] if options.get("keep_default_na") is False else [""]
        options |= {"dtype": str, "keep_default_na": False, "na_values": empty}
    elif file.suffix.lower() in PARQUET:
        frame = read_parquet(file)
    else:
        return parse_csv(file, **options)
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)), **options)


def read_rows(
    file: Path,
    *,
    as_written: Names = (),  # id columns: 007 stays 007, and whole numbers become integers
    as_text: Names = (),  # columns that are words in another file, even if they look like numbers
    texts: Names = (),  # columns whose cells stay unchanged: NA, 007, " padded "; "" if empty
) -> pd.DataFrame:
    """Read the rows of a file. Raises DataError; if it is missing, with the names in its folder."""
    if not file.exists():
        names = sorted(p.name for p in file.parent.glob("*"))
        there = listed(names) if file.parent.is_dir() else "no such folder"
        raise DataError(
            f"{file} does not exist (its folder has: {there}). Name the file in competition.toml."
        )
    try:
        df = parse_rows(file, low_memory=False, dtype=dict.fromkeys((*as_written, *as_text), str))
    except DataError:
        raise
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError, ValueError) as e:
        raise DataError(
            f"{file} does not read as csv: {e}. Correct the file, or download it again."
        ) from e
    for c in [c for c in as_written if c in df.columns]:
        if df[c].isna().any():  # an id may be called NA
            words = parse_rows(file, usecols=[c], dtype=str, keep_default_na=False)[c]
            if len(words) == len(df):  # else pandas skipped lines that are blank but for this cell
                df[c] = words.where(words != "")
        if df[c].str.fullmatch(r"-?[1-9]\d{0,17}|0").all():
            df[c] = df[c].astype("int64")
    if kept := [c for c in texts if c in df.columns]:
        df[kept] = parse_rows(file, dtype=str, keep_default_na=False)[kept]
    return df


def read_sample(folder: Path, name: str, test_ids: pd.Series, target: Names) -> pd.DataFrame:
    """Read the sample submission; without one, make it of the test ids and target columns."""
    if (folder / name).is_file():
        return read_rows(folder / name, as_written=(str(test_ids.name),))
    return pd.DataFrame({str(test_ids.name): test_ids, **dict.fromkeys(target, 0)})


def read_parquet(file: Path) -> pd.DataFrame:
    """Read a parquet file with its types. A named index becomes columns. Raises DataError."""
    with needs_extra("parquet"):
        import pyarrow  # noqa: F401
    try:
        frame = pd.read_parquet(file, engine="pyarrow")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as e:  # pyarrow's errors are of these kinds
        raise DataError(f"{file} does not read as parquet: {e}. Download it again.") from e
    has_named_index = any(name is not None for name in frame.index.names)
    return frame.reset_index() if has_named_index else frame
