"""Rows as a model sees them (Table), and a competition's rows as a whole (Data)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .exceptions import DataError, UnknownName

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """The image of each row: a place in a list of files that all folds share, so that each is decoded once."""

    files: tuple[str, ...]  # paths; "" for a row without an image
    rows: Array  # (n,) places in `files`

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[str]:
        return (self.files[i] for i in self.rows)

    def take(self, rows: Array) -> ImageFiles:
        """Return the images at the positions `rows`."""
        return ImageFiles(self.files, self.rows[rows])


@dataclass(frozen=True, eq=False)
class Table:
    """Features of some rows, with their targets where these are known."""

    x: pd.DataFrame  # one column a feature: pandas categories for cat_names, floats (NaN = missing) for cont_names
    targs: Array | None  # class codes (n,), or values (n,) or (n, k)
    cat_names: tuple[str, ...]
    cont_names: tuple[str, ...]
    task: str  # binary | multiclass | regression
    vocab: tuple[Any, ...] = ()  # class labels by code; () for a regression
    images: ImageFiles | None = None  # the image of each row, where the competition has them
    texts: pd.DataFrame | None = (
        None  # the texts of each row as they are written, one column a text; "" where there is none
    )
    also: pd.DataFrame | None = (
        None  # columns that only training rows have: no features, but a model may learn to predict them too
    )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def n_outputs(self) -> int:
        """Width of a prediction: one probability a class, or one value a target."""
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
        )

    def only(self, columns: Sequence[str]) -> Table:
        """Return the table with these features alone. Raises UnknownName."""
        for c in columns:
            if c not in (*self.cat_names, *self.cont_names):
                raise UnknownName("feature", c, (*self.cat_names, *self.cont_names))
        cat, cont = (
            tuple(c for c in names if c in columns) for names in (self.cat_names, self.cont_names)
        )
        return dataclasses.replace(self, cat_names=cat, cont_names=cont)

    def with_columns(
        self,
        columns: pd.DataFrame,  # one row per row of this table
        *,
        cat: tuple[str, ...] = (),  # which of them are categories; the others are numbers
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


@dataclass(frozen=True, eq=False)
class Data:
    """A competition's rows, read.

    `in_fold(fit, rows) -> (fit, rows)` adds the features that need targets. It may look at the targets of `fit` only, and
    for each row of `fit` at those of the other rows only, so that out-of-fold predictions stay honest.
    """

    train: Table
    test: Table
    ids: Array  # (n_train,)
    test_ids: Array  # (n_test,)
    sample: pd.DataFrame  # the sample submission: id column first, then the answer columns
    raw_train: pd.DataFrame  # the files as they were read
    raw_test: pd.DataFrame
    groups: Array | None = None  # (n_train,) values of the split's group column
    group_name: str = ""  # how that column is called
    time: Array | None = None  # (n_train,) values of the split's time column
    left_out: dict[str, str] = field(default_factory=dict)  # column -> why no model sees it
    in_fold: InFold | None = None
    metric: str = ""  # a name in metrics.py; "" where nobody said

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

    def fold(self, fit_rows: Array, rows: Array | None) -> tuple[Table, Table]:
        """Return (rows to fit on, rows to predict: test if None), with the features that `in_fold` computes from the first alone."""
        fit, other = self.train.take(fit_rows), self.test if rows is None else self.train.take(rows)
        return self.in_fold(fit, other) if self.in_fold else (fit, other)

    def with_features(
        self,
        train: pd.DataFrame,  # features of the training rows
        test: pd.DataFrame,  # the same of the test rows
        *,
        cat_names: tuple[
            str, ...
        ],  # columns that are categories; levels are fixed from train, others become missing
        cont_names: tuple[str, ...],  # columns that are numbers
        in_fold: InFold | None = None,  # features that need targets, see the class
    ) -> Data:
        """Return the same rows with these features instead."""
        return dataclasses.replace(
            self,
            train=dataclasses.replace(
                self.train,
                x=as_features(train, train, cat_names, cont_names),
                cat_names=cat_names,
                cont_names=cont_names,
            ),
            test=dataclasses.replace(
                self.test,
                x=as_features(test, train, cat_names, cont_names),
                cat_names=cat_names,
                cont_names=cont_names,
            ),
            in_fold=in_fold or self.in_fold,
            left_out={},  # what the default reader passed over may well be in these
        )

    def fingerprint(self) -> str:
        """Return a hash of everything a model can see: features, targets, ids."""
        import pandas as pd

        digest = hashlib.sha256(
            repr((self.train.cat_names, self.train.cont_names, self.vocab)).encode()
        )
        for table, ids in ((self.train, self.ids), (self.test, self.test_ids)):
            digest.update(pd.util.hash_pandas_object(table.x, index=False).to_numpy().tobytes())
            digest.update(repr(np.asarray(ids).tolist()).encode())
            for more in (table.texts, table.also):
                if more is not None:
                    digest.update(
                        pd.util.hash_pandas_object(more, index=False).to_numpy().tobytes()
                    )
            for content in _contents(table.images):
                digest.update(content)
        digest.update(np.ascontiguousarray(self.targs).tobytes())
        return digest.hexdigest()[:16]


def _rows_of(frame: pd.DataFrame | None, rows: Array) -> pd.DataFrame | None:
    return None if frame is None else frame.iloc[rows].reset_index(drop=True)


def _contents(images: ImageFiles | None) -> Iterator[bytes]:
    """The hash of each image's bytes, in the order of the rows; of none where there is no file."""

    def content(file: str) -> bytes:
        try:
            with open(file, "rb") as f:
                return hashlib.file_digest(f, "sha256").digest()
        except OSError:
            return b""

    if images is not None:
        with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
            yield from pool.map(content, images)


def as_features(
    df: pd.DataFrame, train: pd.DataFrame, cat_names: tuple[str, ...], cont_names: tuple[str, ...]
) -> pd.DataFrame:
    """Return `df` with categories whose levels are those of `train` (others become missing), and float columns."""
    import pandas as pd

    out: dict[str, Any] = {}
    for c in cat_names:
        levels = sorted(train[c].dropna().unique(), key=lambda v: (str(type(v)), v))
        out[c] = pd.Categorical(df[c].where(df[c].isin(levels)), categories=levels)
    for c in cont_names:
        out[c] = (
            pd.to_numeric(df[c], errors="coerce")
            .astype(float)
            .replace([np.inf, -np.inf], np.nan)
            .to_numpy()
        )
    return pd.DataFrame(out, index=range(len(df)))
