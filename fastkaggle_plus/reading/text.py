"""The default reader of texts: the words as they are written, and an honest baseline of lengths, overlaps and topics for models of numbers."""

from __future__ import annotations

import dataclasses
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data
from ..exceptions import DataError
from .columns import column_kind
from .csv import read_csv
from .tables import read_tabular

TOPICS = 16  # components kept of each column's word and letter counts
MAX_TERMS = 20_000  # words, and as many letter groups, counted
GROUPED_LETTERS = 300  # of the beginning of a text are counted in groups: more of an essay costs minutes and tells little
FEW_LEVELS = 20  # a column of so few texts, each many times over, is a category
MANY_TIMES = 10
# One word, or one letter of a script that puts no blanks between words: Thai, Lao, Japanese, Chinese
_WORD = re.compile(
    "[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|[^\\s\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+"
)

Array = np.ndarray[Any, Any]


def read_text(
    path: str | Path,  # folder with the csv files
    *,
    columns: tuple[str, ...] = (),  # columns to read as text; () for those that look like it
    context: str = "",  # column that says what the texts are about, a category
    **facts: Any,  # what `read_tabular` takes
) -> Data:
    """Read a text competition: the texts as they are written, for networks; features of them and of each pair, beside those of the other columns.

    `texts` of each table holds the columns and the context; "NA", "007" and blanks around a text stay, an empty cell is "". The features are a
    baseline to beat: the words counted and the topics come from the training texts, without a look at targets.
    Raises DataError when a text column is not there, or is the id or a target.
    """
    facts_file = facts.get("facts_file", "competition.toml")
    columns = columns or _found(Path(path), context, **facts)
    if wrong := [
        c for c in (*columns, *filter(None, (context,))) if c in (facts["id"], *facts["target"])
    ]:
        what = (
            "the id, which tells a model nothing"
            if wrong[0] == facts["id"]
            else "the target: a model would read the answer"
        )
        raise DataError(
            f"{facts_file}: [text] names {wrong[0]!r}, and that is {what}. Name the columns that hold the texts."
        )
    columns = tuple(dict.fromkeys(columns))
    about = tuple(c for c in (context,) if c and c not in columns)
    data = read_tabular(path, **facts, texts=columns, categories=about, keep_text=True)
    texts, test_texts = (
        f[[*columns, *about]].reset_index(drop=True) for f in (data.raw_train, data.raw_test)
    )
    x, x_test = (
        _lengths_and_overlaps(texts[list(columns)]),
        _lengths_and_overlaps(test_texts[list(columns)]),
    )
    for c in columns:
        names = [f"{c}_topic{i}" for i in range(TOPICS)]
        topics, test_topics = topics_of(texts[c], test_texts[c])
        x[names[: topics.shape[1]]], x_test[names[: topics.shape[1]]] = topics, test_topics
    own = [c for c in x if c not in data.train.x]  # a competition's own column of that name is kept
    x, x_test = (
        pd.concat([f[own], t.x], axis=1) for f, t in ((x, data.train), (x_test, data.test))
    )
    read = data.with_features(
        x,
        x_test,
        cat_names=data.train.cat_names,
        cont_names=(*map(str, own), *data.train.cont_names),
    )
    with_texts, test_with_texts = (
        dataclasses.replace(read.train, texts=texts),
        dataclasses.replace(read.test, texts=test_texts),
    )
    return dataclasses.replace(read, train=with_texts, test=test_with_texts, left_out=data.left_out)


def _found(
    folder: Path,
    context: str,
    *,
    id: str,
    target: tuple[str, ...],
    train: str = "train.csv",
    test: str = "test.csv",
    facts_file: str = "competition.toml",
    **_: Any,
) -> tuple[str, ...]:
    """The columns that look like text, where nobody named them."""
    rows, test_rows = (read_csv(folder / file, as_written=(id,)) for file in (train, test))
    columns = tuple(c for c in text_columns(rows, test_rows, id=id, target=target) if c != context)
    if not columns:
        raise DataError(
            f"No column of {folder / train} looks like text; the columns are {', '.join(map(str, rows.columns))}. "
            f'Name them in [text] of {facts_file}: columns = ["..."].'
        )
    return columns


