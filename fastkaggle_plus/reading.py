"""The default reader: train, test and sample submission csv files -> Data, with column kinds inferred."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .data import Data, Table, as_features
from .exceptions import DataError
from .reading_columns import as_numbers, date_parts, infer_features, is_written_as_number, read_dates
from .reading_levels import level_means, spread_levels

__all__ = ["as_time", "date_parts", "infer_features", "need_columns", "parse_csv", "read_csv", "read_sample", "read_tabular", "values_of"]

_SHOWN = 12  # file or column names listed in an error


def read_tabular(
    path: str | Path,                                   # folder with the csv files
    *,
    id: str,                                            # column that joins predictions to the submission
    target: tuple[str, ...],                            # column(s) to predict
    task: str,                                          # binary | multiclass | regression
    train: str = "train.csv",
    test: str = "test.csv",                             # may be the sample submission, where its ids are all there is
    sample_submission: str = "sample_submission.csv",
    group_column: str = "",                             # column whose groups a split keeps together
    time_column: str = "",                              # column a split goes along
    metric: str = "",                                   # what the competition scores by, for the models
    keep_text: bool = False,                            # the features may be empty: the reader of texts or images fills them
    facts_file: str = "competition.toml",               # where these facts stand, for messages
) -> Data:
    """Read a tabular competition.

    Dates are expanded to their parts, words become categories with the levels of train, numbers stay numbers with NaN for
    missing. Categories with many levels also get their frequency and, inside each fold, their mean target. Columns no model
    should see (ids, free text, constants, columns missing from test) are named in `left_out`. Rows without a target are dropped.
    Raises DataError when a file or a named column is not there.
    """
    folder = Path(path)
    raw = read_csv(folder / train, as_written=(id,))
    raw_test = read_csv(folder / test, as_written=(id,), as_text=tuple(str(c) for c in raw if not is_written_as_number(raw[c])))
    raw, raw_test = _with_ids(raw, raw_test, id, folder / train, folder / test, folder / sample_submission, facts_file)
    need_columns(raw, {"target": target, "[split] column": tuple(filter(None, (group_column, time_column)))}, folder / train, facts_file)
    if task != "regression":
        raw = raw.assign(**{c: _labels(raw[c], folder / train) for c in target})
    raw = raw[raw[list(target)].notna().all(axis=1)].reset_index(drop=True)
    if raw.empty:
        raise DataError(f"{folder / train} has no row with a value in {', '.join(target)}.")
    targs, vocab = _targets(raw, target, task, folder / train)
    features, left_out = infer_features(raw, raw_test, id=id, target=target)
    features, many = spread_levels(features)
    x, x_test, cat_names, cont_names = features
    if not (cat_names or cont_names or keep_text):
        raise DataError("No column is left to learn from: " + "; ".join(f"{c} ({why})" for c, why in left_out.items()) + ". Write a data.py.")
    shared: dict[str, Any] = dict(cat_names=cat_names, cont_names=cont_names, task=task, vocab=vocab)
    return Data(
        train=Table(as_features(x, x, cat_names, cont_names), targs, **shared),
        test=Table(as_features(x_test, x, cat_names, cont_names), None, **shared),
        ids=raw[id].to_numpy(), test_ids=raw_test[id].to_numpy(),
        sample=read_sample(folder, sample_submission, raw_test[id], target),
        raw_train=raw, raw_test=raw_test,
        groups=raw[group_column].astype(object).where(raw[group_column].notna(), "(missing)").to_numpy() if group_column else None,
        time=as_time(raw[time_column], folder / train, facts_file) if time_column else None,
        left_out=left_out, in_fold=level_means(many, of_log=metric == "rmsle"), metric=metric,
    )


def read_csv(
    file: Path,
    *,
    as_written: tuple[str, ...] = (),   # id columns: 007 stays 007, and whole numbers become integers
    as_text: tuple[str, ...] = (),      # columns that hold words elsewhere, though here they may look like numbers
) -> pd.DataFrame:
    "Read a csv file; raise DataError that names what is in its folder when it is not there."
    if not file.is_file():
        there = ", ".join(sorted(p.name for p in file.parent.glob("*"))[:_SHOWN]) if file.parent.is_dir() else "no such folder"
        raise DataError(f"{file} is not there (its folder holds: {there or 'nothing'}). Name the file in competition.toml.")
    try:
        df = parse_csv(file, low_memory=False, dtype=dict.fromkeys((*as_written, *as_text), str))
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeError, ValueError) as e:
        raise DataError(_separators(file) or f"{file} does not read as csv: {e}") from e
    if len(df.columns) == 1 and (odd := _separators(file)):
        raise DataError(odd)
    for c in [c for c in as_written if c in df.columns]:
        if df[c].isna().any():   # an id may be called NA
            words = parse_csv(file, usecols=[c], dtype=str, keep_default_na=False)[c]
            df[c] = words.where(words != "") if len(words) == len(df) else df[c]   # a line that is blank but for this column
        if df[c].str.fullmatch(r"-?[1-9]\d{0,17}|0").all():
            df[c] = df[c].astype("int64")
    return df


def parse_csv(file: str | Path, **options: Any) -> pd.DataFrame:
    "Return a csv as pandas reads it, be it in UTF-8, in UTF-16 with its mark, or in what spreadsheets of western Europe write."
    with open(file, "rb") as f:
        wide = f.read(2) in (b"\xff\xfe", b"\xfe\xff")
    try:
        return pd.read_csv(file, encoding="utf-16" if wide else "utf-8", **options)
    except UnicodeDecodeError:
        return pd.read_csv(file, encoding="latin-1", **options)


def _separators(file: Path) -> str:
    "What to say of a file whose heading holds another separator and no comma; nothing of others."
    try:
        heading = list(map(str, parse_csv(file, nrows=0, sep="\0").columns))
    except ValueError:
        return ""
    odd = [name for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")) if heading and mark in heading[0]]
    if not odd or "," in heading[0]:
        return ""
    return f"{file} has one column, {heading[0]!r}: its values look separated by {odd[0]}. Write it with commas, or read it in a data.py."


def read_sample(folder: Path, name: str, test_ids: pd.Series, target: tuple[str, ...]) -> pd.DataFrame:
    "Read the sample submission; without one, answer for each test row in the target columns."
    if (folder / name).exists():
        return read_csv(folder / name, as_written=(str(test_ids.name),))
    return pd.DataFrame({str(test_ids.name): test_ids, **dict.fromkeys(target, 0)})


def _with_ids(raw: pd.DataFrame, raw_test: pd.DataFrame, id: str, train: Path, test: Path, sample: Path,
              facts_file: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    "Return both with an id column: some competitions number their rows in the sample submission only."
    if id not in raw_test:
        answers = read_csv(sample, as_written=(id,)) if sample.exists() else raw_test
        if id not in answers or len(answers) != len(raw_test):
            need_columns(raw_test, {"id": (id,)}, test, facts_file)
        raw_test = raw_test.assign(**{id: answers[id].to_numpy()})
        raw = raw if id in raw else raw.assign(**{id: np.arange(len(raw))})
    need_columns(raw, {"id": (id,)}, train, facts_file)
    for df, file in ((raw, train), (raw_test, test)):
        if df[id].isna().any():
            raise DataError(f"{file}: the id column {id!r} is empty in row {int(np.flatnonzero(df[id].isna())[0]) + 1}. Every row needs one.")
    if (twice := raw_test[id][raw_test[id].duplicated()]).size:
        raise DataError(f"{test}: {len(twice)} ids are there more than once, the first {twice.tolist()[0]!r}. Is {id!r} the id column?")
    return raw, raw_test


def as_time(
    column: pd.Series,
    file: Path,          # where it was read
    facts_file: str,     # where it was named
) -> np.ndarray[Any, Any]:
    "Return what a time split sorts by: the numbers, or the times that the dates mean. Raises DataError."
    numbers = column if is_written_as_number(column) else pd.to_numeric(column, errors="coerce")
    when = numbers if numbers.notna().all() else read_dates(column)
    if when.isna().any():
        first = int(np.flatnonzero(when.isna())[0])
        raise DataError(f"{facts_file}: [split] column = \"{column.name}\": {int(when.isna().sum())} values that are neither dates nor numbers are in "
                        f"{file}, the first in training row {first + 1} ({column.iloc[first]!r}). A time split needs one in every row.")
    return when.to_numpy()


def _labels(column: pd.Series, file: Path) -> pd.Series:
    "Return class labels as they are meant: 1.0 in a column with gaps is 1, and None or NA beside words are words."
    column = column.infer_objects()
    known = column.dropna()
    if pd.api.types.is_float_dtype(column) and len(known) and (known % 1 == 0).all():
        return column.astype("Int64").astype(object).where(column.notna())
    if len(known) < len(column) and (known.empty or not (is_written_as_number(column) or known.map(lambda v: isinstance(v, bool)).all())):
        words = parse_csv(file, usecols=[column.name], dtype=str, keep_default_na=False)[column.name]
        if len(words) == len(column):
            return column.where(column.notna() | (words.str.strip() == ""), words)
    return column


def values_of(
    frame: pd.DataFrame,
    target: tuple[str, ...],
    file: Path,              # where they were read
) -> pd.DataFrame:
    "Return the targets of a regression as floats. Raises DataError."
    values = frame[list(target)].apply(as_numbers)
    if (wrong := ~np.isfinite(values)).any(axis=None):
        bad = str(values.columns[int(np.flatnonzero(wrong.any())[0])])
        came = frame.loc[wrong[bad], bad].tolist()[0]
        raise DataError(f"{file}: task = \"regression\" needs numbers, and {bad!r} holds {came!r}. For classes use task = \"multiclass\".")
    return values


def _targets(train: pd.DataFrame, target: tuple[str, ...], task: str, file: Path) -> tuple[np.ndarray[Any, Any], tuple[Any, ...]]:
    if task == "regression":
        values = values_of(train, target, file)
        return (values[target[0]] if len(target) == 1 else values).to_numpy(dtype=float), ()
    if len(target) != 1:
        raise DataError(f"task = {task!r} takes one target column, and {len(target)} are named: {', '.join(target)}. Several need task = \"regression\".")
    labels = train[target[0]]
    vocab = tuple(sorted(labels.unique().tolist()))
    came = ", ".join(map(repr, vocab[:5])) + (", ..." if len(vocab) > 5 else "")
    if len(vocab) < 2 or (task == "binary" and len(vocab) != 2):
        raise DataError(f"task = {task!r} needs {'two' if task == 'binary' else 'at least two'} classes, and {target[0]!r} holds {len(vocab)}: {came}.")
    if pd.api.types.is_float_dtype(labels) and len(vocab) > len(labels) / 2:
        raise DataError(f"task = {task!r} needs classes, and {target[0]!r} holds {len(vocab)} different numbers in {len(labels)} rows: {came} "
                        "For values use task = \"regression\".")
    return pd.Categorical(labels, categories=list(vocab)).codes.astype(np.int64), vocab


def need_columns(
    frame: pd.DataFrame,
    named: Mapping[str, tuple[str, ...]],   # key of competition.toml -> the columns it names
    file: Path,                             # where the columns should be
    facts_file: str,                        # where they are named
) -> None:
    "Raise DataError that names the first key whose column is not there, with near matches."
    columns = [str(c) for c in frame.columns]
    for key, name in [(key, name) for key, names in named.items() for name in names if name not in columns]:
        shown = ", ".join(columns[:_SHOWN]) + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")
        near = get_close_matches(name.lower(), as_named := {c.lower(): c for c in columns}, n=1, cutoff=0.5)
        raise DataError(f"{facts_file}: {key} = \"{name}\": {file} has no such column." + (f" Did you mean {as_named[near[0]]!r}?" if near else "")
                        + f" Its columns: {shown}.")
