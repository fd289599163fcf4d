"""Read text competitions: unchanged texts, and a baseline of lengths, overlaps and topics."""

import dataclasses
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Array, Data
from ..exceptions import DataError, listed
from .columns import column_kind
from .csv import Names
from .overlaps import GROUPED_LETTERS, overlaps_of
from .rows import read_rows
from .tables import read_tabular

TOPICS = 16  # components kept of each column's word and letter counts
MAX_TERMS = 20_000  # words, and as many letter groups, counted
FEW_LEVELS = 20  # a column of so few texts, each in many rows, is a category
MANY_TIMES = 10
# One word, or one letter of a script without blanks between words: Thai, Lao, Japanese, Chinese
_NO_BLANKS = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(f"[{_NO_BLANKS}]|[^\\s{_NO_BLANKS}]+")


def read_text(
    path: str | Path,  # folder with the csv files
    *,
    columns: Names = (),  # columns to read as text; (): the columns that look like text
    context: str = "",  # column with the topic of the texts, a category
    **facts: Any,  # arguments of `read_tabular`
) -> Data:
    """Read a text competition: texts for networks, and features of them and of each pair of them.

    `texts` of each table has the columns and the context; "NA", "007" and blanks around a text
    stay, an empty cell is "". The features are a baseline: words and topics are counted in the
    training texts, without targets. Features of other columns are kept too.
    Raises DataError when a text column is missing, or is the id or a target.
    """
    facts_file = facts.setdefault("facts_file", "competition.toml")
    columns = columns or _found(Path(path), context, facts)
    for name in (*columns, context):
        if name in (facts["id"], *facts["target"]):
            what = "id" if name == facts["id"] else "target"
            raise DataError(
                f"{facts_file}: [text] names {name!r}, and that is the {what}, which a model must "
                "not read. Name the columns that hold the texts."
            )
    columns = tuple(dict.fromkeys(columns))
    about = tuple(c for c in (context,) if c and c not in columns)
    data = read_tabular(path, **facts, texts=columns, categories=about, keep_text=True)
    frames = (data.raw_train, data.raw_test)
    texts, test_texts = (f[[*columns, *about]].reset_index(drop=True) for f in frames)
    x, x_test = (lengths_and_overlaps(t[list(columns)]) for t in (texts, test_texts))
    for c in columns:
        topics, test_topics = topics_of(texts[c], test_texts[c])
        names = [f"{c}_topic{i}" for i in range(topics.shape[1])]
        x[names], x_test[names] = topics, test_topics
    new = [c for c in x if c not in data.train.x]  # an original column of that name is kept
    read = data.with_features(
        pd.concat([x[new], data.train.x], axis=1),
        pd.concat([x_test[new], data.test.x], axis=1),
        cat_names=data.train.cat_names,
        cont_names=(*map(str, new), *data.train.cont_names),
    )
    return dataclasses.replace(
        read,
        train=dataclasses.replace(read.train, texts=texts),
        test=dataclasses.replace(read.test, texts=test_texts),
        left_out=data.left_out,
    )


def _found(folder: Path, context: str, facts: dict[str, Any]) -> Names:
    """Return the columns that look like text. Raises DataError without any."""
    id, target = facts["id"], facts["target"]
    train = folder / facts.get("train", "train.csv")
    test = folder / facts.get("test", "test.csv")
    rows, test_rows = (read_rows(file, as_written=(id,)) for file in (train, test))
    columns = tuple(c for c in text_columns(rows, test_rows, id=id, target=target) if c != context)
    if not columns:
        raise DataError(
            f"No column of {train} looks like text; the columns are "
            f"{listed(rows.columns)}. Name them in [text] of {facts['facts_file']}: "
            'columns = ["..."].'
        )
    return columns


def text_columns(train: pd.DataFrame, test: pd.DataFrame, *, id: str, target: Names) -> Names:
    """Return the columns of both files with many different values of mostly several words."""
    return tuple(
        c
        for c in train.columns
        if c in test.columns
        and c not in (id, *target)
        and not pd.api.types.is_numeric_dtype(train[c])
        and column_kind(c, train[c]) != "date"
        and _looks_like_text(train[c].dropna().astype(str))
    )


def _looks_like_text(column: pd.Series) -> bool:
    counts = column.value_counts()
    if counts.empty or (len(counts) <= FEW_LEVELS and counts.mean() > MANY_TIMES):
        return False
    words = np.array([len(_WORD.findall(text[:GROUPED_LETTERS])) for text in counts.index])
    return bool(np.average(words, weights=counts) > 1.5)


def topics_of(train: pd.Series, test: pd.Series) -> tuple[Array, Array]:
    """Return (n_train, k) and (n_test, k) components of weighted word and letter counts.

    k is TOPICS or fewer; only train is used to fit them.
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
    k = 0
    if parts:
        weights, test_weights = (hstack(p).tocsr() for p in zip(*parts, strict=True))
        k = min(TOPICS, min(weights.shape) - 1)
    if k < 1:
        return np.zeros((len(train), 0)), np.zeros((len(test), 0))
    start = np.ones(min(weights.shape))  # fixed, for the same features every time
    _, _, axes = svds(weights, k=k, v0=start)
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


def lengths_and_overlaps(texts: pd.DataFrame) -> pd.DataFrame:
    """Return features of texts, one column per text: lengths, and overlaps of each pair."""
    x: dict[str, Any] = {}
    lists = {c: texts[c].tolist() for c in texts}
    for c, column in lists.items():
        x[f"{c}_letters"] = [len(text) for text in column]
        x[f"{c}_words"] = [len(text.split()) for text in column]
    overlaps = [overlaps_of(texts[a], texts[b]) for a, b in combinations(lists, 2)]
    return pd.concat([pd.DataFrame(x, index=texts.index).astype(float), *overlaps], axis=1)
