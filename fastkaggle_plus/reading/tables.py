"""The default reader: train, test and sample submission csv files -> Data, with column kinds inferred."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data, Table, as_features
from ..exceptions import DataError
from .columns import as_numbers, as_words, infer_features, is_written_as_number, read_dates
from .csv import need_columns, parse_csv, read_csv, read_sample
from .target_encoding import level_means, spread_levels


def read_tabular(
    path: str | Path,  # folder with the csv files
    *,
    id: str,  # column that joins predictions to the submission
    target: tuple[str, ...],  # column(s) to predict
    task: str,  # binary | multiclass | regression
    train: str = "train.csv",
    test: str = "test.csv",  # may be the sample submission, where its ids are all there is
    sample_submission: str = "sample_submission.csv",
    group_column: str = "",  # column whose groups a split keeps together
    time_column: str = "",  # column a split goes along
    metric: str = "",  # what the competition scores by, for the models
    texts: tuple[
        str, ...
    ] = (),  # columns kept as they are written, "" where they are empty; no features
    categories: tuple[
        str, ...
    ] = (),  # columns kept so too, which become categories whatever they look like
    keep_text: bool = False,  # the features may be empty: the reader of texts or images fills them
    facts_file: str = "competition.toml",  # where these facts stand, for messages
) -> Data:
    """Read a tabular competition.

    Dates are expanded to their parts, words become categories with the levels of train, numbers stay numbers with NaN for
    missing. Categories with many levels also get their frequency and, inside each fold, their mean target. Columns no model
    should see (ids, free text, constants, columns missing from test) are named in `left_out`. Rows without a target are dropped.
    Raises DataError when a file or a named column is not there.
    """
    folder = Path(path)
    kept = (*texts, *categories)
    raw = read_csv(folder / train, as_written=(id,), texts=kept)
    raw_test = read_csv(
        folder / test,
        as_written=(id,),
        as_text=tuple(str(c) for c in raw if not is_written_as_number(raw[c])),
        texts=kept,
    )
    raw, raw_test = _with_ids(
        raw, raw_test, id, folder / train, folder / test, folder / sample_submission, facts_file
    )
    for frame, file in ((raw, folder / train), (raw_test, folder / test)):
        need_columns(
            frame, {"[text] columns": texts, "[text] context": categories}, file, facts_file
        )
    need_columns(
        raw,
        {"target": target, "[split] column": tuple(filter(None, (group_column, time_column)))},
        folder / train,
        facts_file,
    )
    if task != "regression":
        raw = raw.assign(**{c: _labels(raw[c], folder / train) for c in target})
    raw = raw[raw[list(target)].notna().all(axis=1)].reset_index(drop=True)
    if raw.empty:
        raise DataError(f"{folder / train} has no row with a value in {', '.join(target)}.")
    targs, vocab = _targets(raw, target, task, folder / train)
    features, left_out = infer_features(
        *(_for_features(f, texts, categories) for f in (raw, raw_test)),
        id=id,
        target=target,
        categories=categories,
    )
    features, many = spread_levels(features)
    x, x_test, cat_names, cont_names = features
    if not (cat_names or cont_names or keep_text):
        raise DataError(
            "No column is left to learn from: "
            + "; ".join(f"{c} ({why})" for c, why in left_out.items())
            + ". Write a data.py."
        )
    shared: dict[str, Any] = dict(
        cat_names=cat_names, cont_names=cont_names, task=task, vocab=vocab
    )
    return Data(
        train=Table(as_features(x, x, cat_names, cont_names), targs, **shared),
        test=Table(as_features(x_test, x, cat_names, cont_names), None, **shared),
        ids=raw[id].to_numpy(),
        test_ids=raw_test[id].to_numpy(),
        sample=read_sample(folder, sample_submission, raw_test[id], target),
        raw_train=raw,
        raw_test=raw_test,
        groups=raw[group_column]
        .astype(object)
        .where(raw[group_column].notna(), "(missing)")
        .to_numpy()
        if group_column
        else None,
        group_name=group_column,
        time=as_time(raw[time_column], folder / train, facts_file) if time_column else None,
        left_out=left_out,
        in_fold=level_means(many, of_log=metric == "rmsle"),
        metric=metric,
    )


def _for_features(
    frame: pd.DataFrame, texts: tuple[str, ...], categories: tuple[str, ...]
) -> pd.DataFrame:
    """The columns that become features, of those that were kept as they are written with gaps where they are empty."""
    return frame.drop(columns=list(texts)).assign(**{c: as_words(frame[c]) for c in categories})


def _with_ids(
    raw: pd.DataFrame,
    raw_test: pd.DataFrame,
    id: str,
    train: Path,
    test: Path,
    sample: Path,
    facts_file: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both with an id column: some competitions number their rows in the sample submission only."""
    if id not in raw_test:
        answers = read_csv(sample, as_written=(id,)) if sample.exists() else raw_test
        if id not in answers or len(answers) != len(raw_test):
            need_columns(raw_test, {"id": (id,)}, test, facts_file)
        raw_test = raw_test.assign(**{id: answers[id].to_numpy()})
        raw = raw if id in raw else raw.assign(**{id: np.arange(len(raw))})
    need_columns(raw, {"id": (id,)}, train, facts_file)
    for df, file in ((raw, train), (raw_test, test)):
        if df[id].isna().any():
            raise DataError(
                f"{file}: the id column {id!r} is empty in row {int(np.flatnonzero(df[id].isna())[0]) + 1}. Every row needs one."
            )
    if (twice := raw_test[id][raw_test[id].duplicated()]).size:
        raise DataError(
            f"{test}: {len(twice)} ids are there more than once, the first {twice.tolist()[0]!r}. Is {id!r} the id column?"
        )
    return raw, raw_test


