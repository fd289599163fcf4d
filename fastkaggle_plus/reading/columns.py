"""Infer the kind of each column (number, date, category, text, unused), make features of it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .topics import FEW_TOPICS, TOPICS, Topics, lengths_of
from .word_columns import MOSTLY, TEXT_WORDS, kind_of_words, words_per_value

CIRCLES = {"Month": 12, "Dayofweek": 7, "Dayofyear": 365.25, "Hour": 24}  # parts that repeat
MANY_ROWS = 20_000  # rows sampled to infer the kind of a longer column
ENOUGH_ROWS = 20  # test rows needed to see whether test shares the categories of train
UNKNOWN = ("?", "-", "--", ".", "na", "n/a", "nan", "none", "null", "unknown", "missing", "")
ZERO_DATE = r"0{2,4}[-/.]0{2}[-/.]0{2,4}([ T].*)?"  # what databases write for an unknown date
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATES = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}",
    r"\d{2}[-/.]\d{2}[-/.]\d{2}",
    r"(19|20)\d\d-(0[1-9]|1[0-2])",
    rf"\d{{1,2}}[- ]{_MONTH}[-, ]+\d{{2,4}}",
    rf"{_MONTH} \d{{1,2}},? \d{{4}}",
    rf"{_MONTH}(,? |-)\d{{4}}",
    rf"{_MONTH} +\d{{1,2}} \d{{1,2}}:\d{{2}}(:\d{{2}})? ([a-z]{{3,4}} )?\d{{4}}",
)
DATE_LIKE = (
    rf"(?i)\s*((mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?({'|'.join(_DATES)})"
    r"([ T]\d{1,2}:\d{2}.*)?\s*"
)

# (features of train, features of test, cat_names, cont_names)
Features = tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...], tuple[str, ...]]
# values that show how a column of train was read: commas, and days first
_COMMAS = {1500.0: ["1,500"], 1.5: ["1,5"]}
_DAYS_FIRST = {True: ["13/01/2020"], False: ["01/13/2020"]}


@dataclass
class ColumnReader:
    """Makes features of one column of new rows, as it was read in train."""

    name: str
    kind: str  # number | category | date | text | phrases
    like: list[str]  # values that show how a new column is read
    parts: list[str] = field(default_factory=list)  # features of a date or of texts
    topics: Topics | None = None

    @classmethod
    def fit(cls, name: str, kind: str, train: pd.Series) -> tuple[ColumnReader, pd.DataFrame]:
        """Learn from the training column how to read another one; return also its features."""
        reader, parts = cls(name, kind, []), pd.DataFrame(index=train.index)
        if kind == "number" and not is_written_as_number(train):
            [read] = as_numbers(pd.Series(["1,500"]), like=train)
            reader.like = _COMMAS.get(read, ["1,2,3"])
        elif kind == "date" and not is_written_as_number(train):
            reader.like = _DAYS_FIRST[_is_day_first(train)]
        elif kind in ("text", "phrases"):
            words = as_words(train).fillna("")
            many = words_per_value(train.dropna()) > TEXT_WORDS
            reader.topics, found = Topics.fit(words, k=TOPICS if many else FEW_TOPICS)
            parts = pd.concat([lengths_of(words), found], axis=1)
        if kind == "date":
            parts = date_parts(train, like=pd.Series(reader.like, dtype=object))
        reader.parts = [str(p) for p in parts if parts[p].nunique() > 1]
        return reader, pd.concat([reader._itself(train), parts[reader.parts]], axis=1)

    @property
    def dtype(self) -> str:
        """The type of the column in words, for people and forms."""
        return {"number": "float64", "text": "str", "phrases": "str"}.get(self.kind, self.kind)

    def __call__(self, column: pd.Series) -> pd.DataFrame:
        """Return the features of a column."""
        parts = [self._parts(column)[self.parts]] if self.parts else []
        return pd.concat([self._itself(column), *parts], axis=1)

    def _itself(self, column: pd.Series) -> pd.DataFrame:
        """Return the column as a number or a category, or no column."""
        found = {}
        if self.kind == "number":
            found[self.name] = as_numbers(column, like=pd.Series(self.like, dtype=object))
        elif self.kind in ("category", "phrases"):
            found[self.name] = as_words(column)
        return pd.DataFrame(found, index=column.index)

    def _parts(self, column: pd.Series) -> pd.DataFrame:
        if self.topics is None:
            return date_parts(column, like=pd.Series(self.like, dtype=object))
        words = as_words(column).fillna("")
        return pd.concat([lengths_of(words), self.topics(words)], axis=1)


def infer_features(
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    id: str,  # never a feature
    target: tuple[str, ...],  # never features
    categories: tuple[str, ...] = (),  # columns that are categories, without a check
) -> tuple[Features, dict[str, str], list[ColumnReader]]:
    """Return the features, the columns left out with a reason, and the readers of the others."""
    readers, parts = list[ColumnReader](), list[pd.DataFrame]()
    left_out = {c: "not in the train file" for c in test.columns if c not in train.columns}
    for name in [c for c in train.columns if c not in target]:
        if name not in test.columns:
            left_out[name] = "not in the test file"
            continue
        kind = "category" if name in categories else column_kind(name, train[name], id)
        if kind in ("category", "phrases") and name not in categories:
            if share_known(train[name], test[name]) < 1 - MOSTLY:
                kind = "text" if kind == "phrases" else "test has other values"
        if kind in ("number", "category", "date", "text", "phrases"):
            reader, features = ColumnReader.fit(name, kind, train[name])
            readers.append(reader)
            parts.append(features)
        else:
            left_out[name] = kind
    x = pd.concat([pd.DataFrame(index=train.index), *parts], axis=1)
    x_test = read_columns(readers, test)
    cat = tuple(str(r.name) for r in readers if r.kind in ("category", "phrases"))
    return (x, x_test, cat, tuple(str(c) for c in x if c not in cat)), left_out, readers


def read_columns(readers: Sequence[ColumnReader], rows: pd.DataFrame) -> pd.DataFrame:
    """Return the features of some rows."""
    parts = [reader(rows[reader.name]) for reader in readers]
    return pd.concat([pd.DataFrame(index=rows.index), *parts], axis=1)


def column_kind(name: str, column: pd.Series, id: str = "") -> str:
    """Return the kind of a column, or why to leave it out: id or constant.

    The kinds are number, date, category, text, and phrases: categories that are texts too.
    """
    known = column.dropna()
    if name == id:
        return "id"
    if known.nunique() <= 1 and not (known.size and column.isna().any()):
        return "constant"
    n_known, n_levels = len(known), known.nunique()
    if n_known > MANY_ROWS:
        known = known.sample(MANY_ROWS, random_state=0)
    is_number = is_written_as_number(known)
    values = known if is_number else known[~_is_unknown(known)]  # gaps written as words are gaps
    numbers = as_numbers(values)
    if is_number or numbers.notna().mean() > MOSTLY:
        whole = bool((numbers.dropna() % 1 == 0).all())
        has_id_name = str(name).lower().endswith("id") or str(name).startswith("Unnamed:")
        if whole and n_levels > MOSTLY * n_known and has_id_name:
            return "id"
        return "date" if whole and _are_yyyymmdd(numbers) else "number"
    are_date_like = values.astype(str).str.fullmatch(DATE_LIKE).mean() > MOSTLY
    if are_date_like and read_dates(values).notna().mean() > MOSTLY:
        return "date"
    return kind_of_words(known, n_known, n_levels)


def is_written_as_number(column: pd.Series) -> bool:
    """Say whether pandas read the column as numbers or booleans."""
    return bool(pd.api.types.is_numeric_dtype(column))


def _is_unknown(column: pd.Series) -> pd.Series:
    """Say which values are words for an unknown value, or dates of zeros."""
    words = column.astype(str).str.strip().str.lower()
    return words.isin(UNKNOWN) | words.str.fullmatch(ZERO_DATE)


def as_words(column: pd.Series) -> pd.Series:
    """Return categories as stripped text; empty is missing."""
    words = column.astype(str).str.strip()
    return words.where(column.notna() & (words != ""))


def as_numbers(
    column: pd.Series,
    *,
    like: pd.Series | None = None,  # the training column, which decides what a comma means
) -> pd.Series:
    """Return floats, also for text like `1,234.5`, `3,14`, `$5`, `12%`, `True`; else missing."""
    if is_written_as_number(column):
        return column.astype(float)
    text = _bare_numbers(column)
    sample = text if like is None else _bare_numbers(like)
    with_comma = sample[sample.str.contains(",", regex=False, na=False)]
    if with_comma.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?").all():
        text = text.str.replace(",", "", regex=False)
    elif with_comma.str.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+").mean() > MOSTLY:
        text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    return column.map(numbers.to_dict()).astype(float)


def _bare_numbers(column: pd.Series) -> pd.Series:
    """Return distinct value -> its text without currency, per cent and words for unknown."""
    values = column.dropna().unique()
    text = pd.Series(values, index=values, dtype=object).astype(str).str.strip().str.lower()
    text = text.str.replace(r"^[$€£]\s*|\s*%$", "", regex=True)
    return text.mask(text.isin(UNKNOWN)).replace({"true": "1", "false": "0"})


def date_parts(
    column: pd.Series,
    *,
    like: pd.Series | None = None,  # the training column, which decides if the day is first
) -> pd.DataFrame:
    """Expand dates to the parts of fastai's add_datepart that trees use, and to circles.

    A circle is a sine and a cosine: 23 o'clock is near 0 o'clock, and December near January.
    """
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
    for part, n in CIRCLES.items():
        angle = 2 * np.pi * parts[part] / n
        parts |= {f"{part}_sin": np.sin(angle), f"{part}_cos": np.cos(angle)}
    return pd.DataFrame({f"{column.name}_{k}": v.astype(float) for k, v in parts.items()})


def read_dates(column: pd.Series, *, like: pd.Series | None = None) -> pd.Series:
    """Return timestamps without time zone, missing if a value is not a date."""
    if is_written_as_number(column):
        texts = column.dropna().astype("int64").astype(str).reindex(column.index)
        return pd.to_datetime(texts, errors="coerce", format="%Y%m%d").astype("datetime64[us]")
    known = pd.Series(column.dropna().unique()).astype(str).str.strip()  # each is parsed once
    is_year_first = known.str.match(r"\d{4}")
    groups = (
        (known[is_year_first], False),
        (known[~is_year_first], _is_day_first(column if like is None else like)),
    )
    options: dict[str, Any] = dict(errors="coerce", format="mixed", utc=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns that mixed formats are parsed one by one
        parsed = [pd.to_datetime(texts, dayfirst=first, **options) for texts, first in groups]
    when = pd.concat([p.astype("datetime64[us, UTC]") for p in parsed])
    date_of = dict(zip(known[when.index], when.dt.tz_localize(None), strict=True))
    dates = column.astype(str).str.strip().map(date_of).where(column.notna())
    return pd.to_datetime(dates).astype("datetime64[us]")


def _is_day_first(column: pd.Series) -> bool:
    """Say whether 05.02.2020 is in February: as other rows show, else if it has dots."""
    texts = pd.Series(column.dropna().unique()).astype(str)
    parts = texts.str.extract(r"^\s*(\d{1,2})([-/.])(\d{1,2})[-/.]").dropna()
    if parts.empty or (parts[2].astype(int) > 12).any():
        return False
    return bool((parts[0].astype(int) > 12).any() or (parts[1] == ".").all())


def _are_yyyymmdd(numbers: pd.Series) -> bool:
    known = numbers.dropna()
    if known.nunique() < 5 or not known.between(19000101, 21001231).all():
        return False
    texts = known.astype("int64").astype(str)
    return bool(pd.to_datetime(texts, errors="coerce", format="%Y%m%d").notna().mean() > MOSTLY)


def share_known(train: pd.Series, test: pd.Series) -> float:
    """Return the share of test's values that train has; 1 if test has too few rows to see it."""
    convert = as_numbers if is_written_as_number(train) else as_words
    values = convert(test).dropna()
    known = convert(train.drop_duplicates()).dropna()
    return float(values.isin(known).mean()) if len(values) >= ENOUGH_ROWS else 1.0
