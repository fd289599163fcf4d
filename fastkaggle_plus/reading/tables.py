"""Read tables: the files of train, test and sample submission become a Data."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Array, Data, Table, as_features
from ..exceptions import DataError, listed
from .columns import as_numbers, as_words, infer_features, is_written_as_number, read_dates
from .csv import Names, need_columns
from .new_rows import FileColumns, NewRows
from .row_ids import with_ids
from .rows import parse_rows, read_rows, read_sample
from .target_encoding import level_counts, level_means, spread_levels


def read_tabular(
    path: str | Path,  # folder with the files: csv, parquet, or folders of images
    *,
    id: str,  # column that joins predictions to the submission
    target: Names,  # column(s) to predict
    task: str,  # binary | multiclass | regression
    train: str = "train.csv",
    test: str = "test.csv",  # may be the sample submission, where its ids are all there is
    sample_submission: str = "sample_submission.csv",
    group_column: str = "",  # column whose groups a split keeps together
    time_column: str = "",  # column by which a split is sorted
    metric: str = "",  # the competition's metric, for the models
    texts: Names = (),  # columns that are not features, kept unchanged, "" if empty
    categories: Names = (),  # columns that are always categories, kept unchanged too
    keep_text: bool = False,  # allow no features: the reader of texts or images adds them
    facts_file: str = "competition.toml",  # where these arguments are declared, for messages
) -> Data:
    """Read a tabular competition.

    Dates are expanded to their parts, words become categories with the levels of train, numbers
    stay numbers with NaN for missing. Categories with many levels also get their frequency and,
    inside each fold, their mean target. Columns that a model should not use (ids, free text,
    constants, columns missing from test) are listed in `left_out`. Rows without a target are
    dropped. Raises DataError when a file or a column is missing.
    """
    folder, split_columns = Path(path), tuple(filter(None, (group_column, time_column)))
    train_file, test_file, sample_file = (folder / f for f in (train, test, sample_submission))
    unchanged = (*texts, *categories)
    raw = read_rows(train_file, as_written=(id,), texts=unchanged)
    words = tuple(str(c) for c in raw if not is_written_as_number(raw[c]))
    raw_test = read_rows(test_file, as_written=(id,), as_text=words, texts=unchanged)
    sample = read_rows(sample_file, as_written=(id,)) if sample_file.is_file() else None
    if test == sample_submission and id in raw_test:
        raw_test = raw_test[[id]]  # its answers are no features
    raw, raw_test, how_ids = with_ids(raw, raw_test, id, sample=sample)
    text_keys = {"[text] columns": texts, "[text] context": categories}
    train_keys = {"id": (id,), **text_keys, "target": target, "[split] column": split_columns}
    need_columns(raw_test, {"id": (id,)}, test_file, facts_file)
    need_columns(raw, train_keys, train_file, facts_file)
    need_columns(raw_test, text_keys, test_file, facts_file)
    _check_ids(raw[id], train_file)
    _check_ids(raw_test[id], test_file, unique=True)
    if task != "regression":
        raw = raw.assign(**{c: _labels(raw[c], train_file) for c in target})
    has_target, n_rows = raw[list(target)].notna().all(axis=1), len(raw)
    raw = raw[has_target].reset_index(drop=True)
    if raw.empty:
        raise DataError(f"{train_file} has no row with a value in {listed(target)}.")
    targs, vocab = _targets(raw, target, task, train_file)
    features, left_out, readers = infer_features(
        *(
            frame.drop(columns=list(texts)).assign(**{c: as_words(frame[c]) for c in categories})
            for frame in (raw, raw_test)  # an empty cell of `categories` is missing
        ),
        id=id,
        target=target,
        categories=categories,
    )
    counts = level_counts(features)
    x, x_test, cat_names, cont_names = spread_levels(features, counts)
    if not (cat_names or cont_names or keep_text):
        reasons = "; ".join(f"{c} ({why})" for c, why in left_out.items())
        raise DataError(f"No column is left to learn from: {reasons}. Write a data.py.")
    shared: dict[str, Any] = dict(
        cat_names=cat_names, cont_names=cont_names, task=task, vocab=vocab
    )
    if how_ids:
        left_out[id] = how_ids
    if n_lost := n_rows - len(raw):
        left_out[f"{n_lost} training rows"] = f"no value in {listed(target)}"
    groups = None
    if group_column:
        groups = raw[group_column].astype(object).fillna("(missing)").to_numpy()
    table = Table(as_features(x, x, cat_names, cont_names), targs, **shared)
    return Data(
        train=table,
        test=Table(as_features(x_test, x, cat_names, cont_names), None, **shared),
        ids=raw[id].to_numpy(),
        test_ids=raw_test[id].to_numpy(),
        sample=read_sample(folder, sample_submission, raw_test[id], target),
        raw_train=raw,
        raw_test=raw_test,
        groups=groups,
        group_name=group_column,
        time=as_time(raw[time_column], train_file, facts_file) if time_column else None,
        left_out=left_out,
        in_fold=level_means(tuple(counts), of_log=metric == "rmsle"),
        metric=metric,
        new_rows=NewRows.of(
            table, make=FileColumns(readers, counts), columns={r.name: r.dtype for r in readers}
        ),
    )


def _check_ids(ids: pd.Series, file: Path, *, unique: bool = False) -> None:
    if ids.isna().any():
        row = int(np.flatnonzero(ids.isna())[0]) + 1
        raise DataError(
            f"{file}: the id column {ids.name!r} is empty in row {row}. Every row needs one."
        )
    if unique and (repeated := ids[ids.duplicated()].tolist()):
        raise DataError(
            f"{file}: {len(repeated)} ids are there more than once, the first {repeated[0]!r}. "
            f"Is {ids.name!r} the id column?"
        )


def as_time(
    column: pd.Series,
    file: Path,  # the file of the column
    facts_file: str,  # the file that names it
) -> Array:
    """Return the values of a time split: numbers, or timestamps for dates. Raises DataError."""
    numbers = column if is_written_as_number(column) else pd.to_numeric(column, errors="coerce")
    when = numbers if numbers.notna().all() else read_dates(column)
    if when.isna().any():
        first = int(np.flatnonzero(when.isna())[0])
        raise DataError(
            f'{facts_file}: [split] column = "{column.name}": {int(when.isna().sum())} values that '
            f"are neither dates nor numbers are in {file}, the first in training row {first + 1} "
            f"({column.iloc[first]!r}). A time split needs one in every row."
        )
    return when.to_numpy()


def _labels(column: pd.Series, file: Path) -> pd.Series:
    """Return class labels: 1.0 in a column with gaps is 1, and None or NA among words are words."""
    column = column.infer_objects()
    known = column.dropna()
    if pd.api.types.is_float_dtype(column) and len(known) and (known % 1 == 0).all():
        return column.astype("Int64").astype(object).where(column.notna())
    are_words = known.empty or not (
        is_written_as_number(column) or known.map(lambda v: isinstance(v, bool)).all()
    )
    if are_words and len(known) < len(column):
        cells = parse_rows(file, usecols=[column.name], dtype=str, keep_default_na=False)
        words = cells[column.name]
        if len(words) == len(column):
            return column.where(column.notna() | (words.str.strip() == ""), words)
    return column


def values_of(
    frame: pd.DataFrame,
    target: Names,
    file: Path,  # the file of the frame
) -> pd.DataFrame:
    """Return the targets of a regression as floats. Raises DataError."""
    values = frame[list(target)].apply(as_numbers)
    if (wrong := ~np.isfinite(values)).any(axis=None):
        bad = str(values.columns[int(np.flatnonzero(wrong.any())[0])])
        value = frame.loc[wrong[bad], bad].tolist()[0]
        raise DataError(
            f'{file}: task = "regression" needs numbers, and {bad!r} holds {value!r}. '
            'For classes use task = "multiclass".'
        )
    return values


def _targets(
    train: pd.DataFrame, target: Names, task: str, file: Path
) -> tuple[Array, tuple[Any, ...]]:
    if task == "regression":
        values = values_of(train, target, file)
        return (values[target[0]] if len(target) == 1 else values).to_numpy(dtype=float), ()
    if len(target) != 1:
        raise DataError(
            f"task = {task!r} takes one target column, and {len(target)} are named: "
            f'{listed(target)}. Several need task = "regression".'
        )
    labels = train[target[0]]
    vocab = tuple(sorted(labels.unique().tolist()))
    some = listed(map(repr, vocab), 5)
    if len(vocab) < 2 or (task == "binary" and len(vocab) != 2):
        n_classes = "two" if task == "binary" else "at least two"
        raise DataError(
            f"task = {task!r} needs {n_classes} classes, and {target[0]!r} holds {len(vocab)}: "
            f"{some}."
        )
    if pd.api.types.is_float_dtype(labels) and len(vocab) > len(labels) / 2:
        raise DataError(
            f"task = {task!r} needs classes, and {target[0]!r} holds {len(vocab)} different "
            f'numbers in {len(labels)} rows: {some}. For values use task = "regression".'
        )
    return pd.Categorical(labels, categories=list(vocab)).codes.astype(np.int64), vocab
