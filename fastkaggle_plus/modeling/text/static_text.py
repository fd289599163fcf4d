"""A linear model on static vectors of the texts and of each pair of texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

from ...data import Table
from ..model import Array, FittedFunction, Model
from ..tabular.linear import ScaledLinearFit
from .encoding import chosen_texts
from .static_vectors import StaticVectors, load_vectors
from .weights import default_arch, full_name

PRELOAD = ("torch", "transformers", "sklearn.linear_model")
ATTACH = {"vectors": ("wordllama",)}  # "wordllama" is a package, not a language model


def static_text_model(
    vectors: str = "",  # a model's name or folder; "" = default_arch(); "wordllama" = that package
    columns: Sequence[str] = (),  # text columns; () = all
    *,
    strength: float = 3.0,  # of the L2 penalty, per row
) -> Model:
    """Return a linear model on static vectors.

    Its features are the mean vector of each text, and the product, difference and cosine of each
    pair of texts. It runs no network, so it takes seconds where fine-tuning takes minutes, and it
    may help an ensemble because it reads differently. Raises WeightsMissing, MissingExtra, and
    DataError for a table without texts.
    """
    about = {**locals(), "vectors": full_name(vectors) or default_arch(), "columns": list(columns)}
    load = cache(lambda: load_vectors(vectors))

    def fit(table: Table) -> FittedFunction:
        head = ScaledLinearFit(_features(load(), table, columns), table, penalty=strength)
        return FittedFunction(StaticText(load(), list(columns), head))

    return Model("static vectors", fit, about)


@dataclass
class StaticText:
    """Static vectors and their linear head: predicts tables."""

    vectors: StaticVectors
    columns: list[str]  # text columns; []: all
    head: ScaledLinearFit

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        return self.head.predict(_features(self.vectors, rows, self.columns), rows)


def _features(vectors: StaticVectors, table: Table, columns: Sequence[str]) -> Array:
    """Return (n, n_features) floats."""
    texts = chosen_texts(table, columns)
    features = [vectors(texts[column]) for column in texts]
    for a, b in list(combinations(features, 2)):
        product = a * b
        features += [product, np.abs(a - b), product.sum(1, keepdims=True)]
    return np.hstack(features)
