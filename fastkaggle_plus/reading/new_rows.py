"""Read new rows for a model that is kept: one file, a pair of texts, or a frame, into a Table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data, ImageFiles, Table
from ..exceptions import DataError, listed
from .images import image_features

IMAGE = "image"  # the column with the path of the image
_MEASURED = "width_px"  # a feature of images


@dataclass
class NewRows:
    """Makes a Table of new rows, without the training rows."""

    kind: str  # images | texts | table
    task: str
    vocab: tuple[Any, ...]
    n_targets: int
    levels: dict[str, list[Any]]  # of each category, in order
    cont_names: tuple[str, ...]
    texts: tuple[str, ...] = ()  # columns with texts
    make: Callable[[pd.DataFrame], pd.DataFrame] | None = None  # columns of the files -> features
    columns: dict[str, str] = field(default_factory=dict)  # name -> dtype, of the rows it takes

    def __call__(self, x: Any) -> Table:
        """Return the rows as a table. Raises DataError for missing columns and unknown shapes."""
        frame = self._frame(x).reset_index(drop=True)
        known = frame.reindex(columns=[*frame, *(c for c in self.columns if c not in frame)])
        features = self.make(known) if self.make else known
        features = self._with_images(features, frame) if self.kind == "images" else features
        images = frame[IMAGE].astype(str).tolist() if self.kind == "images" else None
        return Table(
            self._typed(features),
            None if self.n_targets == 1 else np.full((len(frame), self.n_targets), np.nan),
            tuple(self.levels),
            self.cont_names,
            self.task,
            self.vocab,
            images=images if images is None else ImageFiles(tuple(images), np.arange(len(images))),
            texts=frame[list(self.texts)].fillna("").astype(str) if self.texts else None,
        )

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
            "texts": f"{len(self.texts)} string(s) for {listed(self.texts)}, or a list of such rows",
            "table": f"a data frame with {listed(self.columns, 20)}",
        }[self.kind]
        raise DataError(f"Expected {expected}; got {type(x).__name__} {str(x)[:60]!r}.")

    def _with_images(self, features: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
        """Add the features of the images, if the model has any."""
        if _MEASURED not in self.cont_names and not any(
            c.startswith("mean_") for c in self.cont_names
        ):
            return features
        measured = image_features(frame[IMAGE].astype(str).tolist())
        return pd.concat(
            [features.drop(columns=[c for c in measured if c in features]), measured], axis=1
        )

    def _typed(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return categories with their levels, and numbers as floats."""
        columns: dict[str, Any] = {}
        for c, levels in self.levels.items():
            by_text = {str(level): level for level in levels}  # a form sends 3 as "3"
            values = _column(features, c).astype(object)
            values = values.where(values.isin(levels), values.map(str).map(by_text))
            columns[c] = pd.Categorical(values, categories=levels)
        for c in self.cont_names:
            numbers = pd.to_numeric(_column(features, c), errors="coerce").astype(float)
            columns[c] = numbers.replace([np.inf, -np.inf], np.nan).to_numpy()
        return pd.DataFrame(columns, index=range(len(features)))


def rows_of_features(data: Data) -> NewRows:
    """Return the reader of rows that have the features as columns."""
    train, texts = data.train, () if data.train.texts is None else tuple(map(str, data.train.texts))
    kind = "images" if train.images is not None else "texts" if texts else "table"
    levels = {c: train.x[c].cat.categories.tolist() for c in train.cat_names}
    columns = dict.fromkeys(train.cat_names, "category") | dict.fromkeys(
        train.cont_names, "float64"
    )
    if kind == "images":
        measured = set(image_features([]))
        columns = {IMAGE: "path"} | {c: d for c, d in columns.items() if c not in measured}
    n_targets = 1 if train.vocab else train.n_outputs
    columns = dict.fromkeys(texts, "str") | columns
    return NewRows(
        kind, train.task, train.vocab, n_targets, levels, train.cont_names, texts, None, columns
    )


def _column(features: pd.DataFrame, name: str) -> pd.Series:
    return features[name] if name in features else pd.Series(np.nan, index=features.index)


def _paths(x: Any) -> list[str] | None:
    if isinstance(x, str | Path):
        return [str(x)]
    are_paths = isinstance(x, Sequence | np.ndarray) and all(isinstance(f, str | Path) for f in x)
    return [str(f) for f in x] if are_paths else None


def _texts(x: Any, n: int) -> list[Sequence[str]] | None:
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
