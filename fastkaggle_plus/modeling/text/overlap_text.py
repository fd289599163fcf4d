"""Baselines for texts: a line on how similar two columns are, by shared words or by cosine."""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ...data import Table
from ...exceptions import needs_extra
from .. import progress
from ..model import Array, FittedFunction, Model
from ..tabular.linear import ScaledLinearFit
from .encoding import Encoder, chosen_texts
from .loading import load_tokenizer, quiet_loading
from .static_vectors import unit
from .weights import default_arch, fetch_weights, full_name

PRELOAD = ("torch", "transformers", "sklearn.linear_model")
ATTACH = ("arch",)

_STRENGTH = 1e-4  # of the line's penalty: almost none
_WORD = re.compile(r"\w+")


def overlap_model(
    columns: Sequence[str] = (),  # text columns; () = all
) -> Model:
    """Return a linear or logistic model on the share of words that two text columns have in common.

    Every model that reads must beat it. With a single text it predicts the mean. Raises DataError
    for a table without texts.
    """
    return _similarity_model("word overlap", {"columns": list(columns)}, _overlaps, columns)


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
        "untrained cosine",
        about,
        lambda one, other: (vectors(one) * vectors(other)).sum(1),
        columns,
        max_columns=None if columns else 2,
    )


class SentenceVectors:
    """Unit vectors of texts: an untrained transformer's mean over the tokens.

    Each distinct text is computed once: folds share the cache.
    """

    def __init__(self, arch: str = "", *, bs: int = 64, max_len: int = 256):  # as in cosine_model
        self.arch, self.bs, self.max_len = arch, bs, max_len
        self.cache: dict[str, Array] = {}

    def __call__(self, texts: pd.Series) -> Array:
        """Return (n, width). Raises WeightsMissing, MissingExtra."""
        places, distinct = pd.factorize(texts)
        new = sorted({t for t in distinct if t not in self.cache})
        new.sort(key=len)  # batches of one length need the least padding
        for start in range(0, len(new), self.bs):
            batch = new[start : start + self.bs]
            self.cache.update(zip(batch, self._means(batch), strict=True))
            progress.report(start + len(batch), len(new), f"text {start + len(batch)}/{len(new)}")
        return unit(np.stack([self.cache[t] for t in distinct]))[places]

    def _means(self, texts: list[str]) -> Array:
        import torch

        from .network import masked_mean

        encoder, net = self._encoder_and_net
        arrays = encoder(pd.DataFrame({"text": texts})).padded(np.arange(len(texts)))
        tokens, mask, _ = (torch.from_numpy(array).to(net.device) for array in arrays)
        with torch.inference_mode():
            hidden = net(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        return np.asarray(masked_mean(hidden, mask).cpu())

    @cached_property
    def _encoder_and_net(self) -> tuple[Encoder, Any]:
        with needs_extra("text"):
            import torch
            from transformers import AutoModel

            from .network import max_positions
            from .training import best_device
        folder = fetch_weights(self.arch or default_arch()).folder
        assert folder is not None  # fetched
        with quiet_loading(folder):
            net = AutoModel.from_pretrained(str(folder), local_files_only=True, dtype=torch.float32)
        max_len = min(self.max_len, max_positions(folder) or self.max_len)
        return Encoder(load_tokenizer(folder), "", max_len=max_len), net.eval().to(best_device())


def _similarity_model(
    name: str,
    about: dict[str, object],
    similarity: Callable[[pd.Series, pd.Series], Array],
    columns: Sequence[str],
    *,
    max_columns: int | None = None,
) -> Model:
    def features(table: Table) -> Array:
        texts = chosen_texts(table, columns).iloc[:, :max_columns]
        pairs = [similarity(texts[a], texts[b]) for a, b in combinations(texts, 2)]
        return np.column_stack([np.zeros(len(texts)), *pairs])  # a single text has only the zeros

    def fit(table: Table) -> FittedFunction:
        head = ScaledLinearFit(features(table), table, penalty=_STRENGTH)
        return FittedFunction(lambda rows: head.predict(features(rows), rows))

    return Model(name, fit, about)


def _overlaps(one: pd.Series, other: pd.Series) -> Array:
    """Return Jaccard's index: words in both texts, as a share of the words in either."""
    words = {text: frozenset(_WORD.findall(text.lower())) for text in {*one, *other}}
    pairs = [(words[a], words[b]) for a, b in zip(one, other, strict=True)]
    return np.array([len(a & b) / max(len(a | b), 1) for a, b in pairs])
