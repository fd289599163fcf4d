"""The default reader of texts: an honest baseline of lengths, overlaps and topics, as numbers any model takes."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data
from ..exceptions import DataError
from .columns import as_words, column_kind
from .tables import read_tabular

TOPICS = 16          # components kept of each column's word and letter counts
MAX_TERMS = 20_000   # words and letter groups counted

Array = np.ndarray[Any, Any]


def read_text(
    path: str | Path,                   # folder with the csv files
    *,
    columns: tuple[str, ...] = (),      # columns to read as text; () for those that look like it
    context: str = "",                  # column that says what the texts are about, a category
    **facts: Any,                       # what `read_tabular` takes
) -> Data:
    """Read a text competition: features of the texts and of each pair of them, beside those of the other columns.

    A baseline to beat: networks read the texts themselves. The words counted and the topics come from the training texts,
    without a look at targets. Raises DataError when a text column is not there.
    """
    data = read_tabular(path, **facts, keep_text=True)
    raw, raw_test = data.raw_train, data.raw_test
    columns = columns or text_columns(raw, raw_test, id=facts["id"], target=facts["target"])
    for c in (*columns, *filter(None, (context,))):
        for frame, name in ((raw, "train"), (raw_test, "test")):
            if c not in frame:
                raise DataError(f"The {name} file has no column {c!r}; its columns: {', '.join(map(str, frame.columns))}. Check [text] in competition.toml.")
    if not columns:
        raise DataError(f"No column looks like text; the columns are {', '.join(map(str, raw.columns))}. Name them in [text] of competition.toml.")
    texts, test_texts = ({c: f[c].fillna("").astype(str) for c in columns} for f in (raw, raw_test))
    x, x_test = _lengths_and_overlaps(texts), _lengths_and_overlaps(test_texts)
    for c in columns:
        names = [f"{c}_topic{i}" for i in range(TOPICS)]
        topics, test_topics = topics_of(texts[c], test_texts[c])
        x[names[: topics.shape[1]]], x_test[names[: topics.shape[1]]] = topics, test_topics
    cat = [c for c in data.train.cat_names if c not in columns]
    cont = [c for c in data.train.cont_names if c.removesuffix("_count") not in columns]
    x, x_test = (pd.concat([f, t.x[[*cont, *cat]]], axis=1) for f, t in ((x, data.train), (x_test, data.test)))
    if context and context not in x:
        cat.append(context)
        x[context], x_test[context] = as_words(raw[context]), as_words(raw_test[context])
    read = data.with_features(x, x_test, cat_names=tuple(cat), cont_names=tuple(str(c) for c in x if c not in cat))
    return dataclasses.replace(read, left_out={c: why for c, why in data.left_out.items() if c not in (*columns, context)})


def text_columns(train: pd.DataFrame, test: pd.DataFrame, *, id: str, target: tuple[str, ...]) -> tuple[str, ...]:
    "Return the columns in both files whose values are mostly several words."
    shared = [c for c in train.columns if c in test.columns and c != id and c not in target and not pd.api.types.is_numeric_dtype(train[c])]
    words = {c: train[c].dropna().astype(str).str.count(r"\S+") for c in shared if column_kind(c, train[c]) != "date"}
    return tuple(c for c, n in words.items() if len(n) and n.mean() > 1.5)


def topics_of(train: pd.Series, test: pd.Series) -> tuple[Array, Array]:
    """Return (n_train, k) and (n_test, k) components of weighted word and letter counts, k = TOPICS or fewer.

    Source: Deerwester and others 1990, latent semantic analysis; fitted on train alone.
    """
    from scipy.sparse import hstack
    from scipy.sparse.linalg import svds
    from sklearn.feature_extraction.text import TfidfVectorizer

    parts = []
    for options in (dict(analyzer="word", token_pattern=r"(?u)\b\w+\b"), dict(analyzer="char_wb", ngram_range=(3, 4))):
        counter = TfidfVectorizer(max_features=MAX_TERMS, sublinear_tf=True, **options)
        try:
            parts.append((counter.fit_transform(train), counter.transform(test)))
        except ValueError:  # no word in any of the texts
            continue
    if not parts:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    counts, test_counts = (hstack(p).tocsr() for p in zip(*parts, strict=True))
    k = min(TOPICS, min(counts.shape) - 1)
    if k < 1:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    _, _, axes = svds(counts, k=k, v0=np.ones(min(counts.shape)))  # a fixed start: the same features every time
    axes = axes[::-1].T
    return counts @ axes, test_counts @ axes


def _lengths_and_overlaps(texts: dict[str, pd.Series]) -> pd.DataFrame:
    x: dict[str, pd.Series] = {}
    for c, column in texts.items():
        x[f"{c}_letters"] = column.str.len()
        x[f"{c}_words"] = column.str.count(r"\S+")
    for a, b in combinations(texts, 2):
        for kind, cut in (("words", _words), ("letters", _letter_groups)):
            shared = [_overlap(cut(s), cut(t)) for s, t in zip(texts[a], texts[b], strict=True)]
            x[f"{a}_{b}_same_{kind}"] = pd.Series(shared, index=texts[a].index)
        x[f"{a}_{b}_same_start"] = pd.Series([float(s[:4].lower() == t[:4].lower()) for s, t in zip(texts[a], texts[b], strict=True)], index=texts[a].index)
    return pd.DataFrame(x).astype(float).reset_index(drop=True)


def _words(text: str) -> set[str]:
    return set(text.lower().split())


def _letter_groups(text: str) -> set[str]:
    text = f" {text.lower()} "
    return {text[i : i + 3] for i in range(len(text) - 2)}


def _overlap(a: set[str], b: set[str]) -> float:
    "Share of what either holds that both hold."
    return len(a & b) / len(a | b) if a | b else 0.0
