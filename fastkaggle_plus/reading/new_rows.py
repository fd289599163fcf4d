"""Read new rows for a model that is kept: one file, a pair of texts, or a frame, into a Table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import ImageFiles, Table
from ..exceptions import DataError, listed
from .columns import ColumnReader, read_columns
from .target_encoding import with_counts

IMAGE = "image"  # the column with the path of the image


@dataclass
class FileColumns:
    """Makes features of the columns of a file, as they were read in train."""

    readers: list[ColumnReader]
    counts: dict[str, dict[Any, int]]  # rows of each level, of categories with many

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the features of some rows."""
        return with_counts(read_columns(self.readers, rows), self.counts)


@dataclass
class NewRows:
    """Makes a Table of new rows, without the training rows."""

    kind: str  # images | texts | table
    task: str
    vocab: tuple[Any, ...]
    n_targets: int
    levels: dict[str, list[Any]]  # of each category, in order
    cont_names: tuple[str, ...]
    texts: tuple[str, ...]  # columns with texts
    make: Callable[[pd.DataFrame], pd.DataFrame] | None  # makes features; None: they are columns
    columns: dict[str, str]  # name -> dtype, of the rows it takes

    @classmethod
    def of(
        cls,
        train: Table,
        *,
        make: Callable[[pd.DataFrame], pd.DataFrame] | None,
        columns: dict[str, str],
    ) -> NewRows:
        """Return the reader of rows like those of a training table."""
        texts = () if train.texts is None else tuple(map(str, train.texts))
        kind = "images" if train.images is not None else "texts" if texts else "table"
        levels = {c: train.x[c].cat.categories.tolist() for c in train.cat_names}
        n_targets = 1 if train.vocab else train.n_outputs
        facts = (kind, train.task, train.vocab, n_targets, levels, train.cont_names, texts)
        return cls(*facts, make, columns)

    def __call__(self, x: Any) -> Table:
        """Return the rows as a table. Raises DataError for missing columns and unknown shapes."""
        frame = self._frame(x).reset_index(drop=True)
        images = frame[IMAGE].astype(str).tolist() if self.kind == "images" else None
        return Table(
            self._typed(self.features(frame)),
            None if self.n_targets == 1 else np.full((len(frame), self.n_targets), np.nan),
            tuple(self.levels),
            self.cont_names,
            self.task,
            self.vocab,
            images=images if images is None else ImageFiles(tuple(images), np.arange(len(images))),
            texts=frame[list(self.texts)].fillna("").astype(str) if self.texts else None,
        )

    def features(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the features of rows; a column that they lack is empty."""
        missing = [c for c in self.columns if c not in frame]
        known = frame.assign(**dict.fromkeys(missing, np.nan)) if missing else frame
        return self.make(known) if self.make else known

    def _frame(self, x: Any) -> pd.DataFrame:
        """Return what was given as a frame with the columns of the files."""
        if isinstance(x, Mapping):
            x = pd.DataFrame([dict(x)])
        if isinstance(x, pd.DataFrame):
            needed = {"images": [IMAGE], "texts": self.texts, "table": self.columns}[self.kind]
            if missing := [c for c in needed if c not in x]:
                raise DataError(
                    f"The rows lack {listed(missing, 8)}; the model needs {listed(needed, 20)}. "
                    "Add them, with empty cells for unknown values."
                )
            return x
        if self.kind == "images" and (paths := _paths(x)) is not None:
            return pd.DataFrame({IMAGE: paths}, dtype=object)
        if self.kind == "texts" and (rows := _texts(x, len(self.texts))) is not None:
            return pd.DataFrame(rows, columns=list(self.texts), dtype=object)
        expected = {
            "images": "the path of an image, or a list of them",
            "texts": f"{len(self.texts)} string(s) for {listed(self.texts)}, or a list of them",
            "table": f"a data frame with {listed(self.columns, 20)}",
        }[self.kind]
        raise DataError(f"Expected {expected}; got {type(x).__name__} {str(x)[:60]!r}.")

    def _typed(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return categories with their levels, and numbers as floats."""
        columns: dict[str, Any] = {}
        for c, levels in self.levels.items():
            by_text = {str(level): level for level in levels}  # a form sends 3 as "3"
            values = features[c].astype(object)
            as_text = values.map(str).where(values.notna())
            values = values.where(values.isin(levels), as_text.map(by_text))
            columns[c] = pd.Categorical(values, categories=levels)
        for c in self.cont_names:
            numbers = pd.to_numeric(features[c], errors="coerce").astype(float)
            columns[c] = numbers.replace([np.inf, -np.inf], np.nan).to_numpy()
        return pd.DataFrame(columns, index=range(len(features)))


def _paths(x: Any) -> list[str] | None:
    if isinstance(x, str | Path):
        return [str(x)]
    are_paths = isinstance(x, Sequence | np.ndarray) and all(isinstance(f, str | Path) for f in x)
    return [str(f) for f in x] if are_paths else None


def _texts(x: Any, n: int) -> list[tuple[str, ...]] | None:
    """Return rows of n strings; None for anything else."""
    if isinstance(x, str):
        x = [(x,)]
    elif isinstance(x, tuple) and all(isinstance(text, str) for text in x):
        x = [x]
    if not isinstance(x, Sequence | np.ndarray):
        return None
    rows = [(row,) if isinstance(row, str) else tuple(row) for row in x]
    are_rows = all(len(r) == n and all(isinstance(t, str) for t in r) for r in rows)
    return rows if are_rows else None
