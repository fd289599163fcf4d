"""Sentence vectors of a transformer that is not trained: the mean over a text's tokens, computed once for each distinct text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...exceptions import MissingExtra
from .. import progress
from ..model import Array
from .encoding import Encoder
from .network import longest_row
from .static_vectors import unit
from .training import best_device
from .weights import default_arch, fetch_weights, load_tokenizer, loading


class SentenceVectors:
    "Texts -> unit vectors. What was computed is kept: folds share it."

    def __init__(
        self,
        arch: str = "",  # "" = default_arch(); a name on the hub, or a folder
        *,
        bs: int = 64,  # texts at once
        max_len: int = 256,  # tokens of a text that are read
    ):
        self.arch, self.bs, self.max_len = arch, bs, max_len
        self.known: dict[str, Array] = {}
        self._loaded: tuple[Any, Any, Any] | None = None

    def __call__(self, texts: pd.Series) -> Array:
        "Return (n, width). Raises WeightsMissing, MissingExtra."
        places, distinct = pd.factorize(texts)
        fresh = sorted(
            {t for t in distinct if t not in self.known}, key=lambda t: (len(t), t)
        )  # batches of one length waste least on padding
        for start in range(0, len(fresh), self.bs):
            batch = fresh[start : start + self.bs]
            self.known.update(zip(batch, self._means(batch), strict=True))
            progress.report(start + len(batch), len(fresh), f"text {start + len(batch)}/{len(fresh)}")
        return unit(np.stack([self.known[t] for t in distinct]))[places]

    def _means(self, texts: list[str]) -> Array:
        import torch

        encoder, net, device = self._load()
        tokens, mask, _ = (
            torch.from_numpy(part).to(device)
            for part in encoder(pd.DataFrame({"text": texts})).padded(np.arange(len(texts)))
        )
        with torch.inference_mode():
            states = net(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        there = mask.unsqueeze(-1).float()
        means: Array = ((states * there).sum(1) / there.sum(1)).cpu().numpy()
        return means

    def _load(self) -> tuple[Any, Any, Any]:
        if self._loaded is None:
            try:
                import torch
                from transformers import AutoModel
            except ImportError as e:
                raise MissingExtra(e.name or "transformers", "text") from e
            folder = fetch_weights(self.arch or default_arch()).folder
            assert folder is not None  # fetched
            device = best_device()
            with loading(folder):
                net = (
                    AutoModel.from_pretrained(
                        str(folder), local_files_only=True, dtype=torch.float32
                    )
                    .eval()
                    .to(device)
                )
            encoder = Encoder(
                load_tokenizer(folder),
                "",
                max_len=min(self.max_len, longest_row(net) or self.max_len),
            )
            self._loaded = encoder, net, device
        return self._loaded
