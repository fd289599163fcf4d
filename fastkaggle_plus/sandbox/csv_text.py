"""Read and write the csv files of a bundle with every cell as text, so that no value changes."""

from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import DataError, FastkaggleError
from ..reading import parse_csv, quoting_of


def read_text_csv(
    file: Path,
    *,
    hint: str = "rehearse needs the competition's training file: give the folder with this file.",
    error: type[FastkaggleError] = DataError,  # raised for a file that is missing or is no csv
) -> pd.DataFrame:
    """Return the rows of a csv file, all cells text. `hint` is for the error of a missing file."""
    try:
        return parse_csv(file, dtype=str, keep_default_na=False)
    except FileNotFoundError as e:
        raise error(f"{file} does not exist. {hint}") from e
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError) as e:
        raise error(
            f"{file} cannot be read as csv: {e} Write it with commas and one heading line."
        ) from e


def write_csv(frame: pd.DataFrame, file: Path) -> None:
    """Write a csv file. The same rows give the same bytes, also for a .gz file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    gzip_without_date: Any = {"method": "gzip", "mtime": 0}
    frame.to_csv(
        file,
        index=False,
        lineterminator="\n",
        compression=gzip_without_date if file.suffix == ".gz" else "infer",
        quoting=quoting_of(frame),
    )
