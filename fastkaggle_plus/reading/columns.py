"""What a column is (number, date, category, or nothing for a model), and how it becomes features."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

TEXT_WORDS = 4  # more words than this on average is free text
MOSTLY = 0.95  # a share of rows that counts as all of them
FEW_ROWS = 50  # below this, values that are all different may still be categories
MANY_ROWS = 20_000  # a sample of this size tells what a longer column is
ENOUGH_ROWS = 20  # test rows that show whether test shares the categories of train
UNKNOWN = ("?", "-", "--", ".", "na", "n/a", "nan", "none", "null", "unknown", "missing", "")
ZERO_DATE = r"0{2,4}[-/.]0{2}[-/.]0{2,4}([ T].*)?"  # what databases write for an unknown date
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
DATE_LIKE = (
    r"(?i)\s*((mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{2}[-/.]\d{2}[-/.]\d{2}"
    rf"|(19|20)\d\d-(0[1-9]|1[0-2])|\d{{1,2}}[- ]{_MONTH}[-, ]+\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}}|{_MONTH}(,? |-)\d{{4}}"
    rf"|{_MONTH} +\d{{1,2}} \d{{1,2}}:\d{{2}}(:\d{{2}})? ([a-z]{{3,4}} )?\d{{4}})([ T]\d{{1,2}}:\d{{2}}.*)?\s*"
)

Features = tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], tuple[str, ...]]


def infer_features(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    id: str,  # never a feature
    target: tuple[str, ...],  # never features
    categories: tuple[str, ...] = (),  # columns that are categories, whatever they look like
) -> tuple[Features, dict[str, str]]:
    """Return (features of train, of test, cat_names, cont_names), and the columns left out with the reason for each."""
    x: dict[str, Any] = {}
    x_test: dict[str, Any] = {}
    cat, left_out = [], {c: "not in the train file" for c in test.columns if c not in train.columns}
    for name in [c for c in train.columns if c not in target]:
        kind = (
            "not in the test file"
            if name not in test.columns
            else "category"
            if name in categories
            else column_kind(name, train[name], id)
        )
        if kind == "category" and name not in categories and _strangers(train[name], test[name]):
            kind = "test has other values"
        if kind == "date":
            parts, test_parts = date_parts(train[name]), date_parts(test[name], like=train[name])
            useful = [p for p in parts if parts[p].nunique() > 1]
            x, x_test = {**x, **parts[useful]}, {**x_test, **test_parts[useful]}
        elif kind == "number":
            x[name], x_test[name] = (
                as_numbers(train[name]),
                as_numbers(test[name], like=train[name]),
            )
        elif kind == "category":
            x[name], x_test[name] = as_words(train[name]), as_words(test[name])
            cat.append(name)
        else:
            left_out[name] = kind
    features = pd.DataFrame(x, index=train.index), pd.DataFrame(x_test, index=test.index)
    return (*features, tuple(cat), tuple(c for c in x if c not in cat)), left_out


def column_kind(name: str, column: pd.Series, id: str = "") -> str:
    """Return number, date or category; or, for a column no model should see, why: id, constant, free text."""
    known = column.dropna()
    if name == id:
        return "id"
    if known.nunique() <= 1 and not (known.size and column.isna().any()):
        return "constant"
    distinct, n_known = known.nunique() / max(len(known), 1), len(known)
    known = known if n_known <= MANY_ROWS else known.sample(MANY_ROWS, random_state=0)
    said = (
        known if is_written_as_number(known) else known[~_is_unknown(known)]
    )  # gaps written as words are gaps
    numbers = as_numbers(said)
    if is_written_as_number(known) or numbers.notna().mean() > MOSTLY:
        whole = bool((numbers.dropna() % 1 == 0).all())
        if (
            whole
            and distinct > MOSTLY
            and (str(name).lower().endswith("id") or str(name).startswith("Unnamed:"))
        ):
            return "id"
        return "date" if whole and _are_yyyymmdd(numbers) else "number"
    if (
        said.astype(str).str.fullmatch(DATE_LIKE).mean() > MOSTLY
        and read_dates(said).notna().mean() > MOSTLY
    ):
        return "date"
    words = known.astype(str)
    if words.str.count(r"\S+").mean() > TEXT_WORDS:
        return "free text"
    return "id" if distinct > MOSTLY and n_known > FEW_ROWS else "category"


def is_written_as_number(column: pd.Series) -> bool:
    """Say whether pandas read the column as numbers or booleans."""
    return bool(pd.api.types.is_numeric_dtype(column))


def _is_unknown(column: pd.Series) -> pd.Series:
    """Say which values are words for a value nobody knows, or dates of zeros."""
    words = column.astype(str).str.strip().str.lower()
    return words.isin(UNKNOWN) | words.str.fullmatch(ZERO_DATE)


def as_words(column: pd.Series) -> pd.Series:
    """Return categories as text without surrounding blanks; empty is missing."""
    words = column.astype(str).str.strip()
    return words.where(column.notna() & (words != ""))


def as_numbers(
    column: pd.Series,
    *,
    like: pd.Series | None = None,  # the training column, which decides what a comma means
) -> pd.Series:
    """Return floats, also of numbers written as text (`1,234.5`, `3,14`, `$5`, `12%`, `True`); words become missing."""
    if is_written_as_number(column):
        return column.astype(float)
    text, decides = (
        _bare(column),
        _bare(column if like is None else like),
    )  # each distinct text once
    with_comma = decides[decides.str.contains(",", regex=False, na=False)]
    if with_comma.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?").all():
        text = text.str.replace(",", "", regex=False)
    elif with_comma.str.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+").mean() > MOSTLY:
        text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    meaning = pd.to_numeric(text, errors="coerce").astype(float)
    return column.map(meaning.to_dict()).astype(float)


def _bare(column: pd.Series) -> pd.Series:
    """Each distinct value -> its text as a number could be written: without currency, per cent, or a word for unknown."""
    values = column.dropna().unique()
    text = pd.Series(values, index=values, dtype=object).astype(str).str.strip().str.lower()
    text = text.str.replace(r"^[$€£]\s*|\s*%$", "", regex=True)
    return text.mask(text.isin(UNKNOWN)).replace({"true": "1", "false": "0"})


def date_parts(
    column: pd.Series,
    *,
    like: pd.Series
    | None = None,  # the training column, which decides between day first and month first
) -> pd.DataFrame:
    """Expand dates to the parts of fastai's add_datepart that trees use: year, month, day, week day, day of year, hour, elapsed days."""
    when = read_dates(column, like=like)
    parts = {
        "Year": when.dt.year,
        "Month": when.dt.month,
        "Day": when.dt.day,
        "Dayofweek": when.dt.day_of_week,
        "Dayofyear": when.dt.day_of_year,
        "Hour": when.dt.hour,
        "Elapsed": (when - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1),
    }
    return pd.DataFrame({f"{column.name}_{k}": v.astype(float) for k, v in parts.items()})


