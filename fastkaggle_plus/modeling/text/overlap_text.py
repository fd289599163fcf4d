"""Baselines for texts: a line on how similar two columns are, by shared words or by cosine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ...data import Table
from ...reading.overlaps import word_overlap
from ..model import Array, FittedFunction, Model
from ..tabular.linear import EncodedLinear, ScaledLinearFit
from .encoding import chosen_texts
from .sentence_vectors import SentenceVectors
from .weights import default_arch, full_name

PRELOAD = ("torch", "transformers", "sklearn.linear_model")
ATTACH = ("arch",)

_STRENGTH = 1e-4  # of the line's penalty: almost none


def overlap_model(
    columns: Sequence[str] = (),  # text columns; () = all
) -> Model:
    """Return a linear or logistic model on the share of words that two text columns have in common.

    Every model that reads must beat it. With a single text it predicts the mean. Raises DataError
    for a table without texts.
    """
    return _similarity_model("word overlap", {"columns": list(columns)}, Overlap(), columns)


def cosine_model(
    arch: str = "",  # "" = default_arch(); a name on the hub, or a folder
    columns: Sequence[str] = (),  # text columns; () = the first two
    *,
    bs: int = 64,  # texts per batch
    max_len: int = 256,  # tokens per text; longer texts are cut
) -> Model:
    """Return a linear or logistic model on the cosine of two texts' embeddings.

    The embeddings are the mean over the tokens of a pretrained transformer that is not fine-tuned:
    fine-tuning must beat it. With a single text it predicts the mean. Raises WeightsMissing,
    MissingExtra, and DataError for a table without texts.
    """
    about = {**locals(), "arch": full_name(arch) or default_arch(), "columns": list(columns)}
    vectors = SentenceVectors(arch, bs=bs, max_len=max_len)
    return _similarity_model(
        "untrained cosine", about, Cosine(vectors), columns, max_columns=None if columns else 2
    )


def _similarity_model(
    name: str,
    about: dict[str, object],
    similarity: Callable[[pd.Series, pd.Series], Array],
    columns: Sequence[str],
    *,
    max_columns: int | None = None,
) -> Model:
    features = Similarities(similarity, list(columns), max_columns)

    def fit(table: Table) -> FittedFunction:
        head = ScaledLinearFit(features(table), table, penalty=_STRENGTH)
        return FittedFunction(EncodedLinear(head, features))

    return Model(name, fit, about)


class Overlap:
    """The share of words that two columns have in common."""

    def __call__(self, one: pd.Series, other: pd.Series) -> Array:
        """Return (n,) shares."""
        return word_overlap(one, other)


@dataclass
class Cosine:
    """The cosine of two columns' vectors."""

    vectors: SentenceVectors

    def __call__(self, one: pd.Series, other: pd.Series) -> Array:
        """Return (n,) cosines."""
        cosines: Array = (self.vectors(one) * self.vectors(other)).sum(1)
        return cosines


@dataclass
class Similarities:
    """The similarities of all pairs of text columns."""

    similarity: Callable[[pd.Series, pd.Series], Array]
    columns: list[str]  # []: all
    max_columns: int | None  # of these

    def __call__(self, table: Table) -> Array:
        """Return (n, n_pairs + 1); the first column is zeros, all that a single text has."""
        texts = chosen_texts(table, self.columns).iloc[:, : self.max_columns]
        pairs = [self.similarity(texts[a], texts[b]) for a, b in combinations(texts, 2)]
        return np.column_stack([np.zeros(len(texts)), *pairs])
