"""Table: the rows that a model is trained on or predicts. Data: all rows of a competition."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .exceptions import DataError, UnknownName
from .ui.records import Shown, joined

if TYPE_CHECKING:
    import pandas as pd

    from .metrics import Metric

Array = np.ndarray[Any, Any]
CLEANING_FILE = "cleaning.csv"  # see reading/cleaning.py
_BEYOND = 0.2  # with more of its test rows beyond the training range, a feature is noted
_ENOUGH_ROWS = 20  # test rows with a value, to see it


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """The image of each row, as an index into a list of files that all folds share."""

    files: tuple[str, ...]  # paths; "" for a row without an image
    rows: Array  # (n,) indices into `files`

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return (self.files[i] for i in self.rows)

    def take(self, rows: Array) -> ImageFiles:
        """Return the images at the positions `rows`."""
        return ImageFiles(self.files, self.rows[rows])


@dataclass(frozen=True, eq=False, repr=False)
class Table(Shown):
    """Features of some rows, and their targets where they are known."""

    x: pd.DataFrame  # pandas categories for cat_names, floats (NaN: missing) for cont_names
    targs: Array | None  # class codes (n,), or values (n,) or (n, k)
    cat_names: tuple[str, ...]
    cont_names: tuple[str, ...]
    task: str  # binary | multiclass | regression
    vocab: tuple[Any, ...] = ()  # class labels by code; () for a regression
    images: ImageFiles | None = None  # the image of each row, where the competition has them
    texts: pd.DataFrame | None = None  # unchanged texts, one column for each; "" for none
    also: pd.DataFrame | None = None  # columns that only training rows have: extra targets
    groups: Array | None = None  # (n,) values that a split keeps together; training rows only
    time: Array | None = None  # (n,) values that a split is sorted by; training rows only
    beyond: tuple[str, ...] = ()  # features in `Data.notes`; training rows only

    def __len__(self) -> int:
        return len(self.x)

    def _facts(self) -> dict[str, object]:
        readable = [f for f in self.images or () if f]
        return {
            "rows": len(self),
            "task": self.task,
            "classes": joined(self.vocab),
            "categories": f"{len(self.cat_names)}: {joined(self.cat_names)}",
            "numbers": f"{len(self.cont_names)}: {joined(self.cont_names)}",
            "texts": joined(list(self.texts)) if self.texts is not None else "",
            "images": f"{len(readable)}, as in {readable[0]}" if readable else "",
        }

    @property
    def n_outputs(self) -> int:
        """Number of values in one prediction: one for each class, or one for each target."""
        if self.vocab:
            return len(self.vocab)
        return 1 if self.targs is None or self.targs.ndim == 1 else self.targs.shape[1]

    def take(self, rows: Array) -> Table:
        """Return the rows at the positions `rows`."""
        return dataclasses.replace(
            self,
            x=self.x.iloc[rows].reset_index(drop=True),
            targs=None if self.targs is None else self.targs[rows],
            images=self.images and self.images.take(rows),
            texts=_rows_of(self.texts, rows),
            also=_rows_of(self.also, rows),
            groups=None if self.groups is None else self.groups[rows],
            time=None if self.time is None else self.time[rows],
        )

    def only(self, columns: Sequence[str]) -> Table:
        """Return the table with only these features. Raises UnknownName."""
        known = (*self.cat_names, *self.cont_names)
        for c in columns:
            if c not in known:
                raise UnknownName("feature", c, known)
        cat = tuple(c for c in self.cat_names if c in columns)
        cont = tuple(c for c in self.cont_names if c in columns)
        return dataclasses.replace(self, cat_names=cat, cont_names=cont)

    def with_columns(
        self,
        columns: pd.DataFrame,  # as many rows as this table
        *,
        cat: tuple[str, ...] = (),  # the columns that are categories; the others are numbers
    ) -> Table:
        """Return the table with more features."""
        cont = tuple(str(c) for c in columns if c not in cat)
        x = self.x.copy()
        for c in columns:
            x[c] = columns[c].to_numpy() if c in cont else columns[c].array
        return dataclasses.replace(
            self, x=x, cat_names=(*self.cat_names, *cat), cont_names=(*self.cont_names, *cont)
        )


InFold = Callable[[Table, Table], tuple[Table, Table]]


@dataclass(frozen=True, eq=False, repr=False)
class Data(Shown):
    """All rows of a competition.

    `in_fold(fit, rows) -> (fit, rows)` adds the features that need targets. It must use the targets
    of `fit` only, and for each row of `fit` only those of the other rows; otherwise out-of-fold
    scores are too optimistic.
    """

    train: Table
    test: Table
    ids: Array  # (n_train,)
    test_ids: Array  # (n_test,)
    sample: pd.DataFrame  # the sample submission: id column first, then the answer columns
    raw_train: pd.DataFrame  # the columns of the files, before features are made of them
    raw_test: pd.DataFrame
    groups: Array | None = None  # (n_train,) values of the split's group column
    group_name: str = ""  # name of that column
    time: Array | None = None  # (n_train,) values of the split's time column
    left_out: dict[str, str] = field(default_factory=dict)  # column -> why no model uses it
    in_fold: InFold | None = None
    metric: str | Metric = ""  # or its name; "": not declared
    # reads new rows like those of the test file; None: they must have the features as columns
    new_rows: Any = None  # reading.new_rows.NewRows

    def _facts(self) -> dict[str, object]:
        facts = self.train._facts()
        return {
            **facts,
            "rows": f"{len(self.train)} train, {len(self.test)} test",
            "targets": joined(list(self.sample)[1:]),
            "metric": str(getattr(self.metric, "name", self.metric)),
            "groups": self.group_name,
            "left out": joined([f"{c} ({why})" for c, why in self.left_out.items()]),
            "notes": joined([f"{c} ({note})" for c, note in self.notes.items()]),
        }

    @cached_property
    def notes(self) -> dict[str, str]:
        """What to know about features: numbers with many test values beyond the training range.

        They are mostly times: elapsed days, years, counters of rows. No tree can extrapolate them.
        """
        tables = (self.train, self.test)
        fit, test = self.in_fold(*tables) if self.in_fold else tables
        x, x_test = (t.x[list(fit.cont_names)] for t in (fit, test))
        beyond, n_known = ((x_test < x.min()) | (x_test > x.max())).sum(), x_test.notna().sum()
        shares = (beyond / n_known)[(n_known >= _ENOUGH_ROWS) & (beyond > _BEYOND * n_known)]
        return {
            str(c): f"{share:.0%} of the test rows are beyond the training range"
            for c, share in shares.items()
        }

    @property
    def targs(self) -> Array:
        """Targets of the training rows: class codes (n,), or values (n,) or (n, k)."""
        if self.train.targs is None:
            raise DataError("The training table has no targets.")
        return self.train.targs

    @property
    def vocab(self) -> tuple[Any, ...]:
        """Class labels by code; () for a regression."""
        return self.train.vocab

    @property
    def task(self) -> str:
        """binary, multiclass or regression."""
        return self.train.task

    def take(self, rows: Array) -> Data:
        """Return the data with only the training rows at the positions `rows`; test rows stay."""
        return dataclasses.replace(
            self,
            train=self.train.take(rows),
            ids=self.ids[rows],
            raw_train=_rows_of(self.raw_train, rows),
            groups=None if self.groups is None else self.groups[rows],
            time=None if self.time is None else self.time[rows],
        )

    def fold(
        self,
        fit_rows: Array,
        rows: Array | None,  # None: the test rows
    ) -> tuple[Table, Table]:
        """Return (rows to fit on, rows to predict), with the features of `in_fold`.

        The rows to fit on know their groups and times, see `modeling.inner_split`, and the features
        of `notes`, see `modeling.without_model`.
        """
        known: dict[str, Any] = dict(groups=self.groups, time=self.time, beyond=tuple(self.notes))
        train = dataclasses.replace(self.train, **known)
        fit, other = train.take(fit_rows), self.test if rows is None else self.train.take(rows)
        return self.in_fold(fit, other) if self.in_fold else (fit, other)

    def with_features(
        self,
        train: pd.DataFrame,  # features of the training rows
        test: pd.DataFrame,  # the same of the test rows
        *,
        cat_names: tuple[str, ...],  # categories; levels that train lacks become missing
        cont_names: tuple[str, ...],  # numbers
        in_fold: InFold | None = None,  # features that need targets, see the class
    ) -> Data:
        """Return the same rows with these features instead."""
        tables = (
            dataclasses.replace(
                table,
                x=as_features(x, train, cat_names, cont_names),
                cat_names=cat_names,
                cont_names=cont_names,
            )
            for table, x in ((self.train, train), (self.test, test))
        )
        return dataclasses.replace(
            self,
            train=next(tables),
            test=next(tables),
            in_fold=in_fold or self.in_fold,
            new_rows=None,
            left_out={},  # the new features may use columns that the default reader left out
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that a model can use: features, targets, ids, files."""
        names = (self.train.cat_names, self.train.cont_names, self.vocab)
        digest = hashlib.sha256(repr(names).encode())
        for table, ids in ((self.train, self.ids), (self.test, self.test_ids)):
            digest.update(_frame_hashes(table.x))
            digest.update(repr(np.asarray(ids).tolist()).encode())
            for extra in (table.texts, table.also):
                digest.update(_frame_hashes(extra))
            with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
                for file_hash in pool.map(_file_hash, table.images or ()):
                    digest.update(file_hash)
        digest.update(np.ascontiguousarray(self.targs).tobytes())
        return digest.hexdigest()[:16]


