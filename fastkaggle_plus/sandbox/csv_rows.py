"""The csv files of a bundle that is made here: every cell stays as it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import DataError, FastkaggleError
from ..reading import parse_csv, quoting_of


def read_rows(
    file: Path,
    *,
    needed: str = "rehearse needs the competition's training file: give the folder that holds it.",  # what to say where it is not there
    error: type[FastkaggleError] = DataError,
) -> pd.DataFrame:
    "Return a csv file's rows, all cells text. Raises `error`."
    try:
        return parse_csv(file, dtype=str, keep_default_na=False)
    except FileNotFoundError as e:
        raise error(f"{file} is not there. {needed}") from e
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError) as e:
        raise error(
            f"{file} does not read as csv: {e} Write it with commas and one heading line."
        ) from e


def write_rows(frame: pd.DataFrame, file: Path) -> None:
    "Write rows as csv; the same rows give the same bytes, packed or not."
    file.parent.mkdir(parents=True, exist_ok=True)
    packed: Any = (
        {"method": "gzip", "mtime": 0} if file.suffix == ".gz" else "infer"
    )  # no date: the seed decides every byte
    frame.to_csv(
        file, index=False, lineterminator="\n", compression=packed, quoting=quoting_of(frame)
    )
