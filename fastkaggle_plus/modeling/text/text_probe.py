"""A probe of a language model that is not fine-tuned: its vectors under a linear head and trees."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import UnknownName
from ...reading.text import lengths_and_overlaps
from ..frozen_head import Head, fit_head
from ..hyperparameters import check_whole
from ..model import Array, FittedFunction, Model, as_columns
from ..tabular.encoders import OrdinalEncoder
from ..tabular.estimators import fit_estimators
from .encoding import chosen_texts
from .sentence_vectors import SentenceVectors
from .static_vectors import load_vectors
from .weights import default_arch, fetch_weights, full_name, last_name

PRELOAD = ("torch", "transformers", "transformers.modeling_utils", "sklearn.ensemble")
ATTACH = ("arch",)
HEADS = ("both", "linear", "trees")

_MOST_PAIRED = 3  # text columns whose pairs have vectors; the pairs of more have cosines only
_AXES = 16  # principal components of each block of vectors, for the trees
_PENALTIES = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)  # L2 per row: pairs need strong ones
_TREES = dict(n_estimators=200, min_samples_leaf=3, max_features=0.5)
_TOPIC = re.compile(r"_topic\d+$")  # the reader's features that vectors describe better

Vectors = Callable[[pd.Series], Array]  # n texts -> (n, width) unit vectors


def text_probe_model(
    arch: str = "",  # name on the hub, or a model's folder; "" = default_arch()
    columns: Sequence[str] = (),  # text columns; () = those that are not a category too
    *,
    head: str = "both",  # both: the mean of the two | linear | trees
    bs: int = 64,  # texts per batch
    max_len: int = 256,  # tokens per text; longer texts are cut (see `notes`)
    seed: int = 42,
) -> Model:
    """Return a model on the vectors of a frozen language model, which takes seconds.

    u and v are the vectors of two texts: the mean over their tokens. A linear head reads u, v,
    |u - v| and u * v of each pair; its penalty is chosen inside the rows fitted on. Extremely
    randomized trees read the first principal components of these vectors, cosines, lengths and
    overlaps, and the table's other features. Vectors are cached on disk, see `SentenceVectors`.
    Raises UnknownName, ConfigError, WeightsMissing, MissingExtra, and DataError for a table without
    texts.
    Source: Conneau and others 2017, InferSent; Geurts and others 2006, extremely randomized trees.
    """
    about = {**locals(), "arch": full_name(arch) or default_arch(), "columns": list(columns)}
    if head not in HEADS:
        raise UnknownName("head", head, HEADS)
    check_whole(1, bs=bs, max_len=max_len)
    check_whole(0, seed=seed)
    vectors = SentenceVectors(about["arch"], bs=bs, max_len=max_len)
    static = cache(lambda: load_vectors(about["arch"]))

    def fit(table: Table) -> FittedFunction:
        names = tuple(columns) or _free_texts(table)
        texts, targs = chosen_texts(table, names), np.asarray(table.targs)
        blocks = _blocks(texts, vectors)
        n_cut = sum(text in vectors.cut for c in texts for text in texts[c])
        notes: dict[str, Any] = {"weights_from": fetch_weights(about["arch"]).origin}
        notes["texts_cut"] = n_cut
        importances: dict[str, float] = {}
        heads: list[Callable[[Table], Array]] = []
        if head != "trees":
            linear = fit_head(np.hstack(blocks), table, penalties=_PENALTIES)
            notes["penalty"] = linear.penalty
            heads.append(LinearProbe(linear, names, vectors))
        if head != "linear":
            kinds: dict[str, Vectors] = {"cosine": vectors, "static cosine": static()}
            encode = _Features(table, names=names, kinds=kinds, seed=seed)
            make = partial(_trees, seed=seed)
            trees = fit_estimators(make, lambda _: (encode, encode.sources), table)
            importances = trees.importances
            heads.append(trees.function)

        limits = None if table.vocab else (targs.min(0), targs.max(0))
        return FittedFunction(TextProbe(heads, limits), importances, notes=notes)

    return Model(f"{last_name(about['arch'])} probe", fit, about)


@dataclass
class LinearProbe:
    """A linear head on the vectors of texts: predicts tables."""

    head: Head
    names: tuple[str, ...]  # text columns
    vectors: Vectors

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        return self.head.predict(np.hstack(_blocks(chosen_texts(rows, self.names), self.vectors)))


@dataclass
class TextProbe:
    """The mean of the heads, values within the range of the targets: predicts tables."""

    heads: list[Callable[[Table], Array]]
    limits: tuple[Array, Array] | None  # lowest and highest targets; None: classes

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_outputs) predictions."""
        preds = np.mean([as_columns(one(rows), rows) for one in self.heads], 0)
        return np.asarray(preds if self.limits is None else preds.clip(*self.limits))


def _free_texts(table: Table) -> tuple[str, ...]:
    """Return the text columns without those that are a category too, as a topic is."""
    names = tuple(map(str, chosen_texts(table)))
    return tuple(c for c in names if c not in table.cat_names) or names


def _blocks(texts: pd.DataFrame, vectors: Vectors) -> list[Array]:
    """Return (n, width) arrays: the vectors of each text, and |u - v| and u * v of each pair."""
    found = [vectors(texts[c]) for c in texts]
    pairs = list(combinations(found, 2)) if len(found) <= _MOST_PAIRED else []
    return [*found, *(np.abs(u - v) for u, v in pairs), *(u * v for u, v in pairs)]


def _trees(table: Table, _target: int, *, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    kind = ExtraTreesClassifier if table.vocab else ExtraTreesRegressor
    return kind(**_TREES, random_state=seed)


class _Features:
    """Encodes rows for trees: features of their texts, and the table's other features."""

    def __init__(
        self,
        table: Table,
        *,
        names: tuple[str, ...],  # text columns
        kinds: dict[str, Vectors],  # each has a cosine for each pair; the first has components too
        seed: int,
    ):
        from sklearn.decomposition import PCA

        self.names, self.kinds = names, kinds
        texts = chosen_texts(table, names)
        blocks = self._blocks(texts)
        n_axes = min(_AXES, len(table), blocks[0].shape[1])
        self.axes = [PCA(n_axes, random_state=seed).fit(block) for block in blocks]
        made = [str(c) for c in self._similarities(texts)]
        others = [c for c in (*table.cat_names, *table.cont_names) if c not in made]
        self.encode = OrdinalEncoder(table.only([c for c in others if not _TOPIC.search(c)]))
        self.sources = [*made, *["vectors"] * (n_axes * len(blocks)), *self.encode.names]

    def __call__(self, rows: Table) -> Array:
        """Return (n, n_features), the columns in the order of `sources`."""
        texts = chosen_texts(rows, self.names)
        pairs = zip(self.axes, self._blocks(texts), strict=True)
        parts = [axes.transform(block) for axes, block in pairs]
        return np.hstack([self._similarities(texts).to_numpy(), *parts, self.encode(rows)])

    def _blocks(self, texts: pd.DataFrame) -> list[Array]:
        return _blocks(texts, next(iter(self.kinds.values())))

    def _similarities(self, texts: pd.DataFrame) -> pd.DataFrame:
        """Return lengths, overlaps and cosines."""
        frame = lengths_and_overlaps(texts)
        for kind, vectors in self.kinds.items():
            found = {c: vectors(texts[c]) for c in texts}
            for a, b in combinations(found, 2):
                frame[f"{kind} of {a}, {b}"] = (found[a] * found[b]).sum(1)
        return frame
