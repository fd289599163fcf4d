"""Numbers that describe texts: their lengths, and their topics."""

from typing import Any

import numpy as np
import pandas as pd

from ..data import Array
from .overlaps import GROUPED_LETTERS

TOPICS = 16  # components kept of each column's word and letter counts
FEW_TOPICS = 8  # of names, titles and phrases
MAX_TERMS = 20_000  # words, and as many letter groups, counted


def text_features(
    train: pd.Series,
    test: pd.Series,
    *,
    k: int = TOPICS,  # topics, at most
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the lengths and the topics of two columns of texts, named after the first."""
    (x, x_test), topics = map(lengths_of, (train, test)), topics_of(train, test, k=k)
    names = [f"{train.name}_topic{i}" for i in range(topics[0].shape[1])]
    x[names], x_test[names] = topics
    return x, x_test


def lengths_of(texts: pd.Series) -> pd.DataFrame:
    """Return the number of letters and of words of each text."""
    lengths = {"letters": texts.map(len), "words": texts.map(lambda text: len(text.split()))}
    return pd.DataFrame({f"{texts.name}_{k}": v.astype(float) for k, v in lengths.items()})


def topics_of(
    train: pd.Series,
    test: pd.Series,
    *,
    k: int = TOPICS,  # components, at most
) -> tuple[Array, Array]:
    """Return (n_train, k) and (n_test, k) components of weighted word and letter counts.

    Only train is used to fit them.
    Source: Deerwester and others 1990, latent semantic analysis.
    """
    from scipy.sparse import hstack
    from scipy.sparse.linalg import svds

    # repeated texts are counted once
    (place, distinct), (test_place, test_distinct) = map(pd.factorize, (train, test))
    parts = []
    for options, n_letters in (
        (dict(analyzer="word", token_pattern=r"(?u)\b\w+\b"), None),
        (dict(analyzer="char_wb", ngram_range=(3, 4)), GROUPED_LETTERS),
    ):
        cut, test_cut = ([t[:n_letters] for t in texts] for texts in (distinct, test_distinct))
        weighted = _term_weights(cut, test_cut, place, test_place, options)
        if weighted is not None:
            parts.append(weighted)
    n_topics = 0
    if parts:
        weights, test_weights = (hstack(p).tocsr() for p in zip(*parts, strict=True))
        n_topics = min(k, min(weights.shape) - 1)
    if n_topics < 1:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    start = np.ones(min(weights.shape))  # fixed, for the same features every time
    _, _, axes = svds(weights, k=n_topics, v0=start)
    axes = axes[::-1].T
    return weights @ axes, test_weights @ axes


def _term_weights(
    texts: list[str], test_texts: list[str], place: Array, test_place: Array, options: Any
) -> tuple[Any, Any] | None:
    """Return the tf-idf weights of train and test rows; None if no text has a word."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    counter = CountVectorizer(max_features=MAX_TERMS, **options)
    weigh = TfidfTransformer(sublinear_tf=True)
    try:
        counts = counter.fit_transform(texts)[place]
    except ValueError:
        return None
    return weigh.fit_transform(counts), weigh.transform(counter.transform(test_texts)[test_place])
