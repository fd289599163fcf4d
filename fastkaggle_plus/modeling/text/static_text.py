"""A light text model: each text is the mean of static token vectors, and a ridge or logistic regression reads the texts and their pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ...data import Table
from ..model import Array, FittedFunction, Model
from .columns import chosen_texts, pairs_of
from .heads import fit_head
from .static_vectors import StaticVectors, load_vectors
from .weights import default_arch, full_name

PRELOAD = ("torch", "transformers", "sklearn.linear_model")
ATTACH = {"vectors": ("wordllama",)}  # which is a package


def static_text_model(
    vectors: str = "",  # "" = the input embeddings of default_arch(); a transformer's name or folder; "wordllama" = those of that package
    columns: Sequence[str] = (),  # text columns; () = all
    *,
    strength: float = 3.0,  # of the L2 penalty, a row
) -> Model:
    """Return a linear model on static vectors: of each text its mean, of each pair of texts their product, difference and cosine.

    No network is run, so it takes seconds where fine-tuning takes minutes, and as a different reader it may help an ensemble.
    Raises WeightsMissing, MissingExtra, and DataError for a table without texts.
    """
    loaded = cache(lambda: load_vectors(vectors))

    def fit(table: Table) -> FittedFunction:
        head = fit_head(_features(loaded(), table, columns), table, strength=strength)
        return FittedFunction(lambda rows: head(_features(loaded(), rows, columns), rows))

    return Model(
        "static vectors",
        fit,
        {
            "vectors": full_name(vectors) or default_arch(),
            "columns": list(columns),
            "strength": strength,
        },
    )


def _features(vectors: StaticVectors, table: Table, columns: Sequence[str]) -> Array:
    "Return (n, n_features) floats."
    texts = chosen_texts(table, columns)
    of = {c: vectors.pooled(texts[c]) for c in texts}
    both = [(of[a], of[b]) for a, b in pairs_of(texts)]
    return np.hstack(
        [
            *of.values(),
            *(
                part
                for a, b in both
                for part in (a * b, np.abs(a - b), (a * b).sum(1, keepdims=True))
            ),
        ]
    )
