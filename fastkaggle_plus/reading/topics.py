"""Numbers that describe texts: their lengths, and their topics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data import Array
from .overlaps import GROUPED_LETTERS

TOPICS = 16  # components kept of each column's word and letter counts
FEW_TOPICS = 8  # of names, titles and phrases
MAX_TERMS = 20_000  # words, and as many letter groups, counted
_TERMS: tuple[tuple[dict[str, Any], int | None], ...] = (  # (what is counted, in how many letters)
    (dict(analyzer="word", token_pattern=r"(?u)\b\w+\b"), None),
    (dict(analyzer="char_wb", ngram_range=(3, 4)), GROUPED_LETTERS),
)


@dataclass
class Topics:
    """Components of weighted word and letter counts, fitted to the texts of train.

    Source: Deerwester and others 1990, latent semantic analysis.
    """

    name: str  # of the column
    counts: list[tuple[Any, Any, int | None]]  # (counter, weights, letters that are counted)
    axes: Array  # (n_terms, k)

    @classmethod
    def fit(
        cls,
        texts: pd.Series,
        *,
        k: int = TOPICS,  # components, at most
    ) -> tuple[Topics, pd.DataFrame]:
        """Fit to the texts of a column; return also their components, none without words."""
        from scipy.sparse import hstack
        from scipy.sparse.linalg import svds

        place, distinct = pd.factorize(texts)  # repeated texts are counted once
        fitted, parts = [], []
        for options, n_letters in _TERMS:
            if (found := _fit_counts([t[:n_letters] for t in distinct], place, options)) is None:
                continue
            fitted.append((*found[:2], n_letters))
            parts.append(found[2])
        n_topics, axes = 0, np.zeros((0, 0))
        if parts:
            weights = hstack(parts).tocsr()
            n_topics = min(k, min(weights.shape) - 1)
        if n_topics > 0:
            start = np.ones(min(weights.shape))  # fixed, for the same features every time
            axes = svds(weights, k=n_topics, v0=start)[2][::-1].T
        topics = cls(str(texts.name), fitted if n_topics > 0 else [], axes)
        return topics, topics._frame(weights if n_topics > 0 else None, texts)

    def __call__(self, texts: pd.Series) -> pd.DataFrame:
        """Return the components of each text, as columns."""
        from scipy.sparse import hstack

        if not self.counts:
            return self._frame(None, texts)
        place, distinct = pd.factorize(texts)
        parts = []
        for counter, weigh, n_letters in self.counts:
            counts = counter.transform([t[:n_letters] for t in distinct])
            parts.append(weigh.transform(counts[place]))
        return self._frame(hstack(parts).tocsr(), texts)

    def _frame(self, weights: Any, texts: pd.Series) -> pd.DataFrame:
        names = [f"{self.name}_topic{i}" for i in range(self.axes.shape[1])]
        found = np.zeros((len(texts), 0)) if weights is None else weights @ self.axes
        return pd.DataFrame(found, index=texts.index, columns=names)


def lengths_of(texts: pd.Series) -> pd.DataFrame:
    """Return the number of letters and of words of each text."""
    lengths = {"letters": texts.map(len), "words": texts.map(lambda text: len(text.split()))}
    return pd.DataFrame({f"{texts.name}_{k}": v.astype(float) for k, v in lengths.items()})


def _fit_counts(texts: list[str], place: Array, options: Any) -> tuple[Any, Any, Any] | None:
    """Return the fitted counter and weights, and the tf-idf weights of the rows.

    Returns None if no text has a word.
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    counter = CountVectorizer(max_features=MAX_TERMS, **options)
    weigh = TfidfTransformer(sublinear_tf=True)
    try:
        counts = counter.fit_transform(texts)[place]
    except ValueError:
        return None
    return counter, weigh, weigh.fit_transform(counts)
