"""Floors for texts: how much each pair of columns has in common, in words or for a transformer that was not trained, and a straight line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ...data import Table
from ..model import Array, Fit, FittedFunction, Model
from .columns import chosen_texts, pairs_of
from .heads import fit_head
from .sentence_vectors import SentenceVectors
from .weights import default_arch, full_name

PRELOAD = ("torch", "transformers", "sklearn.linear_model")
ATTACH = ("arch",)

_STRENGTH = 1e-4  # of the line's penalty: all but none
_WORD = re.compile(r"\w+")


def overlap_model(
    columns: Sequence[str] = (),  # text columns; () = all
) -> Model:
    """Return the share of words that each two text columns have in common, mapped to the targets by a straight line, or a logistic one.

    It is the floor below any model that reads: of a single text it knows nothing and answers the mean. Raises DataError for a table without texts.
    """
    return Model("word overlap", _of_pairs(columns, _overlaps), {"columns": list(columns)})


def cosine_model(
    arch: str = "",  # "" = default_arch(); a name on the hub, or a folder
    columns: Sequence[str] = (),  # text columns; () = the first two
    *,
    bs: int = 64,  # texts at once
    max_len: int = 256,  # tokens of a text that are read
) -> Model:
    """Return the cosine between two texts' mean-pooled embeddings by a transformer as it comes, mapped to the targets by a straight line, or a logistic one.

    Only the line learns: it is what fine-tuning has to beat. Of a single text it answers the mean.
    Raises WeightsMissing, MissingExtra, and DataError for a table without texts.
    """
    vectors = SentenceVectors(arch, bs=bs, max_len=max_len)
    about = {
        "arch": full_name(arch) if arch else default_arch(),
        "columns": list(columns),
        "bs": bs,
        "max_len": max_len,
    }
    return Model(
        "untrained cosine",
        _of_pairs(
            columns,
            lambda one, other: (vectors(one) * vectors(other)).sum(1),
            at_most=None if columns else 2,
        ),
        about,
    )


def _of_pairs(
    columns: Sequence[str],
    alike: Callable[[pd.Series, pd.Series], Array],
    *,
    at_most: int | None = None,
) -> Fit:
    "A line on how alike the texts of each pair of columns are."

    def features(table: Table) -> Array:
        texts = chosen_texts(table, columns).iloc[:, :at_most]
        return np.column_stack(
            [np.zeros(len(texts)), *(alike(texts[a], texts[b]) for a, b in pairs_of(texts))]
        )  # zeros: of a single text

    def fit(table: Table) -> FittedFunction:
        head = fit_head(features(table), table, strength=_STRENGTH)
        return FittedFunction(lambda rows: head(features(rows), rows))

    return fit


def _overlaps(one: pd.Series, other: pd.Series) -> Array:
    "Jaccard's: the words that both have among the words that either has."
    words = {text: frozenset(_WORD.findall(text.lower())) for text in {*one, *other}}
    return np.array(
        [
            len(words[a] & words[b]) / max(len(words[a] | words[b]), 1)
            for a, b in zip(one, other, strict=True)
        ]
    )
