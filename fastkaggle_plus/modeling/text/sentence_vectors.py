"""Sentence vectors of an untrained transformer: the mean over a text's tokens."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ...exceptions import needs_extra
from .. import progress
from ..model import Array
from .encoding import Encoder
from .loading import load_tokenizer, quiet_loading
from .static_vectors import unit
from .weights import default_arch, fetch_weights


class SentenceVectors:
    """Texts -> unit vectors. Each distinct text is computed once: folds share the cache."""

    def __init__(
        self,
        arch: str = "",  # "" = default_arch(); a name on the hub, or a folder
        *,
        bs: int = 64,  # texts per batch
        max_len: int = 256,  # tokens per text; longer texts are cut
    ):
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
            progress.tell(start + len(batch), len(new), f"text {start + len(batch)}/{len(new)}")
        return unit(np.stack([self.cache[t] for t in distinct]))[places]

    def _means(self, texts: list[str]) -> Array:
        import torch

        from .network import masked_mean

        encoder, net = self._encoder_and_net
        arrays = encoder(pd.DataFrame({"text": texts})).padded(np.arange(len(texts)))
        tokens, mask, _ = (torch.from_numpy(array).to(net.device) for array in arrays)
        with torch.inference_mode():
            hidden = net(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        means: Array = masked_mean(hidden, mask).cpu().numpy()
        return means

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