def as_time(
    column: pd.Series,
    file: Path,  # where it was read
    facts_file: str,  # where it was named
) -> np.ndarray[Any, Any]:
    """Return what a time split sorts by: the numbers, or the times that the dates mean. Raises DataError."""
    numbers = column if is_written_as_number(column) else pd.to_numeric(column, errors="coerce")
    when = numbers if numbers.notna().all() else read_dates(column)
    if when.isna().any():
        first = int(np.flatnonzero(when.isna())[0])
        raise DataError(
            f'{facts_file}: [split] column = "{column.name}": {int(when.isna().sum())} values that are neither dates nor numbers are in '
            f"{file}, the first in training row {first + 1} ({column.iloc[first]!r}). A time split needs one in every row."
        )
    return when.to_numpy()


def _labels(column: pd.Series, file: Path) -> pd.Series:
    """Return class labels as they are meant: 1.0 in a column with gaps is 1, and None or NA beside words are words."""
    column = column.infer_objects()
    known = column.dropna()
    if pd.api.types.is_float_dtype(column) and len(known) and (known % 1 == 0).all():
        return column.astype("Int64").astype(object).where(column.notna())
    if len(known) < len(column) and (
        known.empty
        or not (is_written_as_number(column) or known.map(lambda v: isinstance(v, bool)).all())
    ):
        words = parse_csv(file, usecols=[column.name], dtype=str, keep_default_na=False)[
            column.name
        ]
        if len(words) == len(column):
            return column.where(column.notna() | (words.str.strip() == ""), words)
    return column


def values_of(
    frame: pd.DataFrame,
    target: tuple[str, ...],
    file: Path,  # where they were read
) -> pd.DataFrame:
    """Return the targets of a regression as floats. Raises DataError."""
    values = frame[list(target)].apply(as_numbers)
    if (wrong := ~np.isfinite(values)).any(axis=None):
        bad = str(values.columns[int(np.flatnonzero(wrong.any())[0])])
        came = frame.loc[wrong[bad], bad].tolist()[0]
        raise DataError(
            f'{file}: task = "regression" needs numbers, and {bad!r} holds {came!r}. For classes use task = "multiclass".'
        )
    return values


def _targets(
    train: pd.DataFrame, target: tuple[str, ...], task: str, file: Path
) -> tuple[np.ndarray[Any, Any], tuple[Any, ...]]:
    if task == "regression":
        values = values_of(train, target, file)
        return (values[target[0]] if len(target) == 1 else values).to_numpy(dtype=float), ()
    if len(target) != 1:
        raise DataError(
            f'task = {task!r} takes one target column, and {len(target)} are named: {", ".join(target)}. Several need task = "regression".'
        )
    labels = train[target[0]]
    vocab = tuple(sorted(labels.unique().tolist()))
    came = ", ".join(map(repr, vocab[:5])) + (", ..." if len(vocab) > 5 else "")
    if len(vocab) < 2 or (task == "binary" and len(vocab) != 2):
        raise DataError(
            f"task = {task!r} needs {'two' if task == 'binary' else 'at least two'} classes, and {target[0]!r} holds {len(vocab)}: {came}."
        )
    if pd.api.types.is_float_dtype(labels) and len(vocab) > len(labels) / 2:
        raise DataError(
            f"task = {task!r} needs classes, and {target[0]!r} holds {len(vocab)} different numbers in {len(labels)} rows: {came} "
            'For values use task = "regression".'
        )
    return pd.Categorical(labels, categories=list(vocab)).codes.astype(np.int64), vocab