def text_columns(
    train: pd.DataFrame, test: pd.DataFrame, *, id: str, target: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the columns in both files whose values are mostly several words, and more than a few different ones."""
    shared = [
        c
        for c in train.columns
        if c in test.columns
        and c != id
        and c not in target
        and not pd.api.types.is_numeric_dtype(train[c])
    ]
    return tuple(
        c
        for c in shared
        if column_kind(c, train[c]) != "date" and _looks_like_text(train[c].dropna().astype(str))
    )


def _looks_like_text(column: pd.Series) -> bool:
    counts = column.value_counts()
    if counts.empty or (len(counts) <= FEW_LEVELS and counts.mean() > MANY_TIMES):
        return False
    words = np.array([len(_WORD.findall(text[:GROUPED_LETTERS])) for text in counts.index])
    return bool(np.average(words, weights=counts) > 1.5)


def topics_of(train: pd.Series, test: pd.Series) -> tuple[Array, Array]:
    """Return (n_train, k) and (n_test, k) components of weighted word and letter counts, k = TOPICS or fewer.

    Source: Deerwester and others 1990, latent semantic analysis; fitted on train alone.
    """
    from scipy.sparse import hstack
    from scipy.sparse.linalg import svds
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    # a text that comes often, as an anchor does, is counted once
    (place, distinct), (test_place, test_distinct) = (
        pd.factorize(column) for column in (train, test)
    )
    parts = []
    for options, letters in (
        (dict(analyzer="word", token_pattern=r"(?u)\b\w+\b"), None),
        (dict(analyzer="char_wb", ngram_range=(3, 4)), GROUPED_LETTERS),
    ):
        counter, weigh = (
            CountVectorizer(max_features=MAX_TERMS, **options),
            TfidfTransformer(sublinear_tf=True),
        )
        try:
            counts = counter.fit_transform([text[:letters] for text in distinct])[place]
        except ValueError:  # no word in any of the texts
            continue
        parts.append(
            (
                weigh.fit_transform(counts),
                weigh.transform(
                    counter.transform([text[:letters] for text in test_distinct])[test_place]
                ),
            )
        )
    if not parts:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    weighed, test_weighed = (hstack(p).tocsr() for p in zip(*parts, strict=True))
    k = min(TOPICS, min(weighed.shape) - 1)
    if k < 1:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    _, _, axes = svds(
        weighed, k=k, v0=np.ones(min(weighed.shape))
    )  # a fixed start: the same features every time
    axes = axes[::-1].T
    return weighed @ axes, test_weighed @ axes


def _lengths_and_overlaps(texts: pd.DataFrame) -> pd.DataFrame:
    x: dict[str, Any] = {}
    lists = {c: texts[c].tolist() for c in texts}
    for c, column in lists.items():
        x[f"{c}_letters"] = [len(text) for text in column]
        x[f"{c}_words"] = [len(text.split()) for text in column]
    for a, b in combinations(lists, 2):
        pairs = list(zip(lists[a], lists[b], strict=True))
        x[f"{a}_{b}_same_words"] = [_overlap(_words(s), _words(t)) for s, t in pairs]
        x[f"{a}_{b}_same_letters"] = [
            _overlap(_letter_groups(s), _letter_groups(t)) for s, t in pairs
        ]
        x[f"{a}_{b}_same_start"] = [s[:4].lower() == t[:4].lower() for s, t in pairs]
    return pd.DataFrame(x, index=texts.index).astype(float)


def _words(text: str) -> set[str]:
    return set(text.lower().split())


def _letter_groups(text: str) -> set[str]:
    text = f" {text[:GROUPED_LETTERS].lower()} "
    return {text[i : i + 3] for i in range(len(text) - 2)}


def _overlap(a: set[str], b: set[str]) -> float:
    """Share of what either holds that both hold."""
    return len(a & b) / len(a | b) if a | b else 0.0