def read_dates(column: pd.Series, *, like: pd.Series | None = None) -> pd.Series:
    """Return timestamps without time zone; missing where a value is no date. Each distinct text is parsed once."""
    decides = column if like is None else like
    if is_written_as_number(column):
        texts = column.dropna().astype("int64").astype(str).reindex(column.index)
        return pd.to_datetime(texts, errors="coerce", format="%Y%m%d").astype("datetime64[us]")
    known = pd.Series(column.dropna().unique()).astype(str).str.strip()
    year_first, day_first = known.str.match(r"\d{4}"), _day_first(decides)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # mixed formats are tried one by one, which pandas mentions for each column
        when = pd.concat(
            [
                pd.to_datetime(
                    some, errors="coerce", format="mixed", utc=True, dayfirst=first
                ).astype("datetime64[us, UTC]")
                for some, first in ((known[year_first], False), (known[~year_first], day_first))
            ]
        )
    meaning = dict(zip(known[when.index], when.dt.tz_localize(None), strict=True))
    return pd.to_datetime(column.astype(str).str.strip().map(meaning).where(column.notna())).astype(
        "datetime64[us]"
    )


def _day_first(column: pd.Series) -> bool:
    """Say whether 05.02.2020 is in February: as other rows show, else with dots yes, with slashes no."""
    parts = (
        pd.Series(column.dropna().unique())
        .astype(str)
        .str.extract(r"^\s*(\d{1,2})([-/.])(\d{1,2})[-/.]")
        .dropna()
    )
    if parts.empty or (parts[2].astype(int) > 12).any():
        return False
    return bool((parts[0].astype(int) > 12).any() or (parts[1] == ".").all())


def _are_yyyymmdd(numbers: pd.Series) -> bool:
    known = numbers.dropna()
    if known.nunique() < 5 or not known.between(19000101, 21001231).all():
        return False
    return bool(
        pd.to_datetime(known.astype("int64").astype(str), errors="coerce", format="%Y%m%d")
        .notna()
        .mean()
        > MOSTLY
    )


def _strangers(train: pd.Series, test: pd.Series) -> bool:
    """Say whether test holds next to no category of train, as with the groups of a grouped split."""
    known = as_words(test).dropna()
    return len(known) >= ENOUGH_ROWS and bool(
        known.isin(as_words(train.drop_duplicates()).dropna()).mean() < 1 - MOSTLY
    )
