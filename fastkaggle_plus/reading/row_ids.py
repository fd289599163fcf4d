"""The ids of rows: a column of the files or of the sample submission, file names, or numbers."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..exceptions import DataError, listed
from .class_folders import FILE, LABEL
from .image_files import SUFFIXES
from .rows import read_rows

ROW = "row"  # the id of a competition whose files have none: the rows are numbered


def with_ids(
    train: pd.DataFrame,
    test: pd.DataFrame,
    id: str,
    *,
    sample: pd.DataFrame | None,  # the sample submission
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return both tables with an id column, and how it was made ("" if the files have it).

    The images of a folder have their file names as ids. Other test rows get the ids of the sample
    submission, in its order, and training rows are numbered as its ids are. Without a sample that
    has the column `id`, only the id "row" is made; the tables stay unchanged for another name.
    """
    is_folder = _is_folder(test)
    train, test = (_named_by_file(rows, id) for rows in (train, test))
    if id in train and id in test:
        return train, _without_suffixes(train, test, id) if is_folder else test, ""
    source, start = "", first_number(sample, id)
    if id not in test:
        if sample is not None and id in sample and len(sample) == len(test):
            source = equal_column(test, sample[id])
            test = test.assign(**{id: sample[id].to_numpy()})
        elif id == ROW:
            test = test.assign(**{id: np.arange(start, start + len(test))})
        else:
            return train, test, ""
    if id in train:
        return train, test, f"the ids of {len(test)} test rows are those of the sample submission"
    if source in train:
        return train.assign(**{id: train[source]}), test, f"equal to the column {source}"
    numbers = np.arange(start, start + len(train))
    how = f"no column has this name, so rows are numbered from {start}"
    return train.assign(**{id: numbers}), test, how


def first_number(sample: pd.DataFrame | None, id: str) -> int:
    """Return the number of the first row, 0 or 1: as in the sample submission, else 1."""
    if sample is None or id not in sample:
        return 1
    return int(not (sample[id].astype(str) == "0").any())


def equal_column(test: pd.DataFrame, ids: pd.Series) -> str:
    """Return the column of the test rows that has the sample's ids under another name, or ""."""
    words = ids.astype(str).tolist()
    return next((str(c) for c in test if test[c].astype(str).tolist() == words), "")


def check_ids(
    id: str,
    train: tuple[Path, pd.DataFrame],  # the file, and its rows
    *,
    test: tuple[Path, pd.DataFrame | None],
    sample: tuple[Path, pd.DataFrame | None],
) -> None:
    """Raise DataError for an id that is in a file twice, and for a sample of another length."""
    for file, rows in (train, test, sample):
        ids = pd.Series(dtype=object) if rows is None or id not in rows else rows[id]
        if len(repeated := ids[ids.duplicated()].unique()):
            raise DataError(
                f"{file} has these values of the id {id!r} more than once: "
                f"{listed(map(repr, repeated.tolist()), 5)}. A submission is joined by id: remove "
                "the repeated rows, or name another id, a column whose values are unique."
            )
    sizes = {file: len(rows) for file, rows in (test, sample) if rows is not None}
    if not test[0].is_dir() and len(set(sizes.values())) > 1:
        raise DataError(
            f"{test[0]} has {sizes[test[0]]} rows, the sample {sample[0].name} "
            f"{sizes[sample[0]]}. Both need the same ids: correct them, or download them again."
        )


def ids_of_test(
    folder: Path,
    *,
    train: str,  # names of the files
    test: str,
    id: str,
) -> pd.Series:
    """Return the ids of the test rows, without a sample submission. Raises KeyError, DataError."""
    rows = read_rows(folder / test, as_written=(id,))
    if id not in rows:
        train_rows = read_rows(folder / train, as_written=(id,))
        rows = with_ids(train_rows, rows, id, sample=None)[1]
    return rows[id]


def _is_folder(rows: pd.DataFrame) -> bool:
    """Say whether the rows are the images of a folder, see `image_rows`."""
    return FILE in rows and set(rows.columns) <= {FILE, LABEL}


def _named_by_file(rows: pd.DataFrame, id: str) -> pd.DataFrame:
    return rows.rename(columns={FILE: id}) if _is_folder(rows) and id not in rows else rows


def _without_suffixes(train: pd.DataFrame, test: pd.DataFrame, id: str) -> pd.DataFrame:
    """Return test rows whose ids, names of images, have a suffix only if those of train have."""

    def has_suffix(ids: pd.Series) -> bool:
        return bool(ids.astype(str).str.lower().str.endswith(SUFFIXES).all())

    if not has_suffix(test[id]) or has_suffix(train[id]):
        return test
    return test.assign(**{id: test[id].map(lambda file: Path(file).with_suffix("").as_posix())})
