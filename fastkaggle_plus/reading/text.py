"""Read text competitions: unchanged texts, and a baseline of lengths, overlaps and topics."""

import dataclasses
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data import Data
from ..exceptions import DataError, listed
from .columns import column_kind
from .csv import Names
from .new_rows import NewRows
from .overlaps import GROUPED_LETTERS, overlaps_of
from .rows import read_rows
from .tables import read_tabular
from .topics import Topics, lengths_of
from .word_columns import FEW_LEVELS, MANY_TIMES, NO_BLANKS

# One word, or one letter of a script without blanks between words
_WORD = re.compile(f"[{NO_BLANKS}]|[^\\s{NO_BLANKS}]+")


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
    fitted = [Topics.fit(texts[c]) for c in columns]
    topics = [t for t, _ in fitted]
    x = pd.concat([x, *(found for _, found in fitted)], axis=1)
    x_test = pd.concat([x_test, *(t(test_texts[t.name]) for t in topics)], axis=1)
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
        new_rows=NewRows.of(
            dataclasses.replace(read.train, texts=texts),
            make=TextColumns(columns, topics, data.new_rows),
            columns=dict.fromkeys(texts, "str") | data.new_rows.columns,
        ),
    )


@dataclass
class TextColumns:
    """Makes the features of texts in new rows, and of their other columns."""

    columns: Names
    topics: list[Topics]
    others: NewRows

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the features of rows with the text columns."""
        texts = rows[list(self.columns)].fillna("").astype(str)
        made = [lengths_and_overlaps(texts), *(t(texts[t.name]) for t in self.topics)]
        others = self.others.features(rows)
        x = pd.concat(made, axis=1)
        return pd.concat([x[[c for c in x if c not in others]], others], axis=1)


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


def lengths_and_overlaps(texts: pd.DataFrame) -> pd.DataFrame:
    """Return features of texts, one column per text: lengths, and overlaps of each pair."""
    lengths = [lengths_of(texts[c]) for c in texts]
    overlaps = [overlaps_of(texts[a], texts[b]) for a, b in combinations(texts, 2)]
    return pd.concat([*lengths, *overlaps], axis=1)
