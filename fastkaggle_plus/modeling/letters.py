"""letters_model: kernel ridge on the letters of texts, which learns a few thousand rows nearly by heart in a second."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..data import Table
from ..exceptions import DataError
from .model import Array, FittedFunction, Model

_MOST_ROWS = 20_000   # the kernel is rows x rows
PRELOAD = ("sklearn.feature_extraction.text",)


def letters_model(
    *,
    strength: float = 0.5,   # of the penalty: less learns the rows more by heart
) -> Model:
    """Return kernel ridge on texts: rows are near that share groups of three and four letters, or whose own texts are alike to the same degree.

    Reads `Table.texts` alone. Its cost grows with the third power of the rows. Source: Saunders and others 1998, ridge regression in dual variables.
    """

    def fit(table: Table) -> FittedFunction:
        from scipy.linalg import solve

        letters = _Letters(_texts(table))
        kernel = letters.near(table)
        targs = np.asarray(table.targs)
        outcomes = (targs[:, None] == np.arange(len(table.vocab))).astype(float) if table.vocab else targs.reshape(len(targs), -1).astype(float)
        mean = outcomes.mean(0)
        kernel[np.diag_indices_from(kernel)] += strength
        weights = solve(kernel, (outcomes - mean).astype(np.float32), assume_a="pos", overwrite_a=True)

        def predict(rows: Table) -> Array:
            said = letters.near(rows) @ weights + mean
            if table.vocab:
                said = said.clip(1e-6)
                said /= said.sum(1, keepdims=True)
            return np.asarray(said)

        return FittedFunction(predict)

    return Model("letters", fit, dict(strength=strength))


class _Letters:
    "Texts as counts of their letter groups, and pairs of texts by how alike they are, both learned from the rows it is made from."

    def __init__(self, texts: pd.DataFrame):
        from sklearn.feature_extraction.text import TfidfVectorizer

        if len(texts) > _MOST_ROWS:
            raise DataError(f"letters_model compares all rows with each other, {_MOST_ROWS} at most, and {len(texts)} came.")
        self.letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, dtype=np.float32)
        self.words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
        for counter in (self.letters, self.words):
            counter.fit([*_joined(texts), " a "])   # a word of its own: texts may be empty
        self.counts, alike = self._of(texts)
        self.mean, self.std = alike.mean(0), alike.std(0) + 1e-9
        self.alike = (alike - self.mean) / self.std

    def near(self, table: Table) -> Array:
        "Return (n, n_fit): how near rows are to those it was made from."
        from scipy.spatial.distance import cdist

        counts, alike = self._of(_texts(table))
        near = np.asarray((counts @ self.counts.T).toarray())
        if alike.shape[1]:
            near += np.exp(-cdist((alike - self.mean) / self.std, self.alike, "sqeuclidean") / (2 * alike.shape[1])).astype(np.float32)
        return near

    def _of(self, texts: pd.DataFrame) -> tuple[Any, Array]:
        counts = self.letters.transform(_joined(texts))
        alike = []
        for counter in (self.letters, self.words) if texts.shape[1] > 1 else ():
            one = {c: counter.transform(texts[c]) for c in texts}
            alike += [np.asarray(one[a].multiply(one[b]).sum(1)).ravel() for a, b in combinations(one, 2)]
        return counts, np.column_stack(alike) if alike else np.empty((len(texts), 0))


def _texts(table: Table) -> pd.DataFrame:
    if table.texts is None or not table.texts.shape[1]:
        raise DataError("letters_model reads the texts of a table, and this one has none. Use kind = \"text\" in competition.toml, or another model.")
    return table.texts


def _joined(texts: pd.DataFrame) -> list[str]:
    return [" ".join(row) for row in texts.to_numpy(dtype=str)]
