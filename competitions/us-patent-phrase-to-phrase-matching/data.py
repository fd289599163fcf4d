"""Read the pairs of phrases, and add the title of their class and other targets of the anchor."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from fastkaggle_plus.competition import read_competition
from fastkaggle_plus.data import Data

HERE = Path(__file__).parent
COMP = read_competition(HERE / "competition.toml")
TITLES = pd.read_csv(HERE / "contexts.csv", index_col="context")["title"].to_dict()
SHOWN = 5  # other targets in a row; an anchor has about fifty


def read(path: Path) -> Data:
    """Read train.csv and test.csv, and add text columns to both."""
    data = COMP.read_files(path)
    train, test = data.train.texts, data.test.texts
    everything = add_texts(pd.concat([train, test], ignore_index=True))
    n = len(train)
    return dataclasses.replace(
        data,
        train=dataclasses.replace(data.train, texts=everything[:n]),
        test=dataclasses.replace(data.test, texts=everything[n:].reset_index(drop=True)),
    )


def add_texts(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs with `section` (A to H), `section_title`, `title` and `others`."""
    section = pairs["context"].str[:1]
    return pairs.assign(
        section=section,
        section_title=titles_of(section),
        title=titles_of(pairs["context"]),
        others=other_targets(pairs),
    )


def titles_of(codes: pd.Series) -> pd.Series:
    """Return the titles of codes; an unknown class has its section's title."""
    names = {code: TITLES.get(code, TITLES.get(code[:1], code)) for code in codes.unique()}
    if unknown := sorted(c for c in names if c not in TITLES and c[1:]):  # classes, not sections
        more = " and others" if len(unknown) > 5 else ""
        warnings.warn(
            f"contexts.csv has no title for {', '.join(unknown[:5])}{more}: "
            "using the title of the section.",
            stacklevel=2,
        )
    return codes.map(names)


def other_targets(pairs: pd.DataFrame, *, shown: int = SHOWN) -> pd.Series:
    """Return some other targets of each row's anchor and class, in random order.

    It shows only words, never scores, because the hidden rows have no scores.
    Source: the winners of the competition.
    """
    words, others = pairs["target"].to_numpy(dtype=object), np.full(len(pairs), "", dtype=object)
    for rows in pairs.groupby(["anchor", "context"], sort=False).indices.values():
        rng = np.random.default_rng(len(rows))
        for at, row in enumerate(rows):
            order = rng.permutation(len(rows))
            others[row] = "; ".join(words[rows[order[order != at][:shown]]])
    return pd.Series(others, index=pairs.index)
