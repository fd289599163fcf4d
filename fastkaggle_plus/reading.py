"""The default reader: train, test and sample submission csv files -> Data, with column kinds inferred."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .data import Data, Table, as_features
from .exceptions import DataError

TEXT_WORDS = 4          # more words than this on average is free text
MOSTLY = 0.95           # a share of rows that counts as all of them
DATE_LIKE = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?\s*$"


def read_tabular(
    path: str | Path,                                   # folder with the csv files
    *,
    id: str,                                            # column that joins predictions to the submission
    target: tuple[str, ...],                            # column(s) to predict
    task: str,                                          # binary | multiclass | regression
    train: str = "train.csv",
    test: str = "test.csv",
    sample_submission: str = "sample_submission.csv",
    group_column: str = "",                             # column whose groups a split keeps together
    time_column: str = "",                              # column a split goes along
    keep_text: bool = False,                            # leave the features empty: the reader of texts or images fills them
) -> Data:
    """Read a tabular competition.

    Dates are expanded to their parts, words become categories with the levels of train, numbers stay numbers with NaN for
    missing. Columns no model should see (ids, free text, constants, columns missing from test) are named in `left_out`.
    Raises DataError when a file or a named column is not there.
    """
    folder = Path(path)
    raw, raw_test = read_csv(folder / train), read_csv(folder / test)
    _need(raw, (id, *target, *filter(None, (group_column, time_column))), folder / train)
    _need(raw_test, (id,), folder / test)
    raw = raw[raw[list(target)].notna().all(axis=1)].reset_index(drop=True)
    if raw.empty:
        raise DataError(f"{folder / train} has no row with a value in {', '.join(target)}.")
    targs, vocab = _targets(raw, target, task)
    if keep_text:
        kinds, left_out = (pd.DataFrame(index=raw.index), pd.DataFrame(index=raw_test.index), (), ()), {}
    else:
        kinds, left_out = infer_features(raw, raw_test, id=id, target=target)
    x, x_test, cat_names, cont_names = kinds
    shared: dict[str, Any] = dict(cat_names=cat_names, cont_names=cont_names, task=task, vocab=vocab)
    return Data(
        train=Table(as_features(x, x, cat_names, cont_names), targs, **shared),
        test=Table(as_features(x_test, x, cat_names, cont_names), None, **shared),
        ids=raw[id].to_numpy(), test_ids=raw_test[id].to_numpy(),
        sample=read_sample(folder, sample_submission, raw_test[id], target),
        raw_train=raw, raw_test=raw_test,
        groups=raw[group_column].to_numpy() if group_column else None,
        time=_as_time(raw[time_column], time_column) if time_column else None,
        left_out=left_out,
    )


def read_csv(file: Path) -> pd.DataFrame:
    "Read a csv file; raise DataError that names what is in its folder when it is not there."
    if not file.exists():
        there = ", ".join(sorted(p.name for p in file.parent.glob("*"))[:12]) if file.parent.is_dir() else "no such folder"
        raise DataError(f"{file} is not there (its folder holds: {there or 'nothing'}). Name the file in competition.toml.")
    try:
        return pd.read_csv(file, low_memory=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as e:
        raise DataError(f"{file} does not read as csv: {e}") from e


def read_sample(folder: Path, name: str, test_ids: pd.Series, target: tuple[str, ...]) -> pd.DataFrame:
    "Read the sample submission; without one, answer for each test row in the target columns."
    if (folder / name).exists():
        return read_csv(folder / name)
    return pd.DataFrame({test_ids.name: test_ids, **dict.fromkeys(target, 0)})


def infer_features(
    train: pd.DataFrame, test: pd.DataFrame, *, id: str, target: tuple[str, ...]
) -> tuple[tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], tuple[str, ...]], dict[str, str]]:
    "Return (features of train, of test, cat_names, cont_names) and the columns left out with the reason for each."
    x, x_test, cat, cont, left_out = {}, {}, [], [], {}
    for name in train.columns:
        if name in target:
            continue
        column, kind = train[name], _kind(name, train[name], id)
        if name not in test.columns:
            left_out[name] = "not in the test file"
        elif kind in ("id", "free text", "constant"):
            left_out[name] = kind
        elif kind == "date":
            parts, test_parts = date_parts(column), date_parts(test[name])
            for part in parts:
                if parts[part].nunique() > 1:
                    x[part], x_test[part] = parts[part], test_parts[part]
                    cont.append(part)
        else:
            as_words = kind == "category" and not pd.api.types.is_bool_dtype(column)
            x[name] = column.astype(str).where(column.notna()) if as_words else column.astype(float)
            x_test[name] = test[name].astype(str).where(test[name].notna()) if as_words else pd.to_numeric(test[name], errors="coerce")
            (cat if as_words else cont).append(name)
    if not x:
        raise DataError("No column is left to learn from: " + "; ".join(f"{c} ({why})" for c, why in left_out.items()) + ". Write a data.py.")
    return (pd.DataFrame(x, index=train.index), pd.DataFrame(x_test, index=test.index), tuple(cat), tuple(cont)), left_out


def date_parts(column: pd.Series) -> pd.DataFrame:
    "Expand dates to the parts of fastai's add_datepart that trees use: year, month, day, week day, day of year, hour, elapsed days."
    when = _dates(column)
    parts = {"Year": when.dt.year, "Month": when.dt.month, "Day": when.dt.day, "Dayofweek": when.dt.dayofweek, "Dayofyear": when.dt.dayofyear,
             "Hour": when.dt.hour, "Elapsed": (when - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1)}
    return pd.DataFrame({f"{column.name}_{k}": v.astype(float) for k, v in parts.items()})


def _kind(name: str, column: pd.Series, id: str) -> str:
    known = column.dropna()
    if name == id:
        return "id"
    if known.nunique() <= 1 and not (known.size and column.isna().any()):
        return "constant"
    distinct = known.nunique() / max(len(known), 1)
    if pd.api.types.is_numeric_dtype(column):
        id_like = pd.api.types.is_integer_dtype(column) and distinct > MOSTLY and str(name).lower().endswith("id")
        return "id" if id_like else "number"
    if known.astype(str).str.match(DATE_LIKE).mean() > MOSTLY and _dates(known).notna().mean() > MOSTLY:
        return "date"
    if known.astype(str).str.split().str.len().mean() > TEXT_WORDS:
        return "free text"
    return "id" if distinct > MOSTLY and len(known) > 50 else "category"


def _dates(column: pd.Series) -> pd.Series:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mixed formats are tried one by one, which pandas mentions for each column
        when = pd.to_datetime(column, errors="coerce", format="mixed", utc=True)
    return when.dt.tz_localize(None)


def _as_time(column: pd.Series, name: str) -> np.ndarray[Any, Any]:
    if not pd.api.types.is_numeric_dtype(column):
        column = _dates(column)
    if column.isna().any():
        raise DataError(f"The time column {name!r} has {int(column.isna().sum())} values that are neither dates nor numbers, "
                        f"the first in training row {int(np.flatnonzero(column.isna())[0]) + 1}. A time split needs one in every row.")
    return column.to_numpy()


def _targets(train: pd.DataFrame, target: tuple[str, ...], task: str) -> tuple[np.ndarray[Any, Any], tuple[Any, ...]]:
    if task == "regression":
        values = train[list(target)].apply(pd.to_numeric, errors="coerce")
        if values.isna().any(axis=None):
            bad = values.columns[values.isna().any()][0]
            came = train.loc[values[bad].isna(), bad].iloc[0]
            raise DataError(f"task = \"regression\" needs numbers, and {bad!r} holds {came!r}. For classes use task = \"multiclass\".")
        return (values[target[0]] if len(target) == 1 else values).to_numpy(dtype=float), ()
    if len(target) != 1:
        raise DataError(f"task = {task!r} takes one target column, and {len(target)} are named: {', '.join(target)}. Several need task = \"regression\".")
    labels = train[target[0]]
    vocab = tuple(sorted(labels.unique().tolist()))
    if task == "binary" and len(vocab) != 2:
        came = ", ".join(map(repr, vocab[:5])) + (", ..." if len(vocab) > 5 else "")
        raise DataError(f"task = \"binary\" needs two classes, and {target[0]!r} holds {len(vocab)}: {came}.")
    return pd.Categorical(labels, categories=list(vocab)).codes.astype(np.int64), vocab


def _need(df: pd.DataFrame, columns: tuple[str, ...], file: Path) -> None:
    if missing := [c for c in columns if c not in df.columns]:
        raise DataError(f"{file} has no column {', '.join(map(repr, missing))}. Its columns: {', '.join(map(str, df.columns))}. "
                        "Check id, target and [split] column in competition.toml.")
