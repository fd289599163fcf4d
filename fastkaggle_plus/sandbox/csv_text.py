"""Read and write the files of a bundle with every cell as text, so that no value changes."""

import io
from pathlib import Path
from typing import Any

import pandas as pd

from ..exceptions import DataError, FastkaggleError
from ..reading import PARQUET, parse_rows, quoting_of, read_parquet, separator_of


def read_text_csv(
    file: Path,
    *,
    hint: str = "Give the folder with this file: DATA in rehearsal.py, or --data DIR.",
    error: type[FastkaggleError] = DataError,  # raised for a file that is missing or is no csv
) -> pd.DataFrame:
    """Return the rows of a file, all cells text. `hint` is for the error of a missing file."""
    try:
        return parse_rows(file, dtype=str, keep_default_na=False)
    except FileNotFoundError as e:
        raise error(f"{file} does not exist. {hint}") from e
    except FastkaggleError:
        raise
    except ValueError as e:
        raise error(f"{file} cannot be read as csv: {e} Write it with one heading line.") from e


def write_csv(
    frame: pd.DataFrame,
    file: Path,
    *,
    like: Path | None = None,  # a file whose separator or types are kept
) -> None:
    """Write a csv or, if it is called so, a parquet file. The same rows give the same bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    like = like if like is not None and like.is_file() else None
    if file.suffix.lower() in PARQUET:
        kinds = {c: k for c, k in _types_of(like).items() if c in frame}
        words = {c: str for c, kind in kinds.items() if not pd.api.types.is_numeric_dtype(kind)}
        typed = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype=words)
        typed.astype(kinds).to_parquet(file, index=False)
        return
    gzip_without_date: Any = {"method": "gzip", "mtime": 0}
    frame.to_csv(
        file,
        sep=separator_of(like) if like else ",",
        index=False,
        lineterminator="\n",
        compression=gzip_without_date if file.suffix == ".gz" else "infer",
        quoting=quoting_of(frame),
    )


def _types_of(file: Path | None) -> dict[str, Any]:
    """Return the type of each column of a parquet file; none for another file."""
    if file is None or file.suffix.lower() not in PARQUET:
        return {}
    return {str(c): kind for c, kind in read_parquet(file).dtypes.items()}