def _rows_of(frame: Any, rows: Array) -> Any:
    return None if frame is None else frame.iloc[rows].reset_index(drop=True)


def _frame_hashes(frame: pd.DataFrame | None) -> bytes:
    import pandas as pd

    if frame is None:
        return b""
    return pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()


def _file_hash(file: str) -> bytes:
    """Return the hash of a file, empty if it cannot be read."""
    try:
        with open(file, "rb") as f:
            return hashlib.file_digest(f, "sha256").digest()
    except OSError:
        return b""


def as_features(
    df: pd.DataFrame, train: pd.DataFrame, cat_names: tuple[str, ...], cont_names: tuple[str, ...]
) -> pd.DataFrame:
    """Return `df` with the levels of `train` (other levels become missing) and float columns."""
    import pandas as pd

    out: dict[str, Any] = {}
    for c in cat_names:
        levels = sorted(train[c].dropna().unique(), key=lambda v: (str(type(v)), v))
        out[c] = pd.Categorical(df[c].where(df[c].isin(levels)), categories=levels)
    for c in cont_names:
        numbers = pd.to_numeric(df[c], errors="coerce").astype(float)
        out[c] = numbers.replace([np.inf, -np.inf], np.nan).to_numpy()
    return pd.DataFrame(out, index=range(len(df)))
